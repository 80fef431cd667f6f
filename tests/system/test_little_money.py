"""Accounts with little money: following what is said succeeds to the unit, and no fee is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from offchain.amounts import format_amount
from offchain.cli.exits import Exit
from offchain.keys import LocalKey, dev_key, fresh_key
from offchain.ledger import Ledger, errors, open_ledger
from offchain.ledger.affordability import read_reckoning
from offchain.ledger.orders import delegate_key, sign_grant_proof
from offchain.ledger.outlay import Outlay, Reckoning, grant_deposit, stream_deposit
from tests.relayer.fake_chain import sign_text
from tests.system.node_process import REPOSITORY, NodeProcess
from tests.system.test_ledger_client import terms as grant_terms
from tests.system.test_relayer import Meter, RelayerProcess, message_of

pytestmark = pytest.mark.system

UNIT = 10**12
RATE = UNIT // 1000
USD = 1984


async def send(ledger: Ledger, to: str, amount: int, asset: int | None = None) -> None:
    """Let an account have so much more."""
    if asset is None:
        call = await ledger.compose(
            "Balances", "transfer_keep_alive", {"dest": to, "value": amount}
        )
    else:
        call = await ledger.compose(
            "Assets", "transfer", {"id": asset, "target": to, "amount": amount}
        )
    await ledger.submit_signed(call, dev_key("Alice"))


async def reckoned(ledger: Ledger, key: LocalKey, call: bytes, **outlay: Any) -> Reckoning:
    return await read_reckoning(ledger, key.address, call, Outlay(**outlay))


# --- what is reckoned is what the chain does ---------------------------------------------------


async def test_all_that_an_account_has_is_deposited_to_the_unit(node: NodeProcess) -> None:
    async with open_ledger(node.url) as ledger:
        key = fresh_key()
        await send(ledger, key.address, UNIT)
        deposit = ledger.calls.deposit
        most = (await reckoned(ledger, key, deposit(UNIT))).deposit_max
        assert 0 < most < UNIT - ledger.constants.existential_deposit
        reckoning = await reckoned(ledger, key, deposit(most), deposit=most)
        assert reckoning.is_payable
        # the fee as it is now, without what it may rise by: here is the chain's own limit
        limit = most + reckoning.fees - reckoning.fee
        with pytest.raises(errors.DispatchFailed, match="no fee was paid"):
            await ledger.submit_signed(deposit(limit + 1), key, try_first=True)
        assert await ledger.free_balance(key.address) == UNIT
        await ledger.submit_signed(deposit(most), key, try_first=True)
        assert await ledger.vault(key.address) == most
        left = await ledger.free_balance(key.address)
        assert left >= ledger.constants.existential_deposit


@pytest.mark.parametrize("what", ["stream", "grant"])
async def test_the_total_is_the_least_that_holds_a_storage_deposit(
    node: NodeProcess, what: str
) -> None:
    async with open_ledger(node.url) as ledger:
        key, calls = fresh_key(), ledger.calls
        held = stream_deposit(ledger.constants, 0)
        if what == "stream":
            call = calls.create_stream(rate_per_second=RATE)
        else:
            delegate = fresh_key()
            proof = sign_grant_proof(
                delegate, ledger.genesis_hash, ledger.pallet_index, key.address
            )
            call = calls.grant(
                delegate_key(delegate), proof, await grant_terms(ledger, sessions_max=2)
            )
            held = grant_deposit(ledger.constants, 2)
        first = await reckoned(ledger, key, call, storage_deposit=held)
        assert first.short_by == first.total > held
        limit = first.total - first.fees + first.fee
        await send(ledger, key.address, limit - 1)
        with pytest.raises(errors.DispatchFailed, match="no fee was paid"):
            await ledger.submit_signed(call, key, try_first=True)
        assert await ledger.free_balance(key.address) == limit - 1
        await send(ledger, key.address, 1 + first.fees - first.fee)
        assert (await reckoned(ledger, key, call, storage_deposit=held)).short_by == 0
        await ledger.submit_signed(call, key, try_first=True)
        assert (await ledger.funds(key.address)).held == held


async def test_another_asset_leaves_its_minimum_balance(node: NodeProcess) -> None:
    async with open_ledger(node.url) as ledger:
        key, minimum = fresh_key(), (await ledger.currency(USD)).minimum
        await send(ledger, key.address, UNIT)
        await send(ledger, key.address, 1_000_000, USD)
        call = ledger.calls.deposit(1, USD)
        reckoning = await reckoned(ledger, key, call, asset=USD)
        assert reckoning.deposit_max == 1_000_000 - minimum
        over = ledger.calls.deposit(reckoning.deposit_max + 1, USD)
        with pytest.raises(errors.DispatchFailed, match="no fee was paid"):
            await ledger.submit_signed(over, key, try_first=True)
        assert await ledger.free_balance(key.address) == UNIT
        await ledger.submit_signed(ledger.calls.deposit(reckoning.deposit_max, USD), key)
        assert await ledger.vault(key.address, asset=USD) == 1_000_000 - minimum
        assert await ledger.balance(key.address, asset=USD) == minimum


# --- through the relayer -------------------------------------------------------------------------


@asynccontextmanager
async def relaying(node: NodeProcess, path: Path) -> AsyncIterator[Meter]:
    relayer = RelayerProcess(node.url, path / "relay")
    await relayer.start()
    async with trio.open_nursery() as nursery:
        meter = Meter(relayer, nursery)
        nursery.start_soon(meter.run)
        await meter.until(lambda: meter.connected, 20)
        yield meter
        nursery.cancel_scope.cancel()
    relayer.end(signal.SIGTERM)


async def sign_in(meter: Meter, key: LocalKey) -> str:
    challenge = await meter.ask("challenge", account=key.address, purpose="watch")
    signature = sign_text(key, challenge["message"])
    answer = await meter.ask("token", challenge=challenge["challenge"], signature=signature)
    return str(answer["token"])


async def followed(meter: Meter, ledger: Ledger, key: LocalKey, token: str, terms: Any) -> Any:
    """Do what terms suggest, exactly; gives the submission's last status."""
    needs = terms["needs"]
    call = {
        "kind": "deposit_and_grant",
        **{name: needs[name] for name in (
            "deposit", "cap", "rate_max_per_second", "sessions_max", "gap_ms")},
        "expires_at_ms": await ledger.now_ms() + 3_600_000,
    }  # fmt: skip
    prepared = await meter.ask("wallet_prepare", token=token, call=call)
    signature = "0x01" + key.sign(message_of(prepared["payload"])).hex()
    await meter.ask("wallet_submit", submission=prepared["submission"], signature=signature)
    with trio.fail_after(40):
        while True:
            status = await meter.ask("wallet_status", submission=prepared["submission"])
            if status["status"] in {"finalized", "failed"}:
                return status
            await trio.sleep(0.2)


async def test_terms_are_followed_to_the_unit(node: NodeProcess, tmp_path: Path) -> None:
    async with open_ledger(node.url) as ledger, relaying(node, tmp_path) as meter:
        stream, _ = await ledger.create_stream(dev_key("Bob"), rate_per_second=RATE)
        key = fresh_key()
        token = await sign_in(meter, key)
        terms = await meter.ask("terms", token=token, stream=stream)
        assert (terms["has"], terms["short_by"]) == ("0", terms["needs"]["total"])
        # one unit less is refused before there is anything to sign
        await send(ledger, key.address, int(terms["short_by"]) - 1)
        terms = await meter.ask("terms", token=token, stream=stream)
        assert terms["short_by"] == "1"
        with pytest.raises(AssertionError, match="balance-too-low"):
            await followed(meter, ledger, key, token, terms)
        assert str(await ledger.free_balance(key.address)) == terms["has"]
        # to the unit, and the viewer can watch
        await send(ledger, key.address, 1)
        terms = await meter.ask("terms", token=token, stream=stream)
        assert (terms["short_by"], terms["has"]) == ("0", terms["needs"]["total"])
        status = await followed(meter, ledger, key, token, terms)
        assert status["status"] == "finalized", status
        terms = await meter.ask("terms", token=token, stream=stream)
        assert terms["payable"], terms["missing"]
        assert await ledger.vault(key.address) == int(terms["vault"]) >= RATE
        assert await ledger.free_balance(key.address) >= ledger.constants.existential_deposit


async def test_what_goes_away_before_the_signature_costs_no_fee(
    node: NodeProcess, tmp_path: Path
) -> None:
    async with open_ledger(node.url) as ledger, relaying(node, tmp_path) as meter:
        key = fresh_key()
        await send(ledger, key.address, UNIT)
        token = await sign_in(meter, key)
        call = {"kind": "deposit", "amount": str(UNIT * 9 // 10)}
        prepared = await meter.ask("wallet_prepare", token=token, call=call)
        signature = "0x01" + key.sign(message_of(prepared["payload"])).hex()
        await ledger.submit_signed(ledger.calls.deposit(UNIT // 2), key)
        before = await ledger.free_balance(key.address)
        await meter.ask("wallet_submit", submission=prepared["submission"], signature=signature)
        with trio.fail_after(20):
            while True:
                status = await meter.ask("wallet_status", submission=prepared["submission"])
                if status["status"] == "failed":
                    break
                await trio.sleep(0.1)
        assert "nothing was sent" in status["detail"]
        assert await ledger.free_balance(key.address) == before


# --- on the command line -------------------------------------------------------------------------


def paystream(node: NodeProcess, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "offchain.cli", *arguments, "--chain", node.url],
        cwd=REPOSITORY,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "PAYSTREAM_STATE_DIR": str(home),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


async def test_all_on_the_command_line(own_node: NodeProcess, tmp_path: Path) -> None:
    account, run = dev_key("Ferdie").address, ["vault", "deposit", "--key", "//Ferdie"]
    async with open_ledger(own_node.url) as ledger:
        had = await ledger.free_balance(account)
        dry = paystream(own_node, tmp_path, *run, "all", "--dry-run", "--json")
        assert dry.returncode == 0, dry.stderr
        most = int(json.loads(dry.stdout)["needs"]["deposit_max"])  # text from 2^53 on
        one_more = paystream(own_node, tmp_path, *run, format_amount(most + 1))
        assert one_more.returncode == Exit.REFUSED, one_more.stderr
        assert f"deposit at most {format_amount(most)}" in one_more.stderr
        assert await ledger.free_balance(account) == had
        told = paystream(own_node, tmp_path, *run, "all", "--json")
        assert told.returncode == 0, told.stderr
        assert int(json.loads(told.stdout)["vault_after"]) == most
        left = await ledger.free_balance(account)
        assert left >= ledger.constants.existential_deposit
        again = paystream(own_node, tmp_path, *run, "1 UNIT")
        assert again.returncode == Exit.REFUSED, again.stderr
        assert "send the account" in again.stderr
        assert await ledger.free_balance(account) == left
