"""Which key a command signs with, and how its password is found.

A password is read from a file or asked for on the terminal. It is never an option's value, which
every user of the machine could see, and never in the output.
"""

from __future__ import annotations

import functools
import getpass
import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from offchain.cli import options
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure

if TYPE_CHECKING:
    from offchain.keys import Keystore, LocalKey

DEVELOPMENT_NAMES: Final = ("Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie")
"""Whose keys are public: every Substrate development chain endows them."""
PASSWORD_BYTES_MAX: Final = 4096
CREDENTIAL: Final = "paystream-password"
_DESCRIPTOR: Final = re.compile(r"/dev/fd/([0-9]{1,6})")


@dataclass(frozen=True)
class Wallets:
    """The keystore in use, and where its password comes from."""

    keys_dir: Path
    password_file: Path | None

    @classmethod
    def from_options(
        cls,
        state_dir: options.StateDir = None,
        keys_dir: options.KeysDir = None,
        password_file: options.PasswordFile = None,
    ) -> Wallets:
        """Find the keystore from what the options say."""
        return cls(keys_dir or options.state_dir(state_dir) / "keys", password_file)

    def keystore(self) -> Keystore:
        """Open the keystore."""
        from offchain.keys import Keystore

        return Keystore(self.keys_dir)

    def names(self) -> list[str]:
        """List the keys' names, readable or not. Raises OSError."""
        if not self.keys_dir.exists():
            return []
        return sorted(path.stem for path in self.keys_dir.glob("*.json"))

    def address(self, who: str | None) -> str:
        """Give the address that an address, a key's name or `//Alice` stands for.

        Needs no password. Raises Failure and KeystoreError.
        """
        who = who or self._only_key()
        if who.startswith("//"):
            return development_key(who).address
        if who in self.names():
            return self.keystore().show(who).address
        from offchain.ledger.types import AddressInvalid, address

        try:
            return address(who)
        except AddressInvalid:
            raise Failure(
                f"{who!r} is neither an address nor a key in {self.keys_dir}: "
                "`paystream keys list` shows the keys",
                Exit.KEYS,
                "key-not-found",
            ) from None

    def signer(self, name: str | None) -> LocalKey:
        """Open the key that signs, asking for its password. Raises Failure and KeystoreError."""
        name = name or self._only_key()
        if name.startswith("//"):
            return development_key(name)
        keystore = self.keystore()
        keystore.show(name)  # a missing or damaged key is told before a password is asked for
        return keystore.load(name, self.password(f"Password of the key {name!r}"))

    def password(self, question: str, *, confirm: bool = False) -> str:
        """Read the password from its file, or ask for it on the terminal. Raises Failure.

        Without a file that was named, systemd's credential `paystream-password` counts.
        """
        file = self.password_file or credential_file()
        return self._asked(question, confirm=confirm) if file is None else password_from(file)

    def password_again(self) -> str | None:
        """Read the password from its file once more; None where that gives none. Never asks."""
        file = self.password_file or credential_file()
        try:
            return None if file is None else password_from(file)
        except Failure:
            return None

    def _asked(self, question: str, *, confirm: bool) -> str:
        if not sys.stdin.isatty():
            raise Failure(
                "no password: give --password-file (or PAYSTREAM_PASSWORD_FILE), or run this on a "
                "terminal",
                Exit.KEYS,
                "password-missing",
            )
        try:
            password = getpass.getpass(f"{question}: ")
            if confirm and getpass.getpass("The same again: ") != password:
                raise Failure("the two passwords differ: try again", Exit.KEYS, "passwords-differ")
        except EOFError:
            raise Failure("no password was given", Exit.KEYS, "password-missing") from None
        return password

    def new_password(self, question: str) -> str:
        """Read a new password: from its file, or twice on the terminal. Raises Failure.

        A credential of systemd's is the one that is in use, and never the new one.
        """
        if self.password_file is not None:
            return password_from(self.password_file)
        return self._asked(question, confirm=True)

    def _only_key(self) -> str:
        names = self.names()
        if len(names) == 1:
            return names[0]
        if not names:
            raise Failure(
                f"there is no key in {self.keys_dir}: make one with `paystream keys new NAME`, or "
                "name a development key such as //Alice",
                Exit.KEYS,
                "key-not-found",
            )
        raise Failure(
            f"there are {len(names)} keys in {self.keys_dir}: name one of {', '.join(names)}",
            Exit.USAGE,
            "key-ambiguous",
        )


@dataclass(frozen=True)
class Names(Wallets):
    """The keystore for what needs no password: names and addresses."""

    @classmethod
    def from_options(  # type: ignore[override]
        cls, state_dir: options.StateDir = None, keys_dir: options.KeysDir = None
    ) -> Names:
        """Find the keystore from what the options say."""
        return cls(keys_dir or options.state_dir(state_dir) / "keys", None)


def credential_file() -> Path | None:
    """Give the password that systemd passes on (LoadCredential=paystream-password:...), if any."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return None
    path = Path(directory) / CREDENTIAL
    return path if path.exists() else None


def password_from(path: Path) -> str:
    """Give the first line of a password file, or of a descriptor `/dev/fd/N`. Raises Failure."""
    descriptor = _DESCRIPTOR.fullmatch(str(path))
    try:
        mode, raw = _descriptor(int(descriptor[1])) if descriptor else _file(path)
    except OSError as error:
        raise Failure(
            f"the password file {path} cannot be read ({error.strerror}): check its path and mode",
            Exit.KEYS,
            "password-file",
        ) from None
    if stat.S_ISREG(mode) and mode & _closed_to_others(path):
        raise Failure(
            f"the password file {path} can be read by other users: run `chmod 600 {path}`",
            Exit.KEYS,
            "password-file",
        )
    first = raw.split(b"\n", 1)[0].rstrip(b"\r")
    try:
        password = first.decode()
    except UnicodeDecodeError:
        password = ""
    if not password or len(raw) > PASSWORD_BYTES_MAX:
        raise Failure(
            f"the password file {path} has no password in its first line: write it there as UTF-8",
            Exit.KEYS,
            "password-file",
        )
    return password


def _closed_to_others(path: Path) -> int:
    """The bits that the mode of a password file must not have.

    systemd 254 and later give a unit's credential as 0440 with an ACL for the unit's user: the
    group's bits are the ACL's mask then, and nobody's permission.
    """
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    return 0o037 if directory and path.parent == Path(directory) else 0o077


def _file(path: Path) -> tuple[int, bytes]:
    with path.open("rb") as file:
        return os.fstat(file.fileno()).st_mode, file.read(PASSWORD_BYTES_MAX + 1)


@functools.cache
def _descriptor(number: int) -> tuple[int, bytes]:
    """Read a descriptor to its end, once: a pipe gives its words only once.

    Its path would be closed to a process whose memory is kept to itself. Raises OSError.
    """
    with os.fdopen(number, "rb") as file:
        return os.fstat(number).st_mode, file.read(PASSWORD_BYTES_MAX + 1)


def development_key(name: str) -> LocalKey:
    """Give the publicly known key of a development name, with or without `//`. Raises Failure."""
    from offchain.keys import dev_key

    bare = name.removeprefix("//")
    if bare not in DEVELOPMENT_NAMES:
        raise Failure(
            f"{bare!r} is no development name: use one of {', '.join(DEVELOPMENT_NAMES)}; any "
            "other key comes through `paystream keys import NAME --from-stdin`",
            Exit.USAGE,
            "key-invalid",
        )
    return dev_key(bare)
