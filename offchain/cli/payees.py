"""Shares as people write them (`50%`, `33.3333%`), exactly: parts per million inside."""

from __future__ import annotations

import re
from typing import Final

from offchain.cli.exits import Exit
from offchain.cli.failure import Failure

PPM_OF_PERCENT: Final = 10_000
_SHARE: Final = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,4}))?\s*%")


def parse_payee(text: str) -> tuple[str, int]:
    """Read `ACCOUNT=SHARE%`; the share comes as parts per million. Raises Failure."""
    who, equals, share = text.rpartition("=")
    ppm = parse_share(share)
    if not equals or not who.strip() or ppm is None:
        raise Failure(
            f"--payee is {text!r}: write ACCOUNT=SHARE, such as //Alice=50% or ADDRESS=33.3333%",
            Exit.USAGE,
            "payee-invalid",
        )
    if not 0 < ppm <= 100 * PPM_OF_PERCENT:
        raise Failure(
            f"--payee is {text!r}: a share is above 0% and at most 100%",
            Exit.USAGE,
            "payee-invalid",
        )
    return who.strip(), ppm


def parse_share(text: str) -> int | None:
    """Read `33.3333%` as parts per million; None where it is no percentage."""
    found = _SHARE.fullmatch(text.strip())
    if found is None:
        return None
    return int(found[1]) * PPM_OF_PERCENT + int((found[2] or "").ljust(4, "0"))


def share_text(ppm: int) -> str:
    """Write parts per million as a percentage, exactly."""
    whole, rest = divmod(ppm, PPM_OF_PERCENT)
    digits = f"{rest:04d}".rstrip("0")
    return f"{whole}.{digits}%" if digits else f"{whole}%"
