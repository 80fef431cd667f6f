"""Leaves the wallet's key behind before media is parsed: the process begins anew without it.

`watch` and `publish` sign in with the key, and then parse what strangers made: SDP, RTP, video.
Python cannot wipe a key out of its memory, so the process replaces itself by exec: the same number,
terminal and options, fresh memory, and of the account no more than its address and one token, which
come through a pipe. Whoever takes over the decoder finds a token that ends, and no key.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from typing import Final

from offchain.cli.exits import Exit
from offchain.cli.failure import Failure

VARIABLE: Final = "PAYSTREAM_SIGNED_IN"
_BYTES_MAX: Final = 1 << 16
_replaceable = False


@dataclass(frozen=True, kw_only=True, repr=False)
class SignedIn:
    """What is left of an account: it has proven itself, and holds a token. It cannot sign."""

    account: str
    token: str
    delegate: str | None = None

    def sign(self, message: bytes) -> bytes:
        """Refuse: there is no key. Raises Failure."""
        del message
        raise Failure(
            "this process has no key: run the command again to sign in", Exit.KEYS, "key-not-found"
        )

    def __repr__(self) -> str:
        return f"<signed in as {self.account}>"


def may_be_replaced() -> None:
    """Say that this process is nothing but a `paystream` command."""
    global _replaceable  # noqa: PLW0603  (a fact about the process)
    _replaceable = True


def begin_without_key(signed_in: SignedIn) -> None:
    """Replace this process by one that has no key; only where `may_be_replaced` was said."""
    if not _replaceable:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    os.write(writer, json.dumps(asdict(signed_in)).encode())
    os.close(writer)
    os.set_inheritable(reader, True)  # noqa: FBT003
    os.environ[VARIABLE] = str(reader)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


def signed_in() -> SignedIn | None:
    """Give what the process before has left, once; None in the first. Raises Failure."""
    number = os.environ.pop(VARIABLE, None)
    if number is None:
        return None
    try:
        with os.fdopen(int(number), "rb") as pipe:
            return SignedIn(**json.loads(pipe.read(_BYTES_MAX)))
    except (OSError, ValueError, TypeError):
        raise Failure(
            f"{VARIABLE} is set and names no pipe: unset it", Exit.USAGE, "usage"
        ) from None
