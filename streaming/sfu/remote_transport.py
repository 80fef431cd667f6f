"""The other side's transport as an offer describes it: ICE, DTLS. Pure.

All sections share one transport, so each of its attributes is said once for all: in the section
that the bundle is tagged with, for the whole session, or in another section.

Sources: RFC 8839 and 8840 (ICE in SDP), RFC 8842 (DTLS), RFC 8122 (fingerprints), RFC 4145
(setup), RFC 8843 and 8859 (which attributes a bundle shares).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from streaming.sfu import sdp
from streaming.sfu.media_engine import MediaError
from streaming.sfu.sdp import Attributes, Line, unreadable

_DIGEST_BYTES: Final = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_DIGEST: Final = re.compile("[0-9A-F]{2}(?::[0-9A-F]{2}){0,63}")
_ICE_CHARS: Final = re.compile("[A-Za-z0-9+/_=-]+")


@dataclass(frozen=True)
class Transport:
    """The other side of the one transport that all sections share."""

    ufrag: str
    password: str
    fingerprints: tuple[tuple[str, str], ...]
    """Hash function and value; all have to match the certificate."""
    setup: str
    """Our DTLS role: `passive` (server) unless the offer is passive itself."""


def judge(scopes: Sequence[Attributes], tagged: Line) -> Transport:
    """The transport that attributes describe, the nearest scope first.

    `tagged` is the media line to name where something is missing. Raises `MediaError` (400, 422).
    """
    for attributes in scopes:
        for line in attributes.get("ice-lite", ()):
            raise MediaError(
                422,
                "ice-lite",
                f"{line}: this server sends nothing to addresses that it has not heard from; use "
                "full ICE",
            )
    ufrag, password = _credentials(scopes, tagged)
    return Transport(ufrag, password, _fingerprints(scopes, tagged), _setup(scopes))


def _credentials(scopes: Sequence[Attributes], tagged: Line) -> tuple[str, str]:
    for attributes in scopes:
        ufrag, password = sdp.one(attributes, "ice-ufrag"), sdp.one(attributes, "ice-pwd")
        if ufrag is None and password is None:
            continue
        if ufrag is None or password is None:
            there, missing = (ufrag, "pwd") if ufrag is not None else (password, "ufrag")
            raise unreadable(f"{there} has no a=ice-{missing} beside it; send both")
        for line, least in ((ufrag, 4), (password, 22)):
            if not (least <= len(line.value) <= 256 and _ICE_CHARS.fullmatch(line.value)):
                raise unreadable(
                    f"{line} is not {least} to 256 letters, digits, + or / (RFC 8839, 5.4)"
                )
        return ufrag.value, password.value
    raise unreadable(
        f"{tagged} has no a=ice-ufrag and a=ice-pwd; send the offer exactly as the peer "
        "connection made it"
    )


def _fingerprints(scopes: Sequence[Attributes], tagged: Line) -> tuple[tuple[str, str], ...]:
    unusable: Line | None = None
    for attributes in scopes:
        found: dict[str, str] = {}
        for line in attributes.get("fingerprint", ()):
            name, _, value = line.value.partition(" ")
            name, value = name.lower(), value.strip().upper()
            if name not in _DIGEST_BYTES:
                unusable = unusable or line
                continue
            if len(value) != 3 * _DIGEST_BYTES[name] - 1 or not _DIGEST.fullmatch(value):
                raise unreadable(
                    f"{line} is no {name} of a certificate; write it as hex with colons"
                )
            if found.setdefault(name, value) != value:
                raise unreadable(f"{line} is a second {name}; send that of one certificate")
        if found:
            return tuple(found.items())
    if unusable is not None:
        raise MediaError(
            422,
            "fingerprint-unusable",
            f"{unusable} is of no use; add the certificate's sha-256",
        )
    raise MediaError(
        400,
        "fingerprint-missing",
        f"{tagged} has no a=fingerprint; media is only taken over DTLS, so add the sha-256 "
        "of the certificate",
    )


def _setup(scopes: Sequence[Attributes]) -> str:
    """Our role. Passive where we may choose: the server's order of SRTP profiles then counts."""
    for attributes in scopes:
        line = sdp.one(attributes, "setup")
        if line is None:
            continue
        if line.value == "holdconn":
            raise MediaError(
                422,
                "setup-unusable",
                f"{line} asks for no connection; offer a=setup:actpass",
            )
        if line.value not in ("actpass", "active", "passive"):
            raise unreadable(f"{line} is no role; offer a=setup:actpass")
        return "active" if line.value == "passive" else "passive"
    return "passive"
