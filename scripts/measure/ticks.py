"""Ticks a second through the relayer's own submit path, beside substrate-interface's.

The relayer's path signs, journals twice (durably) and waits until the pool has each tick; the
rival composes, signs and submits one signed remark after the other, as its documentation shows.
Both speak to the same node in the same run.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import trio
from substrateinterface import Keypair, SubstrateInterface

from main_job.stage import Stage
from measure.figures import Figure
from measure.staged import RATE, on_stage
from offchain.journal import open_journal
from offchain.journal.records import SessionRecord
from offchain.keys import LocalKey, Signer, fresh_key
from offchain.ledger.errors import LedgerError
from offchain.ledger.orders import Order, Tick, delegate_key, sign_grant_proof
from offchain.ledger.types import Terms
from offchain.relayer.core import Core
from offchain.relayer.keyring import MemoryKeyring
from offchain.relayer.live_session import LiveSession
from offchain.relayer.submit import Submitter, open_order

UNIT: Final = 10**12
GRANTS_PER_BATCH: Final = 25
GRANT_DAY_MS: Final = 86_400_000
TICK_SECONDS: Final = 5
BLOCKS_SECONDS_MAX: Final = 120.0
RIVAL_SHARE: Final = 4
"""The rival submits a quarter as many, since each takes it so much longer."""


class Keys(MemoryKeyring):
    """Delegate keys in memory, as the relayer's keyring gives them once they are open."""

    def __init__(self) -> None:
        super().__init__()
        self.by_name: dict[str, LocalKey] = {}

    async def open(self, name: str) -> Signer:
        """Give a key."""
        return self.by_name[name]


@dataclass(frozen=True, kw_only=True)
class _Rate:
    """How fast orders were accepted, and were in blocks."""

    accepted_per_s: float
    included_per_s: float


def measure(sessions: int) -> Sequence[Figure]:
    """Open so many sessions and let all of them tick at once."""
    opens, ticks, rival = on_stage(lambda stage: _play(stage, sessions), viewers=1, publish=False)
    note = f"{sessions} orders at once, signed and journaled"
    return [
        Figure(
            name="ticks accepted by the node",
            value=ticks.accepted_per_s,
            unit="/s",
            rival="substrate-interface, signed remarks",
            rival_value=rival,
            note=note,
        ),
        Figure(
            name="ticks in blocks",
            value=ticks.included_per_s,
            unit="/s",
            note="until the last one's block; one node beside it, 2 s blocks",
        ),
        Figure(name="opens accepted by the node", value=opens.accepted_per_s, unit="/s", note=note),
    ]


async def _play(stage: Stage, count: int) -> tuple[_Rate, _Rate, float]:
    keys = Keys()
    granted = await _grants(stage, keys, count)
    path = stage.dirs.root / "bench" / "journal.sqlite"
    path.parent.mkdir()
    async with open_journal(path) as journal:
        core = Core(stage.ledger, journal, keys, lambda: int(time.time() * 1000))
        submitter = Submitter(core)
        now_ms = await stage.ledger.now_ms()
        lives = [
            _session(stage, grant, keys.by_name[name], now_ms) for grant, name in granted.items()
        ]
        core.key_names.update({live.record.delegate: granted[live.record.grant] for live in lives})
        opens = await _send(
            stage,
            submitter,
            [(live, open_order(live, stage.ledger.constants)) for live in lives],
            0,
        )
        await trio.sleep(TICK_SECONDS + 4)
        tick = Tick(index=0, seconds=TICK_SECONDS)
        ticks = await _send(stage, submitter, [(live, tick) for live in lives], TICK_SECONDS)
    rival = await trio.to_thread.run_sync(_rival, stage.chain, max(10, count // RIVAL_SHARE))
    return opens, ticks, rival


async def _grants(stage: Stage, keys: Keys, count: int) -> dict[int, str]:
    """Deposit, and grant so many keys of one viewer; gives the key's name by grant."""
    ledger, viewer = stage.ledger, stage.people.viewers[0]
    await ledger.deposit(viewer, 50 * UNIT)
    terms = Terms(
        rate_max_per_second=RATE,
        cap=UNIT // 10,
        sessions_max=1,
        gap_ms=120_000,
        expires_at=await ledger.now_ms() + GRANT_DAY_MS,
    )
    granted: dict[int, str] = {}
    for start in range(0, count, GRANTS_PER_BATCH):
        names = [
            f"delegate-{number}" for number in range(start, min(count, start + GRANTS_PER_BATCH))
        ]
        calls: list[bytes] = []
        for name in names:
            signer = fresh_key()
            keys.by_name[name] = signer
            proof = sign_grant_proof(
                signer, ledger.genesis_hash, ledger.pallet_index, viewer.address
            )
            calls.append(ledger.calls.grant(delegate_key(signer), proof, terms))
        batch = ledger.runtime.compose_batch(calls)
        receipt = await ledger.submit_signed(batch, viewer, wait="finalized")
        found = [e.fields["grant"] for e in receipt.events if e.name == "Granted"]
        granted |= dict(zip(found, names, strict=True))
    return granted


def _session(stage: Stage, grant: int, key: LocalKey, now_ms: int) -> LiveSession:
    record = SessionRecord(
        grant=grant,
        index=0,
        viewer=stage.people.viewers[0].address,
        delegate=key.public_key,
        stream=stage.meeting.stream,
        rate_per_second=RATE,
        funds=UNIT // 20,
        start_at=now_ms,
        admitted_at_ms=now_ms,
        phase="opening",
        number=1,
        resume_digest=b"",
        token_digest=b"",
    )
    return LiveSession(record, trio.current_time())


async def _send(
    stage: Stage, submitter: Submitter, orders: list[tuple[LiveSession, Order]], seconds: int
) -> _Rate:
    began = time.monotonic()
    async with trio.open_nursery() as nursery:
        for live, order in orders:
            nursery.start_soon(_until_accepted, submitter, live, order)
    accepted_s = time.monotonic() - began
    places = [(live.record.grant, live.record.index) for live, _ in orders]
    with trio.fail_after(BLOCKS_SECONDS_MAX):
        async with stage.ledger.heads("best") as heads:
            async for head in heads:
                entries = await stage.ledger.sessions_of(places, at=head.hash)
                if sum(each.seconds >= seconds for each in entries.values()) == len(places):
                    break
    included_s = time.monotonic() - began
    return _Rate(accepted_per_s=len(orders) / accepted_s, included_per_s=len(orders) / included_s)


async def _until_accepted(submitter: Submitter, live: LiveSession, order: Order) -> None:
    """Send until the pool has it: a full free lane empties with the next block."""
    with trio.fail_after(BLOCKS_SECONDS_MAX):
        while True:
            try:
                await submitter.send(live, order)
            except LedgerError:
                await trio.sleep(0.5)
            else:
                return


def _rival(chain: str, count: int) -> float:
    """Give substrate-interface's rate: compose, sign, submit, one after the other."""
    with SubstrateInterface(chain) as substrate:
        sender = Keypair.create_from_uri("//Bob")
        # Left to itself it takes the best block's nonce, and a block's second remark fails.
        nonce = substrate.get_account_nonce(sender.ss58_address) or 0
        began = time.monotonic()
        for number in range(count):
            call = substrate.compose_call("System", "remark", {"remark": f"0x{number:04x}"})
            extrinsic = substrate.create_signed_extrinsic(call, sender, nonce=nonce + number)
            substrate.submit_extrinsic(extrinsic, wait_for_inclusion=False)
        return count / (time.monotonic() - began)
