"""Whether a wallet has signed a text. There is no key here: only what anybody can check."""

from __future__ import annotations

from typing import Final

import ed25519_zebra  # type: ignore[import-untyped]
import sr25519

from streaming.community.refusal import Refused

SIGNATURE_CHARS_MAX: Final = 132
"""`0x`, and 65 bytes in hexadecimal: 64, or the scheme's number in front of them."""
_SCHEMES: Final = {0: "ed25519", 1: "sr25519"}


def check_signed(public: bytes, text: str, signature: object) -> bytes:
    """Give the 64 or 65 bytes of a signature by a key over a text, wrapped as wallets do or not.

    Raises `Refused`: 400 for what is no signature, 401 for one that is not by this key.
    """
    raw = _read(signature)
    schemes = list(_SCHEMES.values())
    tagged = len(raw) == 65
    if tagged:
        schemes = [_SCHEMES[raw[0]]] if raw[0] in _SCHEMES else []
    bare = raw[1:] if tagged else raw
    wrapped = b"<Bytes>" + text.encode() + b"</Bytes>"
    for message in (wrapped, text.encode()):
        for scheme in schemes:
            if _verifies(scheme, public, message, bare):
                return raw
    raise Refused(
        401,
        "signature-invalid",
        "the signature is not by this account over the text: choose that account in the wallet "
        "(of type sr25519 or ed25519) and sign the text as it is, with every line",
        field="signature",
    )


def _read(signature: object) -> bytes:
    if isinstance(signature, str) and len(signature) <= SIGNATURE_CHARS_MAX:
        try:
            raw = bytes.fromhex(signature.removeprefix("0x"))
        except ValueError:
            raw = b""
        if len(raw) in (64, 65):
            return raw
    raise Refused(
        400,
        "signature-invalid",
        "this is no signature: give the wallet's 64 or 65 bytes as 0x-hexadecimal",
        field="signature",
    )


def _verifies(scheme: str, public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        if scheme == "sr25519":
            return bool(sr25519.verify(signature, message, public))
        return bool(ed25519_zebra.ed_verify(signature, message, public))
    except Exception:  # the bindings raise kinds of their own for bytes that are no point
        return False
