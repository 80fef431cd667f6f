"""Payers who paid twice, and relayers that paid for nothing, elsewhere.

Each comment names the failure; `docs/failures-of-others.md` has them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unittest import mock

import msgspec
import pytest
import trio

from offchain.keys.signer import Signer
from offchain.ledger.errors import DispatchFailed, TransactionRefused
from offchain.ledger.orders import SignedOrder
from offchain.ledger.types import BatchResult, Receipt
from tests.simulation.node import Endpoint
from tests.simulation.scenarios.stage import play
from tests.simulation.scenarios.tap import answer_lost, tapped
from tests.simulation.scenarios.test_failures_of_others_broadcasting import crowd
from tests.simulation.world import World


# aws-samples/sample-agentcore-cloudfront-x402-payments 40, x402-foundation/x402 1062: the settling
# succeeds, its answer does not come in time, and whoever has paid is asked to pay again.
def test_orders_whose_answers_are_lost_are_paid_once() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await w.blocks(3)
        with tapped() as tap:
            tap.after = answer_lost
            await viewer.join()  # is told that the chain does not answer
            await trio.sleep(20)
            tap.after = lambda handed: None
            watching = await viewer.watch()
            await trio.sleep(8)
            tap.after = answer_lost
            await trio.sleep(30)
            watching.end("left")
            await trio.sleep(10)
        ((_, grant),) = viewer.grants().items()
        assert grant.spent == w.charged(watching) * 1_000, "something else was paid, too"
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)
        await w.end()

    play(tale)


# x402-foundation/x402 803: one proof of payment opens the door as often as it is shown.
def test_a_resume_secret_lets_in_once() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(8)
        again = await viewer.join(resume=watching.resume)
        assert again is not None
        assert again.number == watching.number + 1
        assert again.ref == watching.ref
        assert await viewer.join(resume=watching.resume) is None, "the old secret still counts"
        await trio.sleep(12)
        assert watching.final
        assert not again.final
        again.end("left")
        await w.end()
        assert w.judges.opened == 1

    play(tale)


# superfluid-org/superfluid-sentinel 302: it tries to end what has ended, until all it had is spent.
@pytest.mark.parametrize("error", ["OrderStale", "TickTooSmall"])
def test_an_order_that_fails_in_its_batch_does_not_pay_in_every_one(error: str) -> None:
    tried: list[float] = []

    async def tale(w: World) -> None:
        watchings = await crowd(w, 40, apart_s=0.15)
        await trio.sleep(8)
        hopeless = watchings[0].ref
        submit = Endpoint.submit_batch

        async def submit_batch(
            self: Endpoint, signer: Signer, orders: Sequence[SignedOrder], **named: Any
        ) -> BatchResult:
            others = [each for each in orders if each.grant != hopeless.grant]
            result = await submit(self, signer, others, **named)
            if len(others) == len(orders):
                return result
            tried.append(trio.current_time())
            failed = DispatchFailed("PayStream", error, "whatever it is")
            return msgspec.structs.replace(
                result, failures={**result.failures, (hopeless.grant, hopeless.index): failed}
            )

        with mock.patch.object(Endpoint, "submit_batch", submit_batch):
            await trio.sleep(90)
        assert tried, "it was in no batch"
        assert len(tried) <= 2, f"{len(tried)} batches have paid for it in 90 s"
        await trio.sleep(20)
        await w.end()

    play(tale, judged=("charged", "ends"))


# The same for settling: somebody else was quicker, and the node
# that is asked does not know it yet.
def test_a_session_that_somebody_else_has_settled_is_not_settled_again_and_again() -> None:
    tried: list[float] = []
    settle = Endpoint.settle

    async def counted(self: Endpoint, *place: int, **named: Any) -> Receipt:
        tried.append(trio.current_time())
        return await settle(self, *place, **named)

    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        grant, index = watching.ref.grant, watching.ref.index
        w.relayer.keep_down = True
        w.relayer.kill("now")
        await w.relayer.stopped()
        watching.end("left")
        await trio.sleep(400)
        w.chain.call(lambda ledger: ledger.settle(grant, index))
        await w.blocks(2)
        assert not w.judges.open_sessions()
        w.node.behind = 60  # and stays so: it follows, two minutes late
        w.relayer.allow()
        await w.relayer.started()
        await trio.sleep(300)
        assert tried
        assert len(tried) <= 4, f"it sent {len(tried)} calls"

    with mock.patch.object(Endpoint, "settle", counted):
        play(tale, judged=("charged",))


# sky-ecosystem/pymaker 39: without money for its fee a transaction is never there, and is waited
# for without end.
def test_a_batch_that_nobody_answers_holds_its_ticks_for_no_longer_than_a_cadence() -> None:
    sent: list[int] = []

    async def submit_batch(self: Endpoint, *_: object, **__: object) -> BatchResult:
        sent.append(1)
        await trio.sleep_forever()
        raise AssertionError

    async def tale(w: World) -> None:
        watchings = await crowd(w, 12)
        await trio.sleep(40)
        assert sent
        waits = [watching.reasons for watching in watchings if watching.reasons]
        assert not waits, waits
        assert max(w.unpaid_s(watching) for watching in watchings) < 16
        await w.end()

    with mock.patch.object(Endpoint, "submit_batch", submit_batch):
        play(tale)


# connext/monorepo 6044: the relayers have no money left, and every transfer waits for hours.
def test_a_relayer_without_money_is_paid_all_the_same() -> None:
    tried: list[int] = []

    async def submit_batch(self: Endpoint, *_: object, **__: object) -> BatchResult:
        tried.append(1)
        raise TransactionRefused("Payment", "Payment", "the account cannot pay the fee")

    async def tale(w: World) -> None:
        watchings = await crowd(w, 12)
        await trio.sleep(150)
        assert 1 <= len(tried) <= 3, f"{len(tried)} tries in 150 s"
        for watching in watchings:
            watching.end("left")
        await w.end()
        assert max(w.unpaid_s(watching) for watching in watchings) < 2

    with mock.patch.object(Endpoint, "submit_batch", submit_batch):
        play(tale)


# stackup-wallet/stackup-bundler 139: two wishes, each of which can be paid, and not both.
def test_money_for_one_session_is_not_promised_to_two() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready(sessions_max=2, vault=30_000)
        await w.blocks(3)
        first, second = await viewer.join(1), await viewer.join(2)
        assert first is not None
        await trio.sleep(60)
        watchings = [each for each in (first, second) if each is not None]
        assert "open-refused" not in [each.denied for each in watchings]
        assert sum(w.charged(each) for each in watchings) >= 28
        for each in watchings:
            each.end("left")
        await w.end()
        assert max(w.unpaid_s(each) for each in watchings) < 3

    play(tale)


# livepeer/protocol 657: a payer has spent what was promised, and dust makes the claim worthless.
def test_a_vault_that_was_emptied_to_dust_takes_no_second_that_was_promised() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready(vault=200_000)
        watching = await viewer.watch()
        await trio.sleep(20)
        viewer.withdraw_all()
        await w.blocks(1)
        viewer.deposit(1)
        await trio.sleep(60)
        assert not watching.final, watching.denied
        watching.end("left")
        await w.end()
        assert watching.held_ms >= 78_000, watching.reasons
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)

    play(tale)
