"""Work follows what changed, not what exists: counted among ten thousand sessions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from offchain.journal import SessionRecord
from offchain.journal.records import TokenRecord
from offchain.ledger.tables import Names, Tables
from offchain.ledger.types import Clock, Constants, DelegateKey, Event, Grant, Head, Session, Stream
from offchain.relayer.confirm import Confirmer
from offchain.relayer.core import Core
from offchain.relayer.health import health
from offchain.relayer.keyring import MemoryKeyring
from offchain.relayer.leases import Leaser
from offchain.relayer.live_session import LiveSession
from offchain.relayer.places import Place
from offchain.relayer.session_views import session_view
from offchain.relayer.submit import Submitter
from offchain.relayer.tokens import SWEEP_EVERY_MS, TOKENS_MAX, Tokens, digest
from streaming.session_state import ConnectionState, SessionRef, States
from tests.relayer.fake_chain import BASE_MS, CONSTANTS

MANY = 10_000
RATE = 1000
KEY = DelegateKey(scheme="sr25519", public=bytes(32))


class QuietChain:
    """A chain whose blocks say what the test says, and that counts what it is asked."""

    genesis_hash = "0x" + "11" * 32
    constants: Constants = CONSTANTS
    endpoints = ()

    def __init__(self) -> None:
        self.happened: dict[str, tuple[Event, ...]] = {}
        self.asked: list[Names] = []
        self.stream = STREAM

    async def is_syncing(self) -> bool:
        return False

    async def clock(self, *, at: str | None = None) -> Clock:
        return Clock(now_ms=BASE_MS + int(trio.current_time() * 1000), halted_ms=0)

    async def head(self, block_hash: str) -> Head:
        number = int(block_hash[2:])
        return Head(number=number, hash=block_hash, parent_hash=f"0x{number - 1}")

    async def block_hash(self, number: int) -> str:
        return f"0x{number}"

    async def events(self, block_hash: str) -> tuple[Event, ...]:
        return self.happened.get(block_hash, ())

    async def tables(self, names: Names, *, at: str | None = None) -> Tables:
        self.asked.append(names)
        found = Tables()
        found.sessions = {name: entry(*name) for name in names.sessions}
        found.grants = {number: grant(number) for number in names.grants}
        found.streams = dict.fromkeys(names.streams, self.stream)
        found.vaults = dict.fromkeys(names.vaults, 10**9)
        return found


STREAM = Stream(
    owner="creator",
    asset=None,
    rate_per_second=RATE,
    changed_at=BASE_MS,
    payees=(),
    funds_min=0,
    gap_min_ms=10_000,
    status="Active",
    stops=(),
    earned=0,
    earned_total=0,
    seconds=0,
    sessions_open=MANY,
    deposit=0,
)


def entry(number: int, _index: int) -> Session:
    return Session(
        viewer=f"viewer{number}",
        key=KEY,
        asset=None,
        stream=1,
        rate_per_second=RATE,
        gap_ms=600_000,
        funds=RATE * 3_600,
        seconds=0,
        started_at=BASE_MS,
        opened_at=BASE_MS,
        billed_until=BASE_MS,
        ticked_at=BASE_MS,
        ended_at=BASE_MS + 10**9,
    )


def grant(number: int) -> Grant:
    return Grant(
        viewer=f"viewer{number}",
        key=KEY,
        asset=None,
        rate_max_per_second=RATE,
        cap=10**9,
        cap_left=10**9,
        spent=0,
        tips_left=0,
        renewals_left=0,
        gap_ms=600_000,
        created_at=BASE_MS,
        expires_at=BASE_MS + 10**9,
        sessions_max=1,
        open=(0,),
        next_index=1,
        opened_at=BASE_MS,
        freed_end_at=0,
        seconds=0,
        ended_at=BASE_MS + 10**9,
        deposit=0,
    )


class Journal:
    """Keeps what it is given."""

    healthy = True
    failure = None
    commits = 0

    def __init__(self) -> None:
        self.written: list[Any] = []

    async def commit(self, statements: Any) -> None:
        self.written += statements


class Relayer:
    """Its parts, without its tasks: the test decides what happens."""

    def __init__(self) -> None:
        self.chain, self.journal = QuietChain(), Journal()
        self.core = Core(
            chain=self.chain,  # type: ignore[arg-type]
            journal=self.journal,  # type: ignore[arg-type]
            keyring=MemoryKeyring(),
            unix_ms=lambda: BASE_MS + int(trio.current_time() * 1000),
        )
        self.tokens = Tokens(self.journal, self.chain.genesis_hash)  # type: ignore[arg-type]
        self.tokens.ended = lambda *_: False  # type: ignore[method-assign]
        self.leaser = Leaser(self.core, self.tokens)
        self.submitter = Submitter(self.core)
        self.confirmer = Confirmer(self.core)
        for number in range(MANY):
            self.core.book.add(LiveSession(record(number), trio.current_time()))

    async def block(self, number: int, *events: Event) -> None:
        self.chain.happened[f"0x{number}"] = events
        await self.confirmer.best(
            Head(number=number, hash=f"0x{number}", parent_hash=f"0x{number - 1}")
        )

    async def look(self) -> None:
        """Look for due orders; what is sent is none of this test's concern."""
        async with trio.open_nursery() as nursery:
            self.submitter.look(nursery)
            nursery.cancel_scope.cancel()

    def tell(self, *numbers: int, delivered_ms: int) -> None:
        connections = [
            ConnectionState(
                connection=f"c{number}",
                session=SessionRef(number, 0),
                number=1,
                delivered_ms=delivered_ms,
                forwarded_ms=delivered_ms,
            )
            for number in numbers
        ]
        answer = self.leaser.answer(
            States(sequence=1, connections=connections, publishers=[]), "boot@server"
        )
        assert [lease.connection for lease in answer.leases] == [f"c{each}" for each in numbers]
        assert {lease.reason for lease in answer.leases} == {None}


def record(number: int) -> SessionRecord:
    return SessionRecord(
        grant=number,
        index=0,
        viewer=f"viewer{number}",
        delegate=bytes(32),
        stream=1,
        rate_per_second=RATE,
        funds=RATE * 3_600,
        start_at=BASE_MS,
        admitted_at_ms=BASE_MS,
        phase="open",
        number=1,
        resume_digest=bytes(32),
        token_digest=bytes(32),
    )


@contextmanager
def touched() -> Iterator[Counter[int]]:
    """Count, by grant, how often anything of a session is looked at."""
    counts: Counter[int] = Counter()
    plain = LiveSession.__getattribute__

    def counting(session: LiveSession, name: str) -> Any:
        value = plain(session, name)
        if name == "record":
            counts[value.grant] += 1
        return value

    LiveSession.__getattribute__ = counting  # type: ignore[method-assign]
    try:
        yield counts
    finally:
        del LiveSession.__getattribute__


@pytest.fixture
async def settled() -> Relayer:
    """A relayer whose ten thousand sessions have been read, looked at and written."""
    relayer = Relayer()
    await relayer.block(1)
    relayer.tell(*range(MANY), delivered_ms=1_000)
    await relayer.look()
    await relayer.core.keeper.flush()
    await relayer.look()
    relayer.chain.asked.clear()
    relayer.journal.written.clear()
    return relayer


async def test_one_report_touches_one_session(settled: Relayer, autojump_clock: MockClock) -> None:
    with touched() as counts:
        settled.tell(7, delivered_ms=1_500)
        await settled.look()
        await settled.core.keeper.flush()
    assert set(counts) == {7}
    assert len(settled.journal.written) == 1


async def test_one_tick_in_a_block_touches_and_reads_one_session(
    settled: Relayer, autojump_clock: MockClock
) -> None:
    tick = Event(
        pallet="PayStream",
        name="Ticked",
        fields={"grant": 9, "index": 0, "stream": 1, "seconds": 1, "amount": RATE},
        extrinsic_index=1,
    )
    with touched() as counts:
        await settled.block(2, tick)
        await settled.look()
    assert set(counts) == {9}
    (names,) = settled.chain.asked
    assert (names.sessions, len(names)) == ({(9, 0)}, 1)


async def test_a_block_in_which_nothing_happens_touches_none(
    settled: Relayer, autojump_clock: MockClock
) -> None:
    with touched() as counts:
        await settled.block(2)
        await settled.look()
        await settled.confirmer.finalized(Head(number=2, hash="0x2", parent_hash="0x1"))
        await settled.core.keeper.flush()
    assert not counts
    assert not settled.chain.asked


async def test_a_scrape_and_a_count_touch_none(settled: Relayer, autojump_clock: MockClock) -> None:
    with touched() as counts:
        figures = health(settled.core)
        assert settled.core.book.watched == MANY
    assert not counts
    assert figures["sessions"] == {"opening": 0, "open": MANY, "closing": 0}
    assert figures["connections"] == MANY
    assert figures["unpaid_seconds_max"] == 1


async def test_who_leaves_touches_nobody_else(settled: Relayer, autojump_clock: MockClock) -> None:
    with touched() as counts:
        state = ConnectionState(
            connection="c5",
            session=SessionRef(5, 0),
            number=1,
            delivered_ms=1_200,
            forwarded_ms=1_200,
            final=True,
            end_reason="left",
        )
        settled.leaser.answer(States(sequence=2, connections=[state], publishers=[]), "boot@server")
        await settled.look()
        await settled.core.keeper.flush()
    assert set(counts) == {5}
    assert health(settled.core)["sessions"] == {"opening": 0, "open": MANY - 1, "closing": 1}
    assert health(settled.core)["connections"] == MANY - 1


async def test_who_joins_touches_nobody_else(settled: Relayer, autojump_clock: MockClock) -> None:
    with touched() as counts:
        settled.core.book.add(LiveSession(record(MANY), trio.current_time()))
        await settled.block(2)
        await settled.look()
        await settled.core.keeper.flush()
    assert set(counts) == {MANY}
    assert settled.core.book.sessions[SessionRef(MANY, 0)].since_block == 2


async def test_a_stream_that_is_paused_is_told_to_all_of_its_sessions(
    settled: Relayer, autojump_clock: MockClock
) -> None:
    paused = msgspec.structs.replace(STREAM, status="Paused", stops=(BASE_MS,), seconds=9)
    settled.chain.stream = paused
    event = Event(pallet="PayStream", name="StreamUpdated", fields={"stream": 1}, extrinsic_index=1)
    await settled.block(2, event)
    assert {session.deny for session in settled.core.book} == {"stream-ended"}


async def test_a_lease_asks_about_nobody_else_who_waits(
    settled: Relayer, autojump_clock: MockClock
) -> None:
    asked: Counter[str] = Counter()

    class Counted(Place):
        def __getattribute__(self, name: str) -> Any:
            if name == "asset":  # whether what is kept for it is of the vault in question
                asked[super().__getattribute__("viewer")] += 1
            return super().__getattribute__(name)

    for number in range(100):
        settled.core.waiting.enter(
            Counted(grant=number, viewer=f"viewer{number}", asset=None, funds=1, leave_at=1e9)
        )
    settled.tell(7, delivered_ms=1_500)
    assert set(asked) == {"viewer7"}


async def test_who_signs_in_has_no_other_token_looked_at(autojump_clock: MockClock) -> None:
    """What has ended is looked for once a minute."""
    looked_at: Counter[bytes] = Counter()

    class Counted(TokenRecord, frozen=True):
        def __getattribute__(self, name: str) -> Any:
            if name == "expires_at_ms":
                looked_at[super().__getattribute__("digest")] += 1
            return super().__getattribute__(name)

    tokens = Tokens(Journal(), "0x" + "11" * 32)  # type: ignore[arg-type]
    until_ms = BASE_MS + SWEEP_EVERY_MS // 2
    tokens.add(
        Counted(
            digest=digest(f"{number}"),
            purpose="watch",
            account=f"viewer{number}",
            stream=None,
            expires_at_ms=until_ms,
        )
        for number in range(TOKENS_MAX // 2)
    )

    async def sign_in(now_ms: int) -> int:
        looked_at.clear()
        _, challenge = tokens.challenge(
            purpose="watch", account="one", origin="o", stream=None, delegate="0x", now_ms=now_ms
        )
        await tokens.issue(challenge, now_ms)
        return len(looked_at)

    assert await sign_in(BASE_MS) == TOKENS_MAX // 2
    assert [await sign_in(BASE_MS + passed_ms) for passed_ms in (1, 1_000, 59_999)] == [0, 0, 0]
    assert await sign_in(BASE_MS + SWEEP_EVERY_MS) == TOKENS_MAX // 2
    assert await sign_in(BASE_MS) == 0, "what had ended is gone"


async def test_the_line_of_a_session_goes_with_it(
    settled: Relayer, autojump_clock: MockClock
) -> None:
    """What is kept by session, viewer, grant and stream is gone when the sessions are."""
    book = settled.core.book
    for session in list(book):
        session.end("left")
        book.conclude(session, 0, phase="closed")
        book.depart(session, BASE_MS)
    await settled.block(2)
    kept = {
        **vars(book.wanted),
        **{kind: getattr(settled.core.view, kind) for kind in (*Names.__slots__, "changed")},
        **{kind: getattr(book.census, kind) for kind in ("opening", "closing", "connections")},
        "sessions of the book": book.sessions,
        "unpaid": book.census.unpaid_seconds_max,
    }
    assert {name: left for name, left in kept.items() if left} == {}


async def test_what_others_sessions_were_closed_with_is_not_kept(
    settled: Relayer, autojump_clock: MockClock
) -> None:
    fields = {"index": 0, "stream": 1, "seconds": 9, "reason": "Order"}
    closes = [
        Event(
            pallet="PayStream",
            name="SessionClosed",
            fields={"grant": number, **fields},
            extrinsic_index=1,
        )
        for number in (4, MANY + 4)
    ]
    await settled.block(2, *closes)
    assert settled.core.view.closed_with == {SessionRef(4, 0): 9}


async def test_a_session_of_another_stream_is_billed_nothing_before_a_block_says_so(
    settled: Relayer, autojump_clock: MockClock
) -> None:
    core, ref = settled.core, SessionRef(3, 0)
    settled.tell(3, delivered_ms=9_000)
    mine = session_view(core, core.book.sessions[ref], trio.current_time())
    assert mine is not None
    assert mine.total_seconds == 9
    # read ahead of a take-over, as `ChainView.foresee` does: no best block has been judged yet
    core.view.sessions[ref] = msgspec.structs.replace(entry(3, 0), stream=2)
    another = session_view(core, core.book.sessions[ref], trio.current_time())
    assert another is not None
    assert another.total_seconds == 0
