"""Following a transaction: every end has an answer, and nothing waits for ever."""

from __future__ import annotations

from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from offchain.ledger.errors import (
    Banned,
    DispatchFailed,
    ForeignSignature,
    LaneFull,
    NodeUnreachable,
    NotIncluded,
    OrderRefused,
    Replayed,
    RpcError,
    Superseded,
    TransactionRefused,
)
from offchain.ledger.extrinsics import extrinsic_hash
from offchain.ledger.rpc import RpcClient, open_rpc
from offchain.ledger.runtime import Runtime
from offchain.ledger.submission import Place, Tracker, dry_run, submit
from offchain.ledger.types import Wait
from tests.ledger.fake_node import EXTRINSIC, WATCH, FakeChain, Refuse

URL = "ws://node:9944"


class PalletOfOneError:
    """All that refusals ask of a runtime."""

    def pallet_error(self, index: int) -> tuple[str, str]:
        return f"Error{index}", f"Remedy {index}."


RUNTIME = cast(Runtime, PalletOfOneError())


def tracker(rpc: RpcClient, *, order: bool = True, from_number: int = 9) -> Tracker:
    return Tracker(rpc, RUNTIME, EXTRINSIC, order=order, from_number=from_number)


async def follow(
    chain: FakeChain, *statuses: Any, wait: Wait = "in_block", order: bool = True
) -> Place:
    """Track with these statuses told one after the other."""
    async with open_rpc(URL, connect=chain.connect) as rpc, trio.open_nursery() as nursery:

        async def tell() -> None:
            await trio.sleep(1)
            for status in statuses:
                await chain.notify(WATCH, status)
                await trio.sleep(1)

        nursery.start_soon(tell)
        try:
            return await tracker(rpc, order=order).run(wait, 120)
        except (NotIncluded, TransactionRefused) as error:
            failure = error
        nursery.cancel_scope.cancel()
    raise failure


async def test_in_a_block(autojump_clock: MockClock) -> None:
    chain = FakeChain()
    block = chain.grow(b"\x01", EXTRINSIC)
    place = await follow(chain, "ready", {"broadcast": ["p"]}, {"inBlock": block})
    assert place == Place(block_hash=block, block_number=10, extrinsic_index=2)


async def test_finalized_after_a_retraction(autojump_clock: MockClock) -> None:
    chain = FakeChain()
    block = chain.grow(EXTRINSIC)
    chain.finalized = 10
    statuses = (
        "future",
        {"inBlock": "0x" + "99" * 32},
        {"retracted": "0x" + "99" * 32},
        {"inBlock": block},
        {"finalized": block},
    )
    place = await follow(chain, *statuses, wait="finalized")
    assert place.block_hash == block


async def test_a_late_finality_is_waited_for(autojump_clock: MockClock) -> None:
    chain = FakeChain()
    block = chain.grow(EXTRINSIC)
    async with open_rpc(URL, connect=chain.connect) as rpc, trio.open_nursery() as nursery:

        async def tell() -> None:
            await trio.sleep(1)
            await chain.notify(WATCH, {"finalityTimeout": block})
            await trio.sleep(5)
            chain.finalized = 10
            await chain.notify("chain_subscribeFinalizedHeads", chain.headers[10])

        nursery.start_soon(tell)
        place = await tracker(rpc).run("finalized", 120)
    assert place.block_hash == block


async def test_what_was_usurped_by_a_higher_total(autojump_clock: MockClock) -> None:
    with pytest.raises(Superseded, match="higher total"):
        await follow(FakeChain(), "ready", {"usurped": "0x" + "77" * 32})


async def test_what_was_usurped_by_another_nonce(autojump_clock: MockClock) -> None:
    with pytest.raises(NotIncluded, match="nonce"):
        await follow(FakeChain(), {"usurped": "0x" + "77" * 32}, order=False)


async def test_what_was_dropped(autojump_clock: MockClock) -> None:
    with pytest.raises(NotIncluded, match="pool is full"):
        await follow(FakeChain(), "ready", "dropped")


async def test_what_became_invalid_says_why(autojump_clock: MockClock) -> None:
    chain = FakeChain()
    chain.answers["state_call"] = lambda _p: "0x010003"
    with pytest.raises(Replayed):
        await follow(chain, "invalid")
    chain.answers["state_call"] = lambda _p: "0x01000711"
    with pytest.raises(OrderRefused, match=r"Error17.*Remedy 17"):
        await follow(chain, "invalid")
    chain.answers["state_call"] = lambda _p: "0x00"
    with pytest.raises(NotIncluded, match="sign it again"):
        await follow(chain, "invalid")


class RuntimeOfOneDispatchError(PalletOfOneError):
    """All that a dry run asks of a runtime."""

    def type_string(self, *path: str) -> str:
        return "::".join(path)

    def decode(self, type_string: str, raw: bytes) -> Any:
        assert type_string == "sp_runtime::DispatchError"
        return {"Token": raw.hex()}

    def dispatch_error(self, error: Any, where: str) -> DispatchFailed:
        return DispatchFailed("Token", error["Token"], "Too little", where)


async def test_what_would_fail_is_known_before_it_is_sent(autojump_clock: MockClock) -> None:
    runtime = cast(Runtime, RuntimeOfOneDispatchError())
    chain = FakeChain()
    async with open_rpc(URL, connect=chain.connect) as rpc:
        asked: list[Any] = []
        for answer, failed in {
            "0x0000": None,  # it would succeed
            "0x00010700": "Token.0700: Too little. It was not sent, and no fee was paid",
            "0x010001": None,  # the pool would refuse it, which costs nothing
        }.items():

            def state_call(params: Any, answer: str = answer) -> str:
                asked.append(params)
                return answer

            chain.answers["state_call"] = state_call
            found = await dry_run(rpc, runtime, EXTRINSIC)
            assert (None if found is None else str(found)) == failed
        assert asked[0][:2] == ["BlockBuilder_apply_extrinsic", "0x" + EXTRINSIC.hex()]

        def trapped(_params: Any) -> str:
            raise Refuse(4003, "Execution failed")

        chain.answers["state_call"] = trapped
        assert await dry_run(rpc, runtime, EXTRINSIC) is None  # this node cannot tell


async def test_silence_ends(autojump_clock: MockClock) -> None:
    with pytest.raises(NotIncluded, match="within 120 s"):
        await follow(FakeChain(), "ready")


async def test_a_lost_connection_leads_to_the_blocks(autojump_clock: MockClock) -> None:
    chain = FakeChain()
    async with open_rpc(URL, connect=chain.connect) as rpc, trio.open_nursery() as nursery:

        async def cut() -> None:
            await trio.sleep(1)
            chain.grow()
            chain.grow(EXTRINSIC)
            await chain.drop()

        nursery.start_soon(cut)
        place = await tracker(rpc).run("in_block", 120)
    assert (place.block_number, place.extrinsic_index) == (11, 1)


async def test_a_lost_transaction_is_handed_in_again(autojump_clock: MockClock) -> None:
    chain = FakeChain()
    async with open_rpc(URL, connect=chain.connect) as rpc, trio.open_nursery() as nursery:

        async def cut() -> None:
            await trio.sleep(1)
            await chain.drop()
            await trio.sleep(5)
            await chain.notify(WATCH, {"inBlock": chain.grow(EXTRINSIC)})

        nursery.start_soon(cut)
        place = await tracker(rpc).run("in_block", 120)
    assert place.block_number == 10
    assert [method for method, _ in chain.calls].count(WATCH) == 2


async def test_a_refusal_after_inclusion_is_no_refusal(autojump_clock: MockClock) -> None:
    chain = FakeChain()
    chain.grow(EXTRINSIC)

    def stale(_params: list[Any]) -> None:
        raise Refuse(1010, "Invalid Transaction", "Transaction is outdated")

    chain.answers[WATCH] = stale
    async with open_rpc(URL, connect=chain.connect) as rpc:
        place = await tracker(rpc).run("in_block", 120)
        assert place.block_number == 10
        with pytest.raises(Replayed):
            await tracker(rpc, from_number=10).run("in_block", 120)


async def test_what_another_hand_put_in_the_pool_is_found(autojump_clock: MockClock) -> None:
    chain = FakeChain()

    def known(_params: list[Any]) -> None:
        raise Refuse(1013, "Transaction Already Imported", "0x00")

    chain.answers[WATCH] = known
    async with open_rpc(URL, connect=chain.connect) as rpc, trio.open_nursery() as nursery:

        async def tell() -> None:
            await trio.sleep(2)
            chain.grow(EXTRINSIC)
            await chain.notify("chain_subscribeNewHeads", chain.headers[-1])

        nursery.start_soon(tell)
        place = await tracker(rpc).run("in_block", 120)
    assert place.block_number == 10


@pytest.mark.parametrize(
    ("code", "data", "kind", "reason"),
    [
        (1010, "Transaction is outdated", Replayed, "Stale"),
        (1010, "Transaction has a bad signature", ForeignSignature, "BadProof"),
        (1010, "Transaction would exhaust the block limits", LaneFull, "ExhaustsResources"),
        (1010, "Custom error: 33", OrderRefused, "Error33"),
        (1010, "something new", OrderRefused, "something new"),
        (1011, "CannotLookup", OrderRefused, "Unknown"),
        (1012, None, Banned, "Banned"),
        (1014, "too low", Superseded, "Superseded"),
        (1016, "limit", OrderRefused, "Dropped"),
    ],
)
async def test_each_refusal_has_its_class(
    autojump_clock: MockClock, code: int, data: str | None, kind: type[OrderRefused], reason: str
) -> None:
    def refuse(_params: list[Any]) -> None:
        raise Refuse(code, "Refused", data)

    chain = FakeChain()
    chain.answers["author_submitExtrinsic"] = refuse
    async with open_rpc(URL, connect=chain.connect) as rpc:
        with pytest.raises(kind) as raised:
            await submit(rpc, RUNTIME, EXTRINSIC, order=True)
        assert type(raised.value) is kind
        assert raised.value.reason == reason
        assert raised.value.docs
        with pytest.raises(TransactionRefused) as refused:
            await submit(rpc, RUNTIME, EXTRINSIC, order=False)
        assert not isinstance(refused.value, OrderRefused)


async def test_submitting_again_and_other_errors(autojump_clock: MockClock) -> None:
    chain = FakeChain()
    async with open_rpc(URL, connect=chain.connect) as rpc:
        assert await submit(rpc, RUNTIME, EXTRINSIC, order=True) == extrinsic_hash(EXTRINSIC)

        def known(_params: list[Any]) -> None:
            raise Refuse(1013, "Transaction Already Imported", "0x00")

        chain.answers["author_submitExtrinsic"] = known
        assert await submit(rpc, RUNTIME, EXTRINSIC, order=True) == extrinsic_hash(EXTRINSIC)

        def odd(_params: list[Any]) -> None:
            raise Refuse(-32601, "Method not found")

        chain.answers["author_submitExtrinsic"] = odd
        with pytest.raises(RpcError, match="Method not found"):
            await submit(rpc, RUNTIME, EXTRINSIC, order=True)
        chain.is_up = False
        await chain.drop()
        with pytest.raises(NodeUnreachable):
            await submit(rpc, RUNTIME, EXTRINSIC, order=True)
