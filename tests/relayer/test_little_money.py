"""Viewers with little money: whatever they have, following the terms never loses a fee."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from offchain.keys.signer import dev_key
from offchain.relayer.terms import suggested_deposit
from tests.relayer.fake_chain import BASE_MS, NATIVE, account
from tests.relayer.rig import RATE, Rig, rig

FEE, ED, GRANT, SESSION = 700, 500, 2_000, 1_300
FEES = FEE + 2
BESIDES = FEES + ED + GRANT + SESSION
LEAST = BESIDES + RATE
"""What lets a viewer without a vault watch: a second in the vault, and everything beside it."""
HOUR = BESIDES + 3_600 * RATE
USD = 1984


def costly(r: Rig, balance: int, *, vault: int = 0, asset: int | None = None) -> None:
    """Let Alice have exactly so much on a chain where everything costs something."""
    r.chain.charge(fee=FEE, existential_deposit=ED, grant=GRANT, session=SESSION, stream=900)
    r.chain.add_funds("Alice", vault, balance)
    if asset is not None:
        r.chain.add_funds("Alice", 0, 50 * RATE, asset)


def balance(r: Rig, asset: int | None = NATIVE) -> int:
    return r.chain.state.ledger.accounts.balance(account("Alice"), asset)


def grant_call(terms: dict[str, Any], **changes: Any) -> dict[str, Any]:
    needs = terms["needs"]
    names = ("deposit", "cap", "rate_max_per_second", "sessions_max", "gap_ms")
    suggested = {name: needs[name] for name in names}
    return {
        "kind": "deposit_and_grant", **suggested, "expires_at_ms": BASE_MS + 10**9,
        "asset": terms["asset"],
    } | changes  # fmt: skip


async def sign_and_send(r: Rig, prepared: dict[str, Any]) -> dict[str, Any]:
    number = prepared["submission"]
    payload = r.relayer.requests._wallet._submissions[number].payload
    signature = "0x" + dev_key("Alice").sign(payload.message).hex()
    await r.result("wallet_submit", submission=number, signature=signature)
    await trio.sleep(10)
    status: dict[str, Any] = await r.result("wallet_status", submission=number)
    return status


async def follow(r: Rig, token: str) -> dict[str, Any]:
    """Do what the terms suggest: the terms before it, and whether it was possible, are given."""
    terms: dict[str, Any] = await r.result("terms", token=token, stream=1)
    before, public = balance(r), set(terms["missing"]) - {"funds"}
    call = grant_call(terms) if public else {"kind": "deposit", "amount": terms["needs"]["deposit"]}
    response = await r.ask("wallet_prepare", token=token, call=call)
    lacks = (terms["short_by"], terms["asset_short_by"]) != ("0", "0")
    if lacks:
        assert response.problem is not None
        assert (response.problem.status, response.problem.code) == (422, "balance-too-low")
        assert balance(r) == before
    else:
        assert response.problem is None, response.problem
        status = await sign_and_send(r, response.result)
        assert status["status"] == "finalized", status
        assert (await r.result("terms", token=token, stream=1))["payable"]
    assert r.chain.fees_lost == 0
    return terms


# --- the terms ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("has", "short_by", "deposit"),
    [
        (0, LEAST, RATE),
        (ED, LEAST - ED, RATE),
        (LEAST - 1, 1, RATE),
        (LEAST, 0, RATE),
        (LEAST + 1, 0, RATE + 1),
        (HOUR - 1, 0, 3_600 * RATE - 1),
        (HOUR, 0, 3_600 * RATE),
        (10 * HOUR, 0, 3_600 * RATE),
    ],
)
async def test_terms_say_what_everything_takes_together(
    tmp_path: Path, autojump_clock: MockClock, has: int, short_by: int, deposit: int
) -> None:
    async with rig(tmp_path) as r:
        # a vault of one is dust: the stream's least is more than the existential deposit
        costly(r, has)
        terms = await follow(r, await r.token("Alice"))
        needs = terms["needs"]
        assert (terms["has"], terms["short_by"]) == (str(has), str(short_by))
        assert needs["deposit"] == str(deposit)
        assert needs["storage_deposit"] == str(GRANT + SESSION)
        assert (needs["fees"], needs["existential_deposit"]) == (str(FEES), str(ED))
        assert needs["total"] == str(BESIDES + deposit)
        assert needs["deposit_max"] == str(max(0, has - BESIDES))
        assert (terms["asset_has"], terms["asset_short_by"]) == ("0", "0")


@pytest.mark.parametrize(
    ("has", "short_by"), [(0, BESIDES), (BESIDES - 1, 1), (BESIDES, 0), (BESIDES + 1, 0)]
)
async def test_another_asset_still_needs_native_money(
    tmp_path: Path, autojump_clock: MockClock, has: int, short_by: int
) -> None:
    async with rig(tmp_path) as r:
        costly(r, has, asset=USD)
        r.chain.state.ledger.streams[1].asset = USD
        terms = await follow(r, await r.token("Alice"))
        assert (terms["asset"], terms["short_by"]) == ("1984", str(short_by))
        assert terms["asset_has"] == str(50 * RATE)
        if not short_by:
            assert terms["needs"]["deposit"] == terms["needs"]["deposit_max"] == str(50 * RATE - 1)


async def test_what_is_there_needs_nothing_to_be_signed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        r.chain.charge(fee=FEE, existential_deposit=ED, grant=GRANT)
        token = await r.ready_viewer(vault=100 * RATE)
        r.chain.add_funds("Alice", 100 * RATE, ED)
        terms = await r.result("terms", token=token, stream=1)
        assert terms["payable"]
        assert (terms["needs"]["deposit"], terms["needs"]["total"]) == ("0", "0")
        assert terms["short_by"] == "0"


async def test_402_says_that_the_account_cannot_pay(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        costly(r, LEAST - 1)
        token = await r.token("Alice")
        refused = (await r.ask("admit", token=token, stream=1)).problem
        assert refused is not None
        assert refused.terms is not None
        assert refused.terms["short_by"] == "1"
        assert "send it first" in refused.detail


def test_a_suggestion_is_what_can_be_paid_or_the_least() -> None:
    assert suggested_deposit(100, 10, 5, deposit_max=100) == 100
    assert suggested_deposit(100, 10, 5, deposit_max=99) == 99
    assert suggested_deposit(100, 10, 5, deposit_max=10) == 10
    assert suggested_deposit(100, 10, 5, deposit_max=9) == 10  # which it is then short of
    assert suggested_deposit(100, 0, 5, deposit_max=4) == 0  # no deposit is needed


# --- what a wallet is asked to sign ------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "amount", "code", "words"),
    [
        ("deposit", 0, "deposit-too-low", "deposit at least"),
        ("deposit", ED - 1, "deposit-too-low", "deposit at least"),
        ("deposit", 9_000 - FEES - ED + 1, "balance-too-low", "deposit at most"),
        ("deposit", 2**128 - 1, "balance-too-low", "deposit at most"),
        ("withdraw", 0, "amount-zero", "more than nothing"),
        ("withdraw", 601, "vault-too-low", "withdraw less"),
        ("withdraw", 101, "vault-dust", "all of it"),
    ],
)
async def test_what_cannot_succeed_is_not_handed_out(
    tmp_path: Path, autojump_clock: MockClock, *, kind: str, amount: int, code: str, words: str
) -> None:
    async with rig(tmp_path) as r:
        costly(r, 9_000, vault=0 if kind == "deposit" else 600)
        call = {"kind": kind, "amount": str(amount)}
        refused = (await r.ask("wallet_prepare", account=account("Alice"), call=call)).problem
        assert refused is not None
        assert (refused.code, refused.field) == (code, "amount")
        assert refused.status in {400, 422}
        assert refused.detail.startswith("amount ")
        assert words in refused.detail
        assert (refused.terms is not None) == (code == "balance-too-low")


@pytest.mark.parametrize("amount", [ED, ED + 1, 9_000 - FEES - ED])
async def test_the_least_and_all_are_deposited(
    tmp_path: Path, autojump_clock: MockClock, amount: int
) -> None:
    async with rig(tmp_path) as r:
        costly(r, 9_000)
        call = {"kind": "deposit", "amount": str(amount)}
        prepared = await r.result("wallet_prepare", account=account("Alice"), call=call)
        assert (await sign_and_send(r, prepared))["status"] == "finalized"
        assert balance(r) == 9_000 - FEE - amount


@pytest.mark.parametrize("less", [0, 1])
async def test_a_stream_is_created_to_the_unit(
    tmp_path: Path, autojump_clock: MockClock, less: int
) -> None:
    async with rig(tmp_path) as r:
        costly(r, FEES + ED + 900 - less)
        call = {"kind": "create_stream", "rate_per_second": "5"}
        response = await r.ask("wallet_prepare", account=account("Alice"), call=call)
        if not less:
            assert (await sign_and_send(r, response.result))["result"] == {"stream": 0}
            return
        assert response.problem is not None
        assert response.problem.field == "account"
        assert response.problem.terms is not None
        assert response.problem.terms["needs"]["storage_deposit"] == "900"


@pytest.mark.parametrize("name", ["cap", "rate_max_per_second"])
async def test_a_grant_of_nothing_is_refused(
    tmp_path: Path, autojump_clock: MockClock, name: str
) -> None:
    async with rig(tmp_path) as r:
        costly(r, HOUR)
        token = await r.token("Alice")
        terms = await r.result("terms", token=token, stream=1)
        call = grant_call(terms, **{name: "0"})
        refused = (await r.ask("wallet_prepare", token=token, call=call)).problem
        assert refused is not None
        assert (refused.code, refused.field) == ("amount-zero", name)


async def test_a_grant_without_a_deposit_is_a_grant_alone(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        costly(r, BESIDES, vault=5_000 * RATE)
        token = await r.token("Alice")
        terms = await follow(r, token)
        assert terms["missing"] == ["grant"]
        assert (terms["needs"]["deposit"], terms["short_by"]) == ("0", "0")
        assert len(r.chain.state.grants) == 1


async def test_money_that_has_gone_before_the_signature_comes(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        costly(r, HOUR)
        token = await r.token("Alice")
        terms = await r.result("terms", token=token, stream=1)
        prepared = await r.result("wallet_prepare", token=token, call=grant_call(terms))
        r.chain.add_funds("Alice", 0, HOUR - 1)
        status = await sign_and_send(r, prepared)
        assert status["status"] == "failed"
        assert "nothing was sent" in status["detail"]
        assert balance(r) == HOUR - 1
        assert r.chain.fees_lost == 0


# --- whatever there is ---------------------------------------------------------------------------


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    has=st.one_of(
        st.integers(0, 2 * LEAST),
        st.integers(LEAST - 3, LEAST + 3),
        st.integers(HOUR - 3, HOUR + 3),
        st.integers(0, 2 * HOUR),
    ),
    vault=st.one_of(st.just(0), st.integers(ED, RATE + 2), st.integers(ED, 4_000 * RATE)),
    fee=st.integers(0, 3 * FEE),
    funds_min=st.one_of(st.just(0), st.integers(0, 100 * RATE)),
    is_granted=st.booleans(),
)
def test_following_the_terms_never_loses_a_fee(
    has: int, vault: int, fee: int, funds_min: int, is_granted: bool
) -> None:
    async def example(path: Path) -> None:
        async with rig(path) as r:
            token = await (r.ready_viewer() if is_granted else r.token("Alice"))
            costly(r, has, vault=vault)
            r.chain.fee_charged = fee
            r.chain.state.ledger.streams[1].funds_min = funds_min
            terms = await r.result("terms", token=token, stream=1)
            if not terms["payable"]:
                await follow(r, token)

    with tempfile.TemporaryDirectory() as directory:
        trio.run(example, Path(directory), clock=MockClock(autojump_threshold=0))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    has=st.integers(0, 2 * LEAST),
    vault=st.one_of(st.just(0), st.integers(ED, 2 * RATE)),
    deposit=st.integers(0, 2 * LEAST),
    over=st.one_of(st.none(), st.integers(-2, 2)),
    is_granting=st.booleans(),
)
def test_whatever_is_asked_for_either_succeeds_or_is_not_signed(
    has: int, vault: int, deposit: int, over: int | None, is_granting: bool
) -> None:
    async def example(path: Path) -> None:
        async with rig(path) as r:
            costly(r, has, vault=vault)
            token = await r.token("Alice")
            beside = BESIDES if is_granting else FEES + ED
            amount = deposit if over is None else max(0, has - beside + over)
            call: dict[str, Any] = {"kind": "deposit", "amount": str(amount)}
            if is_granting:
                terms = await r.result("terms", token=token, stream=1)
                call = grant_call(terms, deposit=str(amount))
            response = await r.ask("wallet_prepare", token=token, call=call)
            can = has >= beside + amount
            if amount or not is_granting:
                can = can and amount >= max(1, ED - vault)
            assert (response.problem is None) == can
            if can:
                assert (await sign_and_send(r, response.result))["status"] == "finalized"
            assert r.chain.fees_lost == 0

    with tempfile.TemporaryDirectory() as directory:
        trio.run(example, Path(directory), clock=MockClock(autojump_threshold=0))
