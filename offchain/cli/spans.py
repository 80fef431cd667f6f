"""Lengths of time as people write them: `90s`, `15min`, `12h`, `30d`."""

from __future__ import annotations

import re
from typing import Final

from offchain.cli.exits import Exit
from offchain.cli.failure import Failure

_UNITS: Final = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}
_SPAN: Final = re.compile(r"\s*([0-9]{1,9})\s*(s|min|h|d)\s*")


def parse_span(text: str, what: str) -> int:
    """Give the seconds of `90s`, `15min`, `12h` or `30d`. Raises Failure that names `what`."""
    found = _SPAN.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise Failure(
            f"{what} is {text!r}: write a whole number above 0 and s, min, h or d, such as 30d",
            Exit.USAGE,
            "span-invalid",
        )
    return int(found[1]) * _UNITS[found[2]]
