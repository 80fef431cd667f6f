"""What other relayers forgot, repeated or contradicted when they were started again.

Each comment names the failure; `docs/failures-of-others.md` has them all.
"""

from __future__ import annotations

from pathlib import Path

import trio

from offchain.ledger.orders import Close, Domain, Open, SignedOrder
from offchain.relayer.keyring import Asked
from tests.signer.judged import JudgedKeyring
from tests.simulation.oracles import until
from tests.simulation.scenarios.stage import play
from tests.simulation.scenarios.tap import tapped
from tests.simulation.world import World


# raiden-network/raiden 2933: what waits in the pool is sent again after a restart, is refused for
# that, and the node cannot get over it.
def test_a_close_that_waits_in_the_pool_across_a_restart_is_taken_once() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        w.chain.takes = lambda grant, order: False
        with tapped() as tap:
            watching.end("left")
            await trio.sleep(6)
            assert [each for each in tap.handed if isinstance(each.order, Close)]
            await w.crash(down_s=4)
            again_at_s = trio.current_time()
            await trio.sleep(10)
            assert [each for each in tap.since(again_at_s) if isinstance(each.order, Close)]
        w.chain.takes = lambda grant, order: True
        await trio.sleep(8)
        assert not w.judges.open_sessions()
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)
        assert not w.relayer.mishaps
        await w.end()

    play(tale)


# livepeer/go-livepeer 632: killed before it has redeemed what it was given, it never does.
def test_what_was_delivered_before_a_crash_is_paid_after_it() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(10)
        w.chain.takes = lambda grant, order: False
        await trio.sleep(9)
        watching.end("left")
        assert await until(lambda: watching.acknowledged, 20, 0.1)
        w.crash_server("A")  # nobody can tell it again
        w.chain.pool.clear()
        w.chain.takes = lambda grant, order: True
        await w.crash(down_s=5)
        await trio.sleep(10)
        assert not w.judges.open_sessions()
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)
        await w.end()

    play(tale)


# matter-labs/zksync-os-server 1147: what was on its way when the process died comes into a block
# after the restart, and nobody has expected it.
def test_an_open_that_a_block_takes_while_the_relayer_is_down_is_its_own() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await w.blocks(3)
        w.chain.takes = lambda grant, order: not isinstance(order, Open)
        watching = await viewer.watch()
        await trio.sleep(1)
        w.relayer.keep_down = True
        w.relayer.kill("now")
        await w.relayer.stopped()
        w.chain.takes = lambda grant, order: True
        await w.blocks(2)
        assert w.judges.open_sessions() == [watching.ref]
        w.relayer.allow()
        await w.relayer.started()
        await trio.sleep(15)
        assert not watching.final, watching.denied
        assert w.charged(watching) >= 5
        await w.end()

    play(tale)


# ElementsProject/lightning 9213: the signer has signed, the process dies before it has noted that,
# and what it asks for next contradicts what was signed.
def test_a_signer_that_knows_more_than_the_journal_refuses_nothing(tmp_path: Path) -> None:
    keyring = JudgedKeyring(tmp_path)
    sign = keyring.sign

    async def tale(w: World) -> None:
        deaths = [3, 5, 8]  # so many signatures later each time

        async def sign_and_die(asked: Asked, domain: Domain) -> SignedOrder:
            signed = await sign(asked, domain)
            if deaths and keyring.signed >= deaths[0]:
                del deaths[0]
                w.disk.crash_at(1, "before")
                w.network.take_down("A")  # so that it has nothing but its journal to go by
            return signed

        keyring.sign = sign_and_die  # type: ignore[method-assign]
        w.relayer.keyring = keyring
        await w.crash()
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        for _ in range(6):
            await trio.sleep(12)
            w.network.weather("A").down = False
        assert not deaths, "it did not die often enough"
        assert not watching.final, watching.denied
        watching.end("left")
        await trio.sleep(20)
        assert not keyring.refused, keyring.refused
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)
        await w.end()

    try:
        play(tale)
    finally:
        keyring.close()
