"""What an account can pay: the arithmetic, held against a model of the chain's accounts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offchain.ledger.outlay import (
    Outlay,
    Reckoning,
    grant_deposit,
    least_deposit,
    reckon,
    shortfall,
    stream_deposit,
)
from offchain.ledger.types import Constants, Funds

FEE, ED, HELD = 1_000, 100, 700
USD = 1984


def reckoned(free: int, *, deposit: int = 0, **funds: int) -> Reckoning:
    return reckon(
        Outlay(deposit=deposit, storage_deposit=HELD, least=1),
        fee=FEE,
        existential_deposit=ED,
        native=Funds(free=free, **funds),
    )


def happens(funds: Funds, fee: int, deposit: int, held: int) -> bool:
    """Do it as the chain does, step by step: fee, polite transfer, hold."""
    kept = max(ED, funds.frozen - funds.held)
    free = funds.free - fee
    if free < kept:
        return False
    if deposit:
        free -= deposit
        if free < kept:
            return False
    return not held or free - held >= ED


amounts = st.one_of(st.integers(0, 5_000), st.integers(0, 2**128 - 1))


@given(
    funds=st.builds(Funds, free=amounts, held=amounts, frozen=amounts),
    deposit=amounts,
    held=st.integers(0, 5_000),
)
def test_what_is_payable_happens_and_one_less_does_not(
    funds: Funds, deposit: int, held: int
) -> None:
    outlay = Outlay(deposit=deposit, storage_deposit=held)
    reckoning = reckon(outlay, fee=FEE, existential_deposit=ED, native=funds)
    assert happens(funds, reckoning.fees, deposit, held) == reckoning.is_payable
    assert reckoning.short_by == max(0, reckoning.total - funds.free)
    exact = msgspec.structs.replace(funds, free=reckoning.total)
    assert happens(exact, reckoning.fees, deposit, held)
    less = msgspec.structs.replace(funds, free=reckoning.total - 1)
    assert not happens(less, reckoning.fees, deposit, held)
    most = reckoning.deposit_max
    if most:
        assert reckoning.with_deposit(most).is_payable
    assert not reckoning.with_deposit(most + 1).is_payable


@given(
    native=st.integers(0, 5_000),
    free=st.integers(0, 5_000),
    frozen=st.booleans(),
    deposit=st.integers(0, 5_000),
)
def test_another_asset_needs_both_moneys(
    native: int, free: int, frozen: bool, deposit: int
) -> None:
    reckoning = reckon(
        Outlay(asset=USD, deposit=deposit, storage_deposit=HELD),
        fee=FEE,
        existential_deposit=ED,
        native=Funds(free=native),
        asset=Funds(free=free, frozen=free if frozen else 0),
        asset_minimum=10,
    )
    assert reckoning.total == FEE + 2 + HELD + ED
    movable = 0 if frozen else max(0, free - 10)
    assert (reckoning.asset_short_by == 0) == (deposit <= movable)
    assert reckoning.is_payable == (native >= reckoning.total and deposit <= movable)
    assert reckoning.deposit_max == (movable if native >= reckoning.total else 0)


def test_a_fee_may_rise_by_a_five_hundredth_rounded_up() -> None:
    assert reckoned(0).fees == FEE + 2
    one = reckon(Outlay(), fee=1, tip=5, existential_deposit=ED, native=Funds(free=0))
    assert one.fees == 1 + 1 + 5


@pytest.mark.parametrize(
    ("funds", "frozen"),
    [
        ({"frozen": 5_000}, 5_000 - HELD - ED),
        ({"frozen": 5_000, "held": 4_500}, 0),  # what is held counts towards a freeze
        ({"frozen": HELD + ED}, 0),
    ],
)
def test_a_freeze_may_be_held_and_not_moved(funds: dict[str, int], frozen: int) -> None:
    assert reckoned(10_000, **funds).frozen == frozen


@pytest.mark.parametrize(
    ("free", "deposit", "words"),
    [
        (0, 50, "send the account 0.001852 UNIT first"),
        (1_900, 99, ": deposit at most 0.000098 UNIT, or send the account 0.000001 UNIT first"),
        (1_801, 0, "the fee of at most 0.001002 UNIT and 0.0001 UNIT that must stay"),
    ],
)
def test_the_remedy_is_named(free: int, deposit: int, words: str) -> None:
    def write(amount: int) -> str:
        return f"{amount / 10**6:.6f}".rstrip("0") + " UNIT"

    text = shortfall(reckoned(free, deposit=deposit), write, write)
    assert words in text
    assert "0.0007 UNIT that is held for storage" in text


def test_deposits_for_storage_and_for_vaults() -> None:
    constants: Any = dict.fromkeys(Constants.__struct_fields__, 0)
    constants |= {
        "grant_deposit_base": 5,
        "grant_deposit_per_session": 3,
        "stream_deposit_base": 7,
        "stream_deposit_per_payee": 2,
    }
    made = Constants(**constants)
    assert (grant_deposit(made, 1), grant_deposit(made, 4)) == (8, 17)
    assert (stream_deposit(made, 0), stream_deposit(made, 1), stream_deposit(made, 3)) == (9, 9, 13)
    assert [least_deposit(vault, 10) for vault in (0, 9, 10, 99)] == [10, 1, 1, 1]
