"""Amounts, assets and lengths of time as people write them, exactly.

An amount inside the program is an `int` in the asset's smallest unit. Floats never take part.
"""

from __future__ import annotations

import re
from typing import Final

NATIVE_NAME: Final = "native"
"""What the chain's own token is called where an asset is named, whatever its symbol."""
AMOUNT_MAX: Final = 2**128 - 1
"""The ledger's balance type holds no more."""

_EXPONENT: Final = re.compile(
    r"\s*([0-9]{1,40})(?:\.([0-9]{1,40}))?[eE]([+-]?[0-9]{1,2})\s*([A-Za-z][A-Za-z0-9]*)?\s*"
)
_COMMA: Final = re.compile(r"\s*([0-9]+),([0-9]+)\s*([A-Za-z][A-Za-z0-9]*)?\s*")
_AMOUNT: Final = re.compile(r"\s*([0-9]+)(?:\.([0-9]+))?\s*([A-Za-z][A-Za-z0-9]*)?\s*")


def asset_name(asset: int | None) -> str:
    """Name an asset in JSON, in options and in settings: `native`, or its number as text."""
    return NATIVE_NAME if asset is None else str(asset)


def symbol_of_unnamed(asset: int) -> str:
    """Give what stands for the symbol of an asset that has none: `ASSET1984`."""
    return f"ASSET{asset}"


class AmountInvalid(ValueError):
    """An amount cannot be read. The message names what is wrong with it."""


def parse_amount(text: str, symbol: str, decimals: int) -> int:
    """Give an amount's smallest units: `1.5 UNIT`, `1.5` and `0.000001 UNIT` are whole units.

    A bare whole number is in units too, never in the smallest ones. `symbol` and `decimals` are
    the asset's. Raises AmountInvalid where the text is no amount, names another asset, has more
    digits than the asset, or is above what the ledger can hold.
    """
    found = None if text.strip().lower().startswith("0x") else _AMOUNT.fullmatch(text)
    exponent = _EXPONENT.fullmatch(text)
    if exponent is not None and (found is None or found[3] != symbol):
        raise AmountInvalid(
            f"{text!r} has an exponent: write all its digits, "
            f"'{_without_exponent(exponent)} {symbol}'"
        )
    if found is None:
        comma = _COMMA.fullmatch(text)
        hint = f"{comma[1]}.{comma[2]}" if comma is not None else "1.5"
        raise AmountInvalid(
            f"{text[:60]!r} is no amount: write digits with at most one point between them, no "
            f"sign, comma or other mark, such as '{hint} {symbol}'"
        )
    whole, fraction, unit = found.group(1), found.group(2) or "", found.group(3)
    if unit is not None and unit != symbol:
        raise AmountInvalid(f"{text!r} is in {unit}: this asset is called {symbol}")
    if len(fraction.rstrip("0")) > decimals:
        raise AmountInvalid(
            f"{text!r} has more than {decimals} digits after the point: {symbol} has no smaller "
            "part"
        )
    if len(whole.lstrip("0")) > 40:
        raise AmountInvalid(f"{text[:20]!r}... is more than the ledger can hold")
    amount: int = int(whole) * 10**decimals + int(fraction[:decimals].ljust(decimals, "0") or "0")
    if amount > AMOUNT_MAX:
        raise AmountInvalid(f"{text!r} is more than the ledger can hold")
    return amount


def _without_exponent(found: re.Match[str]) -> str:
    """Write a number with an exponent as the same number without one."""
    whole, fraction, power = found[1], found[2] or "", int(found[3])
    digits, point = whole + fraction, len(whole) + power
    if point <= 0:
        digits, point = "0" * (1 - point) + digits, 1
    digits = digits.ljust(point, "0")
    before, after = digits[:point].lstrip("0") or "0", digits[point:].rstrip("0")
    return f"{before}.{after}" if after else before


def format_amount(amount: int, symbol: str = "UNIT", decimals: int = 12) -> str:
    """Write an amount with its symbol, exactly and without trailing zeros: `1.5 UNIT`.

    Differences may be negative. `parse_amount` reads what this writes.
    """
    sign = "-" if amount < 0 else ""
    whole, fraction = divmod(abs(amount), 10**decimals)
    digits = f"{fraction:0{decimals}d}".rstrip("0") if fraction else ""
    return f"{sign}{whole}{'.' + digits if digits else ''} {symbol}"


def format_duration(seconds: int) -> str:
    """Write a length of time in its two largest parts: `42 s`, `3 min 5 s`, `2 h 10 min`, `9 d`."""
    sign = "-" if seconds < 0 else ""
    left = abs(int(seconds))
    parts: list[str] = []
    for name, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count} {name}")
        elif parts:
            break
    return sign + " ".join(parts[:2]) if parts else "0 s"
