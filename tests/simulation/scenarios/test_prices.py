"""An operator who takes more for ticks from now on: it costs nobody who has not seen it."""

from __future__ import annotations

import trio

from offchain.ledger.orders import Open
from offchain.ledger.types import NATIVE
from tests.simulation.media_server import now_ms
from tests.simulation.scenarios.stage import lapsed, play
from tests.simulation.world import RATE, World


def _take(w: World, price: int) -> None:
    w.chain.call(lambda ledger: ledger.set_tick_price(NATIVE, price))


def _for_ticks(w: World) -> int:
    """Tell what all sessions have paid the operator for ticks."""
    return sum(
        int(event.fields.get("fee", 0))
        for name in w.chain.canonical
        for event in w.chain.blocks[name].events
        if event.name == "Ticked"
    )


def test_no_session_follows_a_lapsed_one_at_a_higher_price() -> None:
    async def tale(w: World) -> None:
        watching = await lapsed(w, 0)
        _take(w, RATE)
        await w.blocks(2)
        watching.advance(now_ms())
        watching.frozen = False
        await trio.sleep(30)
        assert w.judges.opened == 1
        assert watching.denied == "session-closed"
        # who asks anew has seen it, and pays it
        again = await w.viewers[0].watch()
        await trio.sleep(20)
        again.end("left")
        await trio.sleep(20)
        assert w.judges.opened == 2
        assert _for_ticks(w) >= 3 * RATE

    play(tale, judged=("charged", "credit"))


def test_a_session_follows_a_lapsed_one_at_a_lower_price() -> None:
    async def tale(w: World) -> None:
        _take(w, RATE)
        watching = await lapsed(w, 0)
        _take(w, RATE // 2)
        await w.blocks(2)
        watching.advance(now_ms())
        watching.frozen = False
        await trio.sleep(30)
        assert w.judges.opened == 2
        assert not watching.final, watching.denied

    play(tale, judged=("charged", "credit"))


def test_a_price_that_rises_before_an_open_is_in_a_block_costs_nothing() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        w.chain.takes = lambda grant, order: not isinstance(order, Open)
        watching = await viewer.watch()
        _take(w, RATE)
        await w.blocks(2)
        w.chain.takes = lambda grant, order: True
        await trio.sleep(40)
        assert watching.denied == "open-refused"
        assert (w.judges.opened, _for_ticks(w)) == (0, 0)
        assert not w.chain.ledger().sessions

    play(tale, judged=("charged", "credit"))


def test_who_asks_anew_at_a_higher_price_and_hears_no_answer_has_seen_it() -> None:
    async def tale(w: World) -> None:
        watching = await lapsed(w, 0)
        watching.end("left")
        _take(w, RATE)
        await w.blocks(2)
        w.node.loses_answers = 1.0
        assert await w.viewers[0].join() is None  # the node has taken the open all the same
        w.node.loses_answers = 0.0
        await w.blocks(2)
        assert w.judges.opened == 2
        await trio.sleep(60)
        assert _for_ticks(w) == 0

    play(tale)
