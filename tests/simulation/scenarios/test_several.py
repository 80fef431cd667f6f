"""Three relayers on one journal: whoever of them dies or stands still, nobody pays twice."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import pytest
import trio

from offchain.journal import Journal, JournalUnavailable, Loaded
from offchain.journal.guard import Guard, LeaseLost
from offchain.journal.leasing import Leasing, Standing
from offchain.keys.signer import dev_key
from offchain.relayer import tokens
from offchain.relayer.book import Book
from offchain.relayer.core import Core
from offchain.relayer.problems import Refused
from offchain.relayer.readiness import failing
from offchain.relayer.several import Several
from streaming.session_state import LEASE_MS, PublisherState
from tests.relayer.fake_chain import account, sign_text
from tests.simulation.media_server import Watching
from tests.simulation.oracles import until
from tests.simulation.scenarios.stage import EVERY
from tests.simulation.several import (
    NAMES,
    TAKEN_OVER_WITHIN_S,
    Access,
    SeveralWorld,
    Told,
    told_of_several,
)

VIEWERS = ("Alice", "Charlie", "Dave", "Eve", "Ferdie")


def play(tale: Told, *, judged: tuple[str, ...] = (*EVERY, "held")) -> None:
    """Let a story take place, then let everybody leave, and hold it against the judges."""

    async def whole(w: SeveralWorld) -> None:
        await tale(w)
        await w.end()

    story, judges, _ = told_of_several(whole)
    found = [each for each in judges.failures if each.oracle in judged]
    text = "\n".join(f"{each.oracle}: {each.what}" for each in found)
    assert not found, f"{text}\n" + "\n".join(story.lines[-80:])


async def all_watch(w: SeveralWorld) -> dict[str, Watching]:
    """Let every viewer watch for a while."""
    watchings = {}
    for name in VIEWERS:
        viewer = await w.viewer(name).ready()
        watchings[name] = await viewer.watch()
    await trio.sleep(12)
    return watchings


def of_holder(w: SeveralWorld, watchings: dict[str, Watching]) -> tuple[str, list[Watching]]:
    """Pick the relayer that holds most, and give its viewers' connections."""
    by_name: dict[str, list[Watching]] = {name: [] for name in NAMES}
    for watching in watchings.values():
        by_name[w.holder(watching.viewer).name].append(watching)
    name = max(by_name, key=lambda each: len(by_name[each]))
    return name, by_name[name]


async def taken_over(w: SeveralWorld, name: str, own: list[Watching]) -> float:
    """Wait until others hold what a relayer held, and tell after how long."""
    began = trio.current_time()

    def all_are() -> bool:
        holders = [w.holders(each.viewer) for each in own]
        return all(each and each != [name] for each in holders)

    assert await until(all_are, 60, 0.25)
    return trio.current_time() - began


def test_sessions_spread_over_the_relayers() -> None:
    async def tale(w: SeveralWorld) -> None:
        watchings = await all_watch(w)
        assert {w.holder(each.viewer).name for each in watchings.values()} == set(NAMES)

    play(tale)


def test_a_killed_relayers_sessions_are_taken_over_within_ten_seconds() -> None:
    async def tale(w: SeveralWorld) -> None:
        watchings = await all_watch(w)
        name, own = of_holder(w, watchings)
        w.relayers[name].keep_down = True
        w.relayers[name].kill()
        assert await taken_over(w, name, own) <= TAKEN_OVER_WITHIN_S
        await trio.sleep(30)
        for watching in watchings.values():
            assert watching.held_ms >= 41_000, watching.reasons
            watching.end("left")
        await trio.sleep(30)
        for watching in watchings.values():
            assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)
        w.relayers[name].allow()
        await w.relayers[name].started()

    play(tale)


def test_a_relayer_that_stood_still_for_a_minute_does_nothing_for_what_it_held() -> None:
    async def tale(w: SeveralWorld) -> None:
        watchings = await all_watch(w)
        name, own = of_holder(w, watchings)
        process = w.relayers[name]
        process.stop()
        assert await taken_over(w, name, own) <= TAKEN_OVER_WITHIN_S
        await trio.sleep(60)
        signed_by_others = w.keyring.signed
        woken_at = trio.current_time()
        process.go_on()
        await trio.sleep(0.4)
        assert w.keyring.signed - signed_by_others <= len(watchings)
        await trio.sleep(5)
        assert process.lost == 1
        assert not w.keyring.refused
        for watching in own:
            since = [by for at, by, _ in watching.leased_by if at >= woken_at]
            assert since
            assert name not in since
        for watching in watchings.values():
            watching.end("left")
        await trio.sleep(30)
        for watching in watchings.values():
            assert watching.held_ms >= 60_000, watching.reasons
            assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)

    play(tale)


def test_a_relayer_that_is_cut_off_from_the_database_stops_before_others_begin() -> None:
    async def tale(w: SeveralWorld) -> None:
        watchings = await all_watch(w)
        name, own = of_holder(w, watchings)
        w.database.cut.add(name)
        assert await taken_over(w, name, own) <= TAKEN_OVER_WITHIN_S
        await trio.sleep(30)
        w.database.cut.clear()
        await trio.sleep(10)
        assert w.relayers[name].lost == 1
        for watching in watchings.values():
            watching.end("left")
        await trio.sleep(30)
        for watching in watchings.values():
            assert watching.held_ms >= 45_000, watching.reasons
            assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)

    play(tale)


def test_after_the_databases_restart_each_goes_on_with_its_own() -> None:
    async def tale(w: SeveralWorld) -> None:
        watchings = await all_watch(w)
        before = {name: w.holders(each.viewer) for name, each in watchings.items()}
        late = w.holder(watchings["Alice"].viewer).name
        w.database.down = True
        await trio.sleep(12)
        w.database.cut.add(late)  # it notices later than the others that the database is back
        w.database.down = False
        await trio.sleep(3)
        w.database.cut.clear()
        await trio.sleep(10)
        assert {name: w.holders(each.viewer) for name, each in watchings.items()} == before
        assert [each.lost for each in w.relayers.values()] == [0, 0, 0]
        for watching in watchings.values():
            watching.end("left")
        await trio.sleep(30)
        for watching in watchings.values():
            assert watching.held_ms >= 20_000, watching.reasons
            assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)

    play(tale)


def test_a_drained_relayer_hands_over_and_is_stopped_without_a_pause() -> None:
    async def tale(w: SeveralWorld) -> None:
        watchings = await all_watch(w)
        name, own = of_holder(w, watchings)
        assert w.drain(name) == (len(own), 2)
        assert await until(lambda: w.drain(name)[0] == 0, 15, 0.25)
        await w.relayers[name].exit()
        late = await w.viewer("Grace").ready()
        await late.watch()
        await trio.sleep(20)
        for watching in watchings.values():
            assert not watching.reasons, watching.reasons
            assert w.unpaid_s(watching) < 12, w.unpaid_s(watching)
            watching.end("left")
        await trio.sleep(30)
        for watching in watchings.values():
            assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)
        w.relayers[name].allow()
        await w.relayers[name].started()

    play(tale)


def test_a_relayer_that_is_stopped_politely_frees_what_it_holds_at_once() -> None:
    async def tale(w: SeveralWorld) -> None:
        watchings = await all_watch(w)
        name, own = of_holder(w, watchings)
        await w.relayers[name].exit()
        assert await taken_over(w, name, own) <= 3
        w.relayers[name].allow()
        await w.relayers[name].started()

    play(tale)


def test_two_of_three_die_and_the_last_one_carries_on() -> None:
    async def tale(w: SeveralWorld) -> None:
        watchings = await all_watch(w)
        for name in NAMES[:2]:
            w.relayers[name].keep_down = True
            w.relayers[name].kill()
        await trio.sleep(TAKEN_OVER_WITHIN_S)
        assert {w.holder(each.viewer).name for each in watchings.values()} == {NAMES[2]}
        await trio.sleep(20)
        for name in NAMES[:2]:
            w.relayers[name].allow()
            await w.relayers[name].started()

    play(tale)


def test_a_viewer_comes_back_to_the_relayer_that_holds_the_session() -> None:
    async def tale(w: SeveralWorld) -> None:
        other = w.serve("B")
        viewer = await w.viewer().ready(sessions_max=2)
        watching = await viewer.watch()
        await trio.sleep(8)
        watching.end("left")
        again = await viewer.join(2, server=other)
        assert again is not None, viewer.problems
        await trio.sleep(8)
        assert len(w.holders(viewer.address)) == 1

    play(tale)


def test_an_idle_viewer_is_given_up_and_anybodys() -> None:
    async def tale(w: SeveralWorld) -> None:
        watchings = await all_watch(w)
        for watching in watchings.values():
            watching.end("left")
        await trio.sleep(200)
        assert all(not w.holders(each.viewer) for each in watchings.values())

    play(tale)


def test_a_creators_list_has_what_every_relayer_holds() -> None:
    async def tale(w: SeveralWorld) -> None:
        watchings = await all_watch(w)
        name = account("Creator")
        challenge = await w.ask("challenge", account=name, purpose="publish", stream=1)
        signature = sign_text(dev_key("Creator"), challenge["message"])
        given = await w.ask("token", challenge=challenge["challenge"], signature=signature)
        token = given["token"]
        answer = await w.server.ask("sessions", token=token)
        assert answer.problem is None, answer.problem
        found = {each["session"]: each for each in answer.result["sessions"]}
        assert found.keys() >= {str(each.ref) for each in watchings.values()}
        for watching in watchings.values():
            assert found[str(watching.ref)]["delivered_ms"] > 5_000
            one = await w.server.ask(
                "session", token=token, grant=watching.ref.grant, index=watching.ref.index
            )
            assert one.result["status"] == "open"

    play(tale)


def test_a_publisher_whose_relayer_died_hears_from_the_others_when_its_token_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tokens, "TOKEN_LIFETIME_MS", 120_000)

    async def tale(w: SeveralWorld) -> None:
        name = account("Creator")
        challenge = await w.ask("challenge", account=name, purpose="publish", stream=1)
        signature = sign_text(dev_key("Creator"), challenge["message"])
        token = (await w.ask("token", challenge=challenge["challenge"], signature=signature))[
            "token"
        ]
        await w.ask("publish", token=token, stream=1)
        w.server.publishers = [
            PublisherState(
                stream=1, video_codec="VP8", audio_codec=None, viewers=0, bitrate_bps=1, frozen_ms=0
            )
        ]
        for process in list(w.relayers.values())[:2]:
            process.keep_down = True
            process.kill()
            await trio.sleep(50)
            await w.ask("renew", token=token)
        await trio.sleep(100)
        assert w.server.publishers_denied == {}
        await trio.sleep(40)
        assert w.server.publishers_denied == {"1": "token-ended"}
        for process in w.relayers.values():
            process.allow()

    play(tale)


def test_who_is_drained_or_cut_off_is_not_ready() -> None:
    async def tale(w: SeveralWorld) -> None:
        one, two, _ = w.relayers.values()
        assert one.relayer is not None
        assert two.relayer is not None
        w.drain("one")
        w.database.cut.add("two")
        await trio.sleep(8)
        assert list(failing(one.relayer.core, linked=True)) == ["drain"]
        assert "drained" in failing(one.relayer.core, linked=True)["drain"]
        assert "database" in failing(two.relayer.core, linked=True)["leases"]
        w.database.cut.clear()

    play(tale)


def test_a_connection_of_a_session_that_is_nobodys_ends_and_others_do_not() -> None:
    async def tale(w: SeveralWorld) -> None:
        watchings = await all_watch(w)
        admitted = {
            "session": {"grant": 999, "index": 0},
            "number": 1,
            "resume": "",
            "resumed": False,
            "lease_ms": LEASE_MS,
        }
        lost = w.server.attach("5Nobody", 1, admitted)
        await trio.sleep(25)
        assert lost.denied == "unknown-session"
        assert lost.acknowledged
        assert all(watching.denied is None for watching in watchings.values())

    play(tale)


def test_a_relayer_that_starts_slowly_keeps_its_lease() -> None:
    async def tale(w: SeveralWorld) -> None:
        slow = w.relayers["one"]
        await slow.exit()
        slow.starts_in_s = 15
        slow.allow()
        await slow.started()
        await trio.sleep(10)
        assert slow.lost == 0
        assert slow.relayer is not None

    play(tale)


def parts(w: SeveralWorld, name: str) -> tuple[Core, Several]:
    """Give a relayer's core and its leases."""
    process = w.relayers[name]
    assert process.relayer is not None
    assert process.several is not None
    return process.relayer.core, process.several


def fails_once(monkeypatch: pytest.MonkeyPatch, kind: type, name: str) -> list[JournalUnavailable]:
    """Let the first call of a method fail; gives the failures there were."""
    real = getattr(kind, name)
    failures: list[JournalUnavailable] = []

    def method(own: object, viewers: Sequence[str]) -> object:
        if not failures and viewers:
            failures.append(JournalUnavailable("the database is away"))
            raise failures[0]
        return real(own, viewers)

    monkeypatch.setattr(kind, name, method)
    return failures


def test_a_viewer_who_is_taken_again_before_being_read_is_held_under_the_later_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def tale(w: SeveralWorld) -> None:
        _, several = parts(w, "one")
        viewer = w.viewer("Alice").address
        failures = fails_once(monkeypatch, Journal, "load_of")
        with pytest.raises(Refused):
            await several.claim(viewer)
        assert failures
        await several.claim(viewer)
        number = several.fence(viewer)
        await trio.sleep(3)  # it looks for what is still to be read
        assert several.fence(viewer) == number

    play(tale)


def test_what_a_life_took_and_never_read_is_read_by_the_next_from_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The keeper writes how far this life has read, and not beyond what it has yet to read."""

    def unreadable(_journal: Journal, _viewers: Sequence[str]) -> Loaded:
        raise JournalUnavailable("the database is away")

    async def tale(w: SeveralWorld) -> None:
        viewer = w.viewer("Alice").address
        for name in NAMES[1:]:
            await w.relayers[name].exit()
        store = Access(w.database, "an operator")
        store.write(
            [("INSERT INTO leases (viewer, life, fence, block) VALUES (?, '', 0, 1)", (viewer,))]
        )
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "load_of", unreadable)
            await trio.sleep(8)  # it is taken, final blocks come, and the journal is kept
            w.relayers["one"].keep_down = True
            w.relayers["one"].kill()
            await trio.sleep(1)
        w.relayers["two"].allow()
        assert await until(lambda: w.holders(viewer) == ["two"], 30, 0.25)
        assert store.read("SELECT block FROM leases WHERE viewer = ?", (viewer,)) == [(1,)]
        store.close()
        for name in ("one", "three"):
            w.relayers[name].allow()
            await w.relayers[name].started()

    play(tale)


def test_a_viewer_who_asks_while_being_taken_over_is_adopted_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adopted: list[str] = []
    adopt = Book.adopt

    def noted(book: Book, loaded: Loaded, now: float) -> None:
        adopted.extend(record.viewer for record in loaded.sessions)
        adopt(book, loaded, now)

    async def tale(w: SeveralWorld) -> None:
        watchings = await all_watch(w)
        await w.relayers["three"].exit()
        await trio.sleep(5)
        core, several = parts(w, "one")
        viewer = next(
            each.viewer for each in watchings.values() if w.holders(each.viewer) == ["two"]
        )
        monkeypatch.setattr(Book, "adopt", noted)
        async with trio.open_nursery() as nursery, core.keeper.still():
            await w.relayers["two"].exit()
            await trio.sleep(1.5)  # it has found what is free, and waits for the keeper
            nursery.start_soon(several.claim, viewer)
            await trio.sleep(0.1)
        assert several.holds(viewer)
        assert adopted.count(viewer) == 1
        for name in ("two", "three"):
            w.relayers[name].allow()
            await w.relayers[name].started()

    play(tale)


def test_a_viewer_is_not_taken_again_before_the_database_has_heard_of_the_giving_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def tale(w: SeveralWorld) -> None:
        _, one = parts(w, "one")
        _, two = parts(w, "two")
        viewer = w.viewer("Alice").address
        await one.claim(viewer)
        failures = fails_once(monkeypatch, Leasing, "forget")
        assert await until(lambda: bool(failures), 90, 0.1)
        with suppress(Refused):
            await one.claim(viewer)
        await trio.sleep(3)
        await two.claim(viewer)
        assert w.holders(viewer) == ["two"]

    play(tale)


async def woken_after_a_minute(w: SeveralWorld) -> dict[str, Watching]:
    """Let the relayer that holds most stand still for a minute, and give what is watched."""
    watchings = await all_watch(w)
    name, _ = of_holder(w, watchings)
    w.relayers[name].stop()
    await trio.sleep(60)
    w.relayers[name].go_on()
    await trio.sleep(30)
    return watchings


def test_who_is_wrong_about_its_lease_is_refused_by_the_journal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if it stood still between its look at the clock and what it did then."""
    monkeypatch.setattr(Several, "lasts", True)

    async def tale(w: SeveralWorld) -> None:
        watchings = await woken_after_a_minute(w)
        assert sum(each.lost for each in w.relayers.values()) == 1
        assert not [each for each in w.keyring.refused if "fence-old" in each]
        for watching in watchings.values():
            watching.end("left")
        await trio.sleep(30)
        for watching in watchings.values():
            assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)

    play(tale)


def test_who_wrote_before_it_stood_still_is_refused_by_the_signer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if it stood still between its write and its question, and never found out."""
    renew = Leasing.renew

    def believes(leasing: Leasing) -> Standing:
        try:
            return renew(leasing)
        except LeaseLost:
            return Standing(others=2, draining=False)

    monkeypatch.setattr(Leasing, "renew", believes)
    monkeypatch.setattr(Several, "lasts", True)
    monkeypatch.setattr(Guard, "check", lambda _guard, _execute: None)

    async def tale(w: SeveralWorld) -> None:
        await woken_after_a_minute(w)
        assert [each for each in w.keyring.refused if "fence-old" in each]

    play(tale, judged=("charged",))
