"""Amounts: what people write is exact, and what cannot be read is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offchain.amounts import (
    AMOUNT_MAX,
    AmountInvalid,
    asset_name,
    format_amount,
    format_duration,
    parse_amount,
    symbol_of_unnamed,
)

UNIT = 10**12


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1.5 UNIT", 3 * UNIT // 2),
        ("1.5UNIT", 3 * UNIT // 2),
        ("0", 0),
        (" 7 ", 7 * UNIT),
        ("0.000000000001 UNIT", 1),
        ("0.1", UNIT // 10),
        ("1.5000000000000000000", 3 * UNIT // 2),
        ("000012", 12 * UNIT),
    ],
)
def test_amounts_are_read_exactly(text: str, amount: int) -> None:
    assert parse_amount(text, "UNIT", 12) == amount


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no amount"),
        ("-1", "is no amount"),
        ("1e3", "has an exponent: write all its digits, '1000 UNIT'"),
        ("1E18", "'1000000000000000000 UNIT'"),
        ("1.25e1 UNIT", "'12.5 UNIT'"),
        ("1e-7", "'0.0000001 UNIT'"),
        ("0.5e+2", "'50 UNIT'"),
        ("12.5e-1", "'1.25 UNIT'"),
        ("1,5", "such as '1.5 UNIT'"),
        ("1,5 UNIT", "such as '1.5 UNIT'"),
        ("1_000", "no sign, comma or other mark"),
        ("1,000,000", "is no amount"),
        ("+1", "is no amount"),
        ("0x10", "is no amount"),
        ("１", "is no amount"),
        ("9" * 500 + "-", "is no amount"),
        ("1.5 DOT", "is in DOT: this asset is called UNIT"),
        ("0.0000000000001", "more than 12 digits"),
        ("9" * 60, "more than the ledger can hold"),
        (str(2**128), "more than the ledger can hold"),
        (".5", "is no amount"),
        ("1.", "is no amount"),
        ("١", "is no amount"),
    ],
)
def test_what_is_no_amount_is_named(text: str, says: str) -> None:
    with pytest.raises(AmountInvalid, match=says):
        parse_amount(text, "UNIT", 12)


def test_an_asset_may_be_called_like_an_exponent() -> None:
    assert parse_amount("1e3", "e3", 2) == 100


@given(st.integers(0, AMOUNT_MAX), st.integers(0, 18))
def test_what_is_written_is_read_back(amount: int, decimals: int) -> None:
    assert parse_amount(format_amount(amount, "DOT", decimals), "DOT", decimals) == amount


def test_amounts_are_written_without_zeros() -> None:
    assert format_amount(3 * UNIT // 2) == "1.5 UNIT"
    assert format_amount(0) == "0 UNIT"
    assert format_amount(-UNIT) == "-1 UNIT"
    assert format_amount(7, "PLANCK", 0) == "7 PLANCK"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (42, "42 s"),
        (185, "3 min 5 s"),
        (180, "3 min"),
        (7_800, "2 h 10 min"),
        (3_605, "1 h"),
        (9 * 86_400, "9 d"),
        (-42, "-42 s"),
    ],
)
def test_lengths_of_time_have_two_parts(seconds: int, text: str) -> None:
    assert format_duration(seconds) == text


def test_assets_are_named_in_one_way() -> None:
    assert (asset_name(None), asset_name(0), asset_name(1984)) == ("native", "0", "1984")
    assert symbol_of_unnamed(1984) == "ASSET1984"
