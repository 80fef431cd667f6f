"""What the demo reads from finalized blocks, and the report that it makes of it."""

from __future__ import annotations

import io
from typing import Any, cast

import pytest
from rich.console import Console

from main_job import report
from main_job.chain_facts import ChainFacts
from main_job.options import PathOptions
from offchain.ledger.client import Ledger
from offchain.ledger.types import DelegateKey, Event, Grant, Head, Stream

RATE = 10**9
VIEWER = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"
PAYEE = "5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy"
DELEGATE = bytes(range(32))


class FakeLedger:
    """A chain of recorded events; block n has hash `0xn` and leaves `vaults[n]` in the vault."""

    genesis_hash = "0x" + "11" * 32

    def __init__(self, blocks: dict[int, list[tuple[str, dict[str, Any]]]]) -> None:
        self.blocks = blocks
        self.vaults = {2: 10**12, 9: 10**12 - 11 * RATE}
        self.received = 11 * RATE

    async def events(self, block_hash: str) -> tuple[Event, ...]:
        return tuple(
            Event(pallet="PayStream", name=name, fields=fields, extrinsic_index=1)
            for name, fields in self.blocks.get(int(block_hash, 16), [])
        )

    async def grant(self, grant: int, *, at: str | None = None) -> Grant:
        return Grant(
            viewer=VIEWER,
            key=DelegateKey(scheme="sr25519", public=DELEGATE),
            asset=None,
            rate_max_per_second=RATE,
            cap=10**12,
            cap_left=0,
            spent=0,
            tips_left=0,
            renewals_left=0,
            gap_ms=120_000,
            created_at=0,
            expires_at=0,
            sessions_max=1,
            open=(),
            next_index=1,
            opened_at=0,
            freed_end_at=0,
            seconds=0,
            ended_at=0,
            deposit=0,
        )

    async def stream(self, stream: int, *, at: str | None = None) -> Stream:
        return Stream(
            owner=PAYEE,
            asset=None,
            rate_per_second=RATE,
            changed_at=0,
            payees=(),
            funds_min=0,
            gap_min_ms=0,
            status="Active",
            stops=(),
            earned=0,
            earned_total=11 * RATE,
            seconds=11,
            sessions_open=0,
            deposit=0,
        )

    async def vault(self, account: str, *, asset: None = None, at: str) -> int:
        return self.vaults[int(at, 16)]

    async def balance(self, account: str, *, asset: int | None, at: str) -> int:
        return 10**12 + self.received


def session(**fields: Any) -> dict[str, Any]:
    return {"grant": 4, "index": 0, "stream": 7, **fields}


CHAIN: dict[int, list[tuple[str, dict[str, Any]]]] = {
    3: [
        ("SessionOpened", session(viewer=VIEWER, rate_per_second=RATE, funds=10**11, started_at=1)),
        ("SessionOpened", session(viewer="other", rate_per_second=1) | {"stream": 8}),
    ],
    6: [("Ticked", session(seconds=6, charged_seconds=6, amount=6 * RATE))],
    8: [
        ("Ticked", session(seconds=11, charged_seconds=5, amount=5 * RATE)),
        ("SessionClosed", session(seconds=11, paid=11 * RATE, refunded=89 * RATE, reason="Order")),
    ],
    9: [("Claimed", {"stream": 7, "payee": PAYEE, "amount": 11 * RATE, "credited": False})],
}


async def read(chain: dict[int, list[tuple[str, dict[str, Any]]]]) -> tuple[ChainFacts, Ledger]:
    ledger = cast(Ledger, FakeLedger(chain))
    facts = ChainFacts(7)
    for number in range(1, 10):
        head = Head(number=number, hash=hex(number), parent_hash=hex(number - 1))
        await facts.read(ledger, head)
    return facts, ledger


async def reported(
    facts: ChainFacts, ledger: Ledger, path: PathOptions | None = None
) -> tuple[dict[str, Any], report.Findings]:
    return await report.build(
        ledger,
        facts,
        [
            report.ViewerAccount(
                account=VIEWER, watched_ms=11_900, freezes_ms=450, frames_decoded=350
            )
        ],
        delivered_ms={(4, 0): 11_300},
        payees_before={PAYEE: 10**12},
        relayer_restarts=0,
        path=path,
    )


async def test_a_session_is_read_from_its_events() -> None:
    facts, _ = await read(CHAIN)
    assert list(facts.sessions) == [(4, 0)], "other streams' sessions are not ours"
    found = facts.sessions[4, 0]
    assert (found.opened_block, found.last_tick_block, found.closed_block) == (3, 8, 8)
    assert (found.charged_seconds, found.charged) == (11, 11 * RATE)
    assert (found.close_reason, facts.first_tick_blocks) == ("Order", {(4, 0): 6})
    assert (facts.history.claimed_total, facts.claim_block, facts.finalized) == (11 * RATE, 9, 9)


async def test_the_report_has_the_documented_shape_and_agrees() -> None:
    facts, ledger = await read(CHAIN)
    result, findings = await reported(facts, ledger)
    assert report.disagreements(result, findings, None) == []
    assert set(result) | {"reconciled"} == {
        "genesis_hash",
        "stream",
        "viewers",
        "payees",
        "claim_block",
        "finalized_block",
        "relayer_restarts",
        "path",
        "reconciled",
    }
    assert result["path"] is None
    assert result["stream"] == {
        "id": 7,
        "rate_per_second": RATE,
        "earned": 11 * RATE,
        "claimed": 11 * RATE,
        "treasury": 0,
        "unclaimed": 0,
    }
    assert result["viewers"] == [
        {
            "account": VIEWER,
            "delegate": "0x" + DELEGATE.hex(),
            "session": "4-0",
            "watched_ms": 11_900,
            "freezes_ms": 450,
            "frames_decoded": 350,
            "delivered_ms": 11_300,
            "ticks": 2,
            "paid_seconds": 11,
            "rate_per_second": RATE,
            "paid": 11 * RATE,
            "fees": 0,
            "vault_before": 10**12,
            "vault_after": 10**12 - 11 * RATE,
            "close_reason": "Order",
            "blocks": {"opened": 3, "last_tick": 8, "closed": 8},
        }
    ]


async def test_freezes_and_the_path_are_told() -> None:
    path = PathOptions(
        loss=2.0, delay_ms=40.0, jitter_ms=20.0, rate_kbps=3000.0, loss_in=0.5, seed=7
    )
    result, _ = await reported(*await read(CHAIN), path)
    assert result["path"] == {
        "loss": 2,
        "delay_ms": 40,
        "jitter_ms": 20,
        "rate_kbps": 3000,
        "loss_in": 0.5,
        "seed": 7,
    }
    assert "pictures stood still for 0.45 s" in drawn(result)
    said = "path, each way: 2 % lost, 40 ms, jitter 20 ms, 3000 kbit/s, 0.5 % lost on the way in"
    assert said in drawn(result)
    assert "(seed 7)" in drawn(result)
    result["viewers"] *= 3
    assert "stood still for 1.35 s in all, at most 0.45 s for one viewer" in drawn(result)
    result["path"] = None
    assert "path" not in drawn(result)


def drawn(result: dict[str, Any]) -> str:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(report.table(result, [], "UNIT", 12))
    return " ".join(console.export_text().split())


async def test_an_operators_prices_and_share_agree_and_are_told() -> None:
    fee, share = 7, RATE
    chain = {number: [(name, {**fields}) for name, fields in CHAIN[number]] for number in CHAIN}
    for number in (6, 8):
        chain[number][0][1]["fee"] = fee
    chain[8][1][1].update(paid=11 * RATE + 2 * fee, refunded=89 * RATE - 2 * fee)
    chain[9][0][1]["amount"] -= share
    chain[9].append(("TreasuryPaid", {"stream": 7, "amount": share + 2 * fee}))
    facts, ledger = await read(chain)
    fake = cast(FakeLedger, ledger)
    fake.vaults[9] -= 2 * fee
    fake.received -= share
    result, findings = await reported(facts, ledger)
    assert (result["viewers"][0]["paid"], result["viewers"][0]["fees"]) == (11 * RATE, 2 * fee)
    assert result["stream"]["treasury"] == share + 2 * fee
    assert report.disagreements(result, findings, None) == []
    console = Console(width=80, record=True, quiet=False)
    console.print(report.table(result, [], "UNIT", 12))
    text = " ".join(console.export_text().split())
    assert "operator's tick prices 0.000000000014" in text
    assert "received by the operator 0.001000000014" in text
    assert "0.011000000014 UNIT from vaults to payees and the operator" in text


async def test_a_close_that_contradicts_its_ticks_is_a_disagreement() -> None:
    lying = {**CHAIN, 8: [(name, {**fields}) for name, fields in CHAIN[8]]}
    lying[8][1][1]["paid"] = 12 * RATE
    facts, ledger = await read(lying)
    problems = report.disagreements(*await reported(facts, ledger), None)
    assert any("closed as paid" in problem for problem in problems)


@pytest.mark.parametrize(("killed_at", "said"), [(5, "before"), (6, None), (7, None), (8, "after")])
async def test_a_killed_relayer_ticks_before_and_after(killed_at: int, said: str | None) -> None:
    facts, ledger = await read(CHAIN)
    problems = report.disagreements(*await reported(facts, ledger), killed_at)
    assert problems == [] if said is None else any(f"no tick {said}" in each for each in problems)


async def test_a_viewer_without_a_session_cannot_be_reported() -> None:
    facts, ledger = await read({})
    with pytest.raises(report.ReportFailed, match=VIEWER):
        await reported(facts, ledger)


async def test_the_table_fits_eighty_columns_and_names_every_problem() -> None:
    facts, ledger = await read(CHAIN)
    result, _ = await reported(facts, ledger)
    console = Console(width=80, record=True, quiet=False)
    console.print(report.table(result, ["the first", "the second"], "UNIT", 12))
    text = console.export_text()
    assert "NOT RECONCILED" in text
    assert "the first" in text
    assert "the second" in text
    assert "…  " not in text.replace(f"{PAYEE[:8]}…", "")
