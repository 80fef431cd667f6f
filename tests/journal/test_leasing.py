"""A viewer is one relayer's at a time, and who was passed over writes nothing any more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

import msgspec
import psycopg
import pytest

from offchain.journal import (
    JournalLocked,
    JournalUnavailable,
    JournalUrlInvalid,
    LeaseLost,
    OrderRecord,
    Statement,
    open_journal,
    open_shared_journal,
    put_connection,
    put_finalized,
    put_order,
    put_session,
)
from offchain.journal.leasing import HeldElsewhere, Leasing, NameTaken, Relayers, drain
from offchain.journal.opening import attached, opened
from offchain.journal.postgres import PostgresStore
from offchain.journal.store import Store
from offchain.journal.upkeep import backup, prune, restore
from tests.journal.conftest import Place
from tests.journal.samples import connection, session

ALICE, BOB, CHARLIE = "5Alice", "5Bob", "5Charlie"
HOUR_MS = 3_600_000


@contextmanager
def two(place: Place) -> Iterator[tuple[Store, Store]]:
    """Open one journal by two relayers' connections."""
    with opened(place) as first, attached(place) as second:
        yield first, second


@pytest.fixture
def stores(place: Place) -> Iterator[tuple[Store, Store]]:
    with two(place) as both:
        yield both


@pytest.fixture
def relayers(stores: tuple[Store, Store]) -> tuple[Leasing, Leasing]:
    first, second = stores
    first.write([put_finalized(50)])
    both = (
        Leasing(first, "first/1", lasts_ms=HOUR_MS),
        Leasing(second, "second/1", lasts_ms=HOUR_MS),
    )
    for each in both:
        each.begin()
    return both


def run_out(store: Store, life: str) -> None:
    """Let a life have run out a moment ago, by the database's clock."""
    sql = f"UPDATE relayers SET until_ms = {store.now_ms} - 1 WHERE life = ?"
    store.write([(sql, (life,))])


def of(viewer: str, grant: int = 0, **fields: object) -> Statement:
    return put_session(msgspec.structs.replace(session(grant), viewer=viewer, **fields))


def written(store: Store) -> list[int]:
    return [row[0] for row in store.read("SELECT grant_id FROM sessions ORDER BY grant_id")]


def test_a_viewer_is_one_relayers_at_a_time(relayers: tuple[Leasing, Leasing]) -> None:
    first, second = relayers
    held = first.claim(ALICE)
    with pytest.raises(HeldElsewhere) as elsewhere:
        second.claim(ALICE)
    assert elsewhere.value.name == "first"
    (taken,) = second.take([ALICE, BOB])
    assert taken.viewer == BOB
    assert taken.fence > held.fence
    assert first.renew().others == 1


def test_what_has_run_out_is_taken_over_and_the_first_writes_no_more(
    stores: tuple[Store, Store], relayers: tuple[Leasing, Leasing]
) -> None:
    first, second = relayers
    held = first.claim(ALICE)
    stores[0].write([of(ALICE, 1)], first.guard)
    assert second.end_run_out() == []
    run_out(stores[1], "first/1")
    assert second.free() == []
    assert second.end_run_out() == ["first/1"]
    assert second.free() == [ALICE]
    (taken,) = second.take(second.free())
    assert taken.fence > held.fence
    # it stood still for a minute and believes that nothing has happened
    with pytest.raises(LeaseLost, match="relayer first did not renew"):
        stores[0].write([of(ALICE, 2)], first.guard)
    for late in (first.renew, lambda: first.claim(ALICE), lambda: first.take([BOB])):
        with pytest.raises(LeaseLost):
            late()
    first.let_go([ALICE], 3)  # harms nobody
    first.forget([ALICE])
    first.end()
    stores[1].write([of(ALICE, 3)], second.guard)
    assert written(stores[0]) == [1, 3]
    assert second.claim(ALICE).fence > taken.fence


def test_a_life_that_ran_out_and_was_not_ended_goes_on(
    stores: tuple[Store, Store], relayers: tuple[Leasing, Leasing]
) -> None:
    first, second = relayers
    first.claim(ALICE)
    run_out(stores[0], "first/1")
    stores[0].write([of(ALICE, 1)], first.guard)
    first.renew()
    assert second.end_run_out() == []
    with pytest.raises(HeldElsewhere):
        second.claim(ALICE)


def test_a_name_is_one_relayers_at_a_time(
    stores: tuple[Store, Store], relayers: tuple[Leasing, Leasing]
) -> None:
    again = Leasing(stores[1], "first/2")
    with pytest.raises(NameTaken, match="a --relayer-id of its own"):
        again.begin()
    run_out(stores[0], "first/1")
    again.begin()  # the one before was killed
    assert relayers[1].renew().others == 1


def test_what_is_given_back_is_free_at_once_with_the_block_it_was_read_to(
    stores: tuple[Store, Store], relayers: tuple[Leasing, Leasing]
) -> None:
    first, second = relayers
    stores[0].write([first.put_finalized(70)])
    stores[1].write([second.put_finalized(90)])
    assert first.claim(ALICE).block == 70
    first.let_go([ALICE], 66)
    assert second.claim(ALICE).block == 66
    # should the second die before it has read on from there, so does the next
    run_out(stores[0], "second/1")
    assert first.end_run_out() == ["second/1"]
    assert first.claim(ALICE).block == 66


def test_who_has_no_session_is_forgotten(relayers: tuple[Leasing, Leasing]) -> None:
    first, second = relayers
    first.claim(ALICE)
    first.forget([ALICE])
    assert second.free() == []
    assert second.claim(ALICE).viewer == ALICE


def test_a_relayer_that_ends_frees_what_it_held(relayers: tuple[Leasing, Leasing]) -> None:
    first, second = relayers
    first.claim(ALICE)
    first.end()
    assert second.free() == [ALICE]
    assert second.renew().others == 0


def test_sessions_of_a_time_without_leases_are_free(
    stores: tuple[Store, Store], relayers: tuple[Leasing, Leasing]
) -> None:
    stores[0].write([of(ALICE, 1), of(BOB, 2, phase="closed"), of(CHARLIE, 3)])
    relayers[0].claim(CHARLIE)
    third = Leasing(stores[1], "third/1")
    third.begin()
    assert third.free() == [ALICE]
    assert [(each.viewer, each.block) for each in third.take([ALICE])] == [(ALICE, 50)]


def test_a_write_that_fails_leaves_nothing(
    stores: tuple[Store, Store], relayers: tuple[Leasing, Leasing]
) -> None:
    nowhere: Statement = ("INSERT INTO nowhere VALUES (?)", (1,))
    with pytest.raises(JournalUnavailable, match="nowhere"):
        stores[0].write([of(ALICE, 1), nowhere], relayers[0].guard)
    assert written(stores[0]) == []
    stores[0].write([of(ALICE, 1)], relayers[0].guard)


def test_two_who_take_at_once_share_without_a_viewer_twice(
    relayers: tuple[Leasing, Leasing],
) -> None:
    """A hundred viewers, two threads, opposite orders: no deadlock, and nothing is both's."""
    names = [f"5V{number}" for number in range(100)]
    barrier = Barrier(2)

    def take(leasing: Leasing, order: list[str]) -> dict[str, int]:
        taken = {}
        for start in range(0, 100, 10):
            barrier.wait(timeout=60)
            taken |= {each.viewer: each.fence for each in leasing.take(order[start : start + 10])}
            leasing.renew()
        return taken

    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(take, relayers, (names, names[::-1]))
    assert one.keys() | other.keys() == set(names)
    assert one.keys() & other.keys() == set()
    assert len({*one.values(), *other.values()}) <= 20


def test_numbers_rise_over_pruning_and_over_a_copy_put_back(place: Place, tmp_path: Path) -> None:
    with opened(place) as store:
        leasing = Leasing(store, "first/1", lasts_ms=HOUR_MS)
        leasing.begin()
        store.write([of(ALICE)])
        held = leasing.claim(ALICE)
        prune(place, before_ms=1, now_ms=1)
        again = leasing.claim(ALICE)
        assert again.fence > held.fence
    copy = tmp_path / "copy.sqlite"
    backup(place, copy)
    restore(copy, tmp_path / "new" / "journal.sqlite")
    with opened(tmp_path / "new" / "journal.sqlite") as store:
        other = Leasing(store, "second/1")
        other.begin()
        assert other.claim(ALICE).fence > again.fence


def test_draining_waits_for_somebody_who_takes_over(
    stores: tuple[Store, Store], relayers: tuple[Leasing, Leasing]
) -> None:
    first, second = relayers
    first.claim(ALICE)
    run_out(stores[0], "second/1")
    assert drain(stores[1], "first") == Relayers(lives=1, viewers=1, others=0)
    assert not first.renew().draining
    second.renew()
    assert drain(stores[1], "first") == Relayers(lives=1, viewers=1, others=1)
    assert first.renew().draining
    assert second.renew().others == 0  # it takes nobody over any more
    first.let_go([ALICE], 50)
    second.claim(ALICE)
    assert drain(stores[1], "first").viewers == 0
    assert drain(stores[1], "nobody") == Relayers(lives=0, viewers=0, others=1)


async def test_what_is_read_of_some_viewers_is_theirs_alone(place: Place) -> None:
    async with open_journal(place) as journal:
        await journal.commit([of(ALICE, 1), of(BOB, 2), of(ALICE, 3, phase="closed")])
        await journal.commit([put_connection(connection(grant)) for grant in (1, 2, 3)])
        orders = [
            OrderRecord(grant=grant, index=0, lane=lane, body=b"body", signature=signature)
            for grant in (1, 2, 3)
            for lane, signature in ((0, b"signature"), (1, None))
        ]
        await journal.commit([put_order(order) for order in orders])
        loaded = journal.load_of([ALICE])
        assert [record.grant for record in loaded.sessions] == [1]
        assert [state.grant for state in loaded.connections] == [1]
        assert loaded.orders == orders[:2]
        assert journal.load_of([]).sessions == []
        assert journal.load_of([]).orders == []
        both = journal.load_of([ALICE, BOB])
        assert [record.grant for record in both.sessions] == [1, 2]


async def test_a_file_is_shared_by_nobody(tmp_path: Path) -> None:
    with pytest.raises(JournalUrlInvalid, match="PostgreSQL, not a file"):
        async with open_shared_journal(tmp_path / "journal.sqlite", "first/1"):
            pass


@pytest.mark.programs
async def test_relayers_share_a_database_and_none_has_it_for_itself(database: str) -> None:
    async with (
        open_shared_journal(database, "first/1") as first,
        open_shared_journal(database, "second/1") as second,
    ):
        first.leasing.begin()
        second.leasing.begin()
        first.leasing.claim(ALICE)
        await first.journal.commit([of(ALICE, 1)])
        with pytest.raises(JournalLocked, match="give each a --relayer-id"):
            async with open_journal(database):
                pass
        with attached(database) as store:
            run_out(store, "first/1")
        assert second.leasing.end_run_out() == ["first/1"]
        with pytest.raises(LeaseLost):
            await first.journal.commit([of(ALICE, 2)])
        assert not first.journal.healthy
        await second.journal.commit([of(ALICE, 3)])
    # the signer refuses one that names no lease
    with pytest.raises(JournalLocked, match="give this one a --relayer-id, too"):
        async with open_journal(database):
            pass


@pytest.mark.programs
def test_who_stands_still_in_the_middle_of_a_write_holds_nobody_up(database: str) -> None:
    with opened(database, shared=True) as first, opened(database, shared=True) as second:
        one, two = Leasing(first, "one/1"), Leasing(second, "two/1")
        one.begin()
        two.begin()
        one.claim(ALICE)

        def stand_still_and_write() -> None:
            with first.transaction() as execute:
                one.guard.check(execute)
                run_out(second, "one/1")
                # as after SIGSTOP: it holds its row, and does not go on
                assert two.end_run_out() == ["one/1"]
                assert two.claim(ALICE).viewer == ALICE
                execute(*of(ALICE, 1))

        with pytest.raises(JournalUnavailable):
            stand_still_and_write()
        assert written(second) == []


@pytest.mark.programs
def test_who_stands_still_in_the_middle_of_a_pipeline_holds_nobody_up(database: str) -> None:
    with opened(database, shared=True) as first, opened(database, shared=True) as second:
        assert isinstance(first, PostgresStore)
        one, two = Leasing(first, "one/1"), Leasing(second, "two/1")
        one.begin()
        two.begin()
        one.claim(ALICE)

        def stand_still_and_write() -> None:
            writer = first._writer
            with writer.pipeline(), writer.transaction():
                hold = b"SELECT life FROM relayers WHERE life = 'one/1' FOR KEY SHARE"
                writer.execute(hold).fetchall()  # asks for no answer to the whole: it goes on
                run_out(second, "one/1")
                began = time.monotonic()
                while not second.end_stalled():
                    assert time.monotonic() - began < 10, "it is held up"
                assert time.monotonic() - began > 2, "whoever is slow has some time"
                assert two.end_run_out() == ["one/1"]
                assert two.claim(ALICE).viewer == ALICE

        with pytest.raises(psycopg.OperationalError):
            stand_still_and_write()


@pytest.mark.programs
async def test_a_relayer_that_shares_is_refused_beside_one_that_does_not(database: str) -> None:
    async with open_journal(database):
        with pytest.raises(JournalLocked, match="shares it with nobody"):
            async with open_shared_journal(database, "first/1"):
                pass
