"""Strangers who ask for as much as they can."""

from __future__ import annotations

import trio

from offchain.relayer.keyring import KeystoreKeyring
from offchain.relayer.requests import STREAMS_LISTED_MAX
from tests.relayer.fake_chain import account
from tests.simulation.scenarios.stage import play
from tests.simulation.wallets import Viewer
from tests.simulation.world import World


# It once was so: strangers without a signature fill what is kept of prepared transactions.
def test_strangers_who_prepare_transactions_keep_nobody_from_it() -> None:
    async def tale(w: World) -> None:
        stranger = account("Mallory")  # somebody with money, whom nobody asks
        w.chain.add_money("Mallory", 0)
        call = {"kind": "revoke", "grant": 0}
        for _ in range(2_100):
            await w.server.ask("wallet_prepare", account=stranger, call=call)
        viewer = await w.viewer().ready()
        call = {"kind": "deposit", "amount": "1000"}
        answer = await w.server.ask("wallet_prepare", token=viewer.token, call=call)
        assert answer.problem is None, answer.problem

    play(tale, judged=("charged",))


# It once was so: what strangers who signed in leave behind is never forgotten.
def test_what_strangers_leave_behind_is_forgotten() -> None:
    async def tale(w: World) -> None:
        for number in range(500):
            stranger = Viewer(w, f"Stranger{number}")
            assert await stranger.sign_in() is not None
            await w.server.ask("admit", token=stranger.token, stream=1, resume=None)
            await w.server.ask("terms", token=stranger.token, stream=1)
        await trio.sleep(1_200)
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(10)
        watching.end("left")
        await w.end()

    play(tale, judged=("charged", "bounded"))


def test_strangers_who_ask_for_challenges_leave_nothing_behind() -> None:
    async def tale(w: World) -> None:
        for number in range(1_000):
            stranger = account(f"Stranger{number}")
            answer = await w.server.ask("challenge", account=stranger, purpose="watch")
            assert answer.problem is None
        await w.end()

    play(tale, judged=("charged", "bounded"))


async def _listed(w: World, after: int) -> tuple[list[int], int | None]:
    """Ask for a page of the catalogue: the streams in it, and behind which the next one begins."""
    answer = await w.server.ask("streams", after=after)
    assert answer.problem is None, answer.problem
    return [each["id"] for each in answer.result["streams"]], answer.result["next"]


# It once was so: a chain with 3,000 streams makes the catalogue fail.
def test_the_catalogue_answers_on_a_chain_with_three_thousand_streams() -> None:
    async def tale(w: World) -> None:
        for number in range(3, 3_003):
            w.chain.add_stream(number, rate=1_000)
        first, behind = await _listed(w, -1)
        assert (first, behind) == (list(range(1, STREAMS_LISTED_MAX + 1)), STREAMS_LISTED_MAX)
        second, _ = await _listed(w, STREAMS_LISTED_MAX)
        assert second[0] == STREAMS_LISTED_MAX + 1
        assert await _listed(w, 2_990) == (list(range(2_991, 3_003)), None)

    play(tale, judged=("charged",))


# It once was so: a key file was stored for each account that signed in, with or without money.
def test_strangers_who_sign_in_leave_no_key_file() -> None:
    async def tale(w: World) -> None:
        directory = w.disk.directory / "keys"
        keyring = KeystoreKeyring(directory, "a password")
        await keyring.check()
        w.relayer.keyring = keyring
        await w.crash()
        assert await Viewer(w, "Stranger").sign_in() is not None
        master = list(directory.iterdir())
        assert len(master) == 1
        for number in range(100):
            assert await Viewer(w, f"Stranger{number}").sign_in() is not None
        assert list(directory.iterdir()) == master

    play(tale, judged=("charged",))
