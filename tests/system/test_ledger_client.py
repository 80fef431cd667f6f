"""The ledger client on a real node: the life of a session, and every way to be refused."""

from __future__ import annotations

import itertools
import lzma
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from substrateinterface import Keypair

from offchain.keys import LocalKey, dev_key, fresh_key
from offchain.ledger import (
    Close,
    Fund,
    Ledger,
    Open,
    Order,
    Payee,
    StreamChange,
    Terms,
    Tick,
    errors,
    open_ledger,
)
from offchain.ledger.errors import (
    BlockUnknown,
    DispatchFailed,
    ForeignSignature,
    OrderRefused,
    Replayed,
    SignatureMismatch,
    Superseded,
    TransactionRefused,
)
from offchain.ledger.extrinsics import Context, signed_v4
from offchain.ledger.orders import delegate_key, sign_grant_proof, sign_order
from offchain.ledger.runtime import Runtime
from offchain.ledger.submission import submit
from offchain.ledger.types import Receipt
from tests.system.node_process import NodeProcess

pytestmark = pytest.mark.system

UNIT = 10**12
RATE = UNIT // 1000
GAP_MS = 120_000
RECORDED = Path(__file__).parents[1] / "data" / "metadata-v14.scale.xz"
HOUR_MS = 3_600_000


class Viewing:
    """A stream, a grant on it, and the key that signs its orders."""

    def __init__(self, ledger: Ledger, stream: int, grant: int, key: LocalKey) -> None:
        self.ledger = ledger
        self.stream = stream
        self.grant = grant
        self.key = key

    def sign(self, order: Order, key: LocalKey | None = None) -> bytes:
        signer = key or self.key
        ledger = self.ledger
        return sign_order(signer, ledger.genesis_hash, ledger.pallet_index, self.grant, order)

    async def send(self, order: Order, key: LocalKey | None = None) -> Receipt:
        return await self.ledger.watch_order(self.grant, order, self.sign(order, key))

    async def submit(self, order: Order, key: LocalKey | None = None) -> str:
        return await self.ledger.submit_order(self.grant, order, self.sign(order, key))

    async def open(self, index: int = 0, seconds: int = 600, *, tick_price_max: int = 0) -> Receipt:
        now_ms = await self.ledger.now_ms()
        return await self.send(
            Open(
                index=index,
                stream=self.stream,
                rate_per_second=RATE,
                funds=seconds * RATE,
                start_at=now_ms - 4_000,
                tick_price_max=tick_price_max,
            )
        )

    async def wait_for_room(self, index: int, seconds: int) -> None:
        """Wait until the chain's clock allows a session that many seconds in all.

        The session is the best block's and the clock its parent's: the pool may still judge by
        that one when the best block has been announced already.
        """
        async with self.ledger.heads("best") as heads:
            async for head in heads:
                session = await self.ledger.session(self.grant, index, at=head.hash)
                assert session is not None
                now_ms = await self.ledger.now_ms(at=head.parent_hash)
                if (now_ms - session.billed_until) // 1000 >= seconds - session.seconds:
                    return

    async def next_total(self, index: int) -> int:
        """Wait until a session's total changes, and give it."""
        total = None
        with trio.fail_after(60):
            async with self.ledger.heads("best") as heads:
                async for head in heads:
                    session = await self.ledger.session(self.grant, index, at=head.hash)
                    assert session is not None
                    if total is not None and session.seconds != total:
                        return session.seconds
                    total = session.seconds
        raise AssertionError("the heads ended")


async def terms(ledger: Ledger, **changes: int) -> Terms:
    values = {
        "rate_max_per_second": RATE,
        "cap": 1000 * RATE,
        "sessions_max": 2,
        "gap_ms": GAP_MS,
        "expires_at": await ledger.now_ms() + HOUR_MS,
    }
    return Terms(**{**values, **changes})


async def give(
    ledger: Ledger, viewer: LocalKey, deposit: int, key: LocalKey | None = None, **changes: int
) -> Viewing:
    """Create a stream of Alice's, and let `viewer` deposit and grant a fresh key."""
    key = key or fresh_key()
    proof = sign_grant_proof(key, ledger.genesis_hash, ledger.pallet_index, viewer.address)
    stream, _ = await ledger.create_stream(dev_key("Alice"), rate_per_second=RATE)
    grant, _ = await ledger.deposit_and_grant(
        viewer, deposit, delegate_key(key), proof, await terms(ledger, **changes)
    )
    return Viewing(ledger, stream, grant, key)


@asynccontextmanager
async def viewing(
    node: NodeProcess, viewer: str, deposit: int = 10 * UNIT, **changes: int
) -> AsyncIterator[Viewing]:
    async with open_ledger(node.url) as ledger:
        yield await give(ledger, dev_key(viewer), deposit, None, **changes)


async def test_the_life_of_a_session(node: NodeProcess) -> None:
    alice, bob = dev_key("Alice"), dev_key("Bob")
    payees = (dev_key("Dave").address, dev_key("Eve").address)
    async with open_ledger(node.url) as ledger:
        stream, _ = await ledger.create_stream(
            alice,
            rate_per_second=RATE,
            payees=(
                Payee(account=payees[0], share=900_000),
                Payee(account=payees[1], share=100_000),
            ),
            funds_min=10 * RATE,
        )
        key = fresh_key()
        proof = sign_grant_proof(key, ledger.genesis_hash, ledger.pallet_index, bob.address)
        grant, _ = await ledger.deposit_and_grant(
            bob, UNIT, delegate_key(key), proof, await terms(ledger)
        )
        v = Viewing(ledger, stream, grant, key)
        vault_before = await ledger.vault(bob.address)
        received_before = [await ledger.free_balance(account) for account in payees]
        assert (await ledger.grants_of(bob.address))[grant].key == delegate_key(key)
        assert (await ledger.streams())[stream].owner == alice.address

        opened = await v.open()
        assert opened.event("SessionOpened").fields["grant"] == grant
        assert not any(event.name == "TransactionFeePaid" for event in opened.events)
        assert await ledger.vault(bob.address) == vault_before - 600 * RATE
        await v.wait_for_room(0, 6)
        ticked = await v.send(Tick(index=0, seconds=6))
        assert ticked.event("Ticked").fields["amount"] == 6 * RATE
        session = await ledger.session(grant, 0)
        assert session is not None
        assert (session.seconds, session.paid) == (6, 6 * RATE)
        assert await ledger.sessions(grant) == {0: session}
        assert await ledger.sessions_of([(grant, 0), (grant, 9)]) == {(grant, 0): session}
        assert (grant, 0) in await ledger.open_sessions()
        await v.wait_for_room(0, 8)
        closed = await v.send(Close(index=0, seconds=8))
        assert closed.event("SessionClosed").fields["reason"] == "Order"
        assert await ledger.sessions(grant) == {}

        claimed = await ledger.claim(alice, stream, wait="finalized")
        at = claimed.block_hash
        assert (await ledger.finalized_head()).number >= claimed.block_number
        paid = 8 * RATE
        received = [await ledger.free_balance(account, at=at) for account in payees]
        gained = [after - before for before, after in zip(received_before, received, strict=True)]
        assert gained == [paid * 9 // 10, paid // 10]
        entry = await ledger.stream(stream, at=at)
        assert entry is not None
        assert (entry.seconds, entry.earned, entry.earned_total) == (8, 0, paid)
        assert await ledger.vault(bob.address, at=at) == vault_before - paid

        await ledger.revoke(bob, grant)
        assert await ledger.grant(grant) is None
        await ledger.end_stream(alice, stream)
        ended = await ledger.stream(stream)
        assert ended is None or ended.status == "Ended"
        balance = await ledger.free_balance(bob.address)
        withdrawn = await ledger.withdraw(bob, vault_before - paid)
        fee = int(withdrawn.event("TransactionFeePaid", "TransactionPayment").fields["actual_fee"])
        assert await ledger.free_balance(bob.address) == balance + vault_before - paid - fee
        assert await ledger.vault(bob.address) == 0


async def test_a_delegate_may_be_an_ed25519_key(node: NodeProcess) -> None:
    key = LocalKey(Keypair.create_from_seed(secrets.token_bytes(32), crypto_type=0))
    async with open_ledger(node.url) as ledger:
        v = await give(ledger, dev_key("Eve"), UNIT, key)
        order = Open(index=0, stream=v.stream, rate_per_second=RATE, funds=UNIT // 2, start_at=0)
        await ledger.watch_order(v.grant, order, v.sign(order), scheme="ed25519")
        other = Tick(index=0, seconds=0)
        with pytest.raises(OrderRefused):
            await ledger.submit_order(v.grant, other, v.sign(other), scheme="sr25519")
        session = await ledger.session(v.grant, 0)
        assert session is not None
        assert session.key == delegate_key(key)
        closing = Close(index=0, seconds=1)
        await ledger.watch_order(v.grant, closing, v.sign(closing), scheme="ed25519")


async def test_a_block_that_the_node_does_not_have(node: NodeProcess) -> None:
    unknown = "0x" + "12" * 32
    async with open_ledger(node.url) as ledger:
        for read in (ledger.vault(dev_key("Bob").address, at=unknown), ledger.events(unknown)):
            with pytest.raises(BlockUnknown, match=unknown):
                await read
        with pytest.raises(BlockUnknown):
            await ledger.streams(at=unknown)
        head = await ledger.best_head()
        assert await ledger.block_hash(head.number) == head.hash
        assert await ledger.block_hash(head.number + 10**6) is None
        assert (await ledger.head(head.hash)) == head


async def test_the_recorded_runtime_is_this_nodes(node: NodeProcess) -> None:
    """With PAYSTREAM_RECORD=1 the record that the unit tests use is made again."""
    async with open_ledger(node.url) as ledger:
        metadata = bytes.fromhex((await ledger.rpc.call("state_getMetadata"))[2:])
        if os.environ.get("PAYSTREAM_RECORD"):
            RECORDED.write_bytes(lzma.compress(metadata, preset=9 | lzma.PRESET_EXTREME))
        recorded = Runtime("0x" + lzma.decompress(RECORDED.read_bytes()).hex(), "paystream", 1, 1)
        seen = ledger.runtime
        names = [extension.identifier for extension in recorded.extensions]
        assert [extension.identifier for extension in seen.extensions] == names
        assert seen.call_arguments("PayStream") == recorded.call_arguments("PayStream")
        assert seen.constants == recorded.constants
        for index in range(64):
            assert seen.pallet_error(index) == recorded.pallet_error(index)


async def test_every_refused_order_has_its_own_reason(node: NodeProcess) -> None:
    async with viewing(node, "Charlie") as v:
        await v.open()
        await v.wait_for_room(0, 6)
        first = Tick(index=0, seconds=6)
        signature = v.sign(first)
        await v.ledger.watch_order(v.grant, first, signature, wait="finalized")

        with pytest.raises(Replayed):
            await v.ledger.submit_order(v.grant, first, signature)
        with pytest.raises(Replayed):
            await v.submit(first)
        await v.wait_for_room(0, 12)
        with pytest.raises(ForeignSignature):
            await v.submit(Tick(index=0, seconds=12), fresh_key())
        with pytest.raises(OrderRefused) as refused:
            await v.submit(Tick(index=0, seconds=500))
        assert refused.value.reason == "AheadOfClock"
        assert "next block" in str(refused.value)
        reasons: dict[str, Order] = {
            "TotalLower": Tick(index=0, seconds=5),
            "SessionNotFound": Tick(index=7, seconds=6),
            "FundsNotHigher": Fund(index=0, funds=1),
            "FundTooEarly": Fund(index=0, funds=700 * RATE),
            "RateMismatch": Open(
                index=1, stream=v.stream, rate_per_second=1, funds=UNIT, start_at=0
            ),
            "IndexNotNext": Open(
                index=5, stream=v.stream, rate_per_second=RATE, funds=UNIT, start_at=0
            ),
            "StreamNotFound": Open(
                index=1, stream=10**9, rate_per_second=RATE, funds=UNIT, start_at=0
            ),
            "CapTooLow": Open(
                index=1, stream=v.stream, rate_per_second=RATE, funds=401 * RATE, start_at=0
            ),
        }
        seen = {}
        for reason, order in reasons.items():
            with pytest.raises(OrderRefused) as refused:
                await v.submit(order)
            assert refused.value.docs
            seen[reason] = refused.value.reason
        assert seen == {reason: reason for reason in reasons}
        other = Tick(index=0, seconds=7)
        assert await v.ledger.check_order(v.grant, other, v.sign(other, fresh_key()))
        closing = Close(index=0, seconds=7)
        assert await v.ledger.check_order(v.grant, closing, v.sign(closing)) is None
        await v.send(closing)
        with pytest.raises(Replayed):
            await v.submit(Close(index=0, seconds=7))


async def test_a_higher_total_takes_the_lower_ones_place(node: NodeProcess) -> None:
    async with viewing(node, "Charlie") as v:
        await v.open()
        await v.wait_for_room(0, 8)
        async with v.ledger.heads("best") as heads:
            await anext(heads)
            await anext(heads)  # two seconds until the next block, from here
            lower = Tick(index=0, seconds=6)
            await v.submit(lower)
            await v.submit(Tick(index=0, seconds=8))
            with pytest.raises(Superseded):
                await v.submit(Tick(index=0, seconds=7))
        assert await v.next_total(0) == 8


async def test_an_order_already_in_the_pool_is_taken(node: NodeProcess) -> None:
    async with viewing(node, "Charlie") as v:
        await v.open()
        await v.wait_for_room(0, 8)
        order = Tick(index=0, seconds=8)
        signature = v.sign(order)
        async with v.ledger.heads("best") as heads:
            await anext(heads)
            await anext(heads)
            first = await v.ledger.submit_order(v.grant, order, signature)
            again = await v.ledger.submit_order(v.grant, order, signature)
        assert first == again


async def test_a_usurped_order_is_told_so(node: NodeProcess) -> None:
    async with viewing(node, "Charlie") as v:
        await v.open()
        await v.wait_for_room(0, 9)
        async with v.ledger.heads("best") as heads:
            await anext(heads)
            await anext(heads)
            async with trio.open_nursery() as nursery:

                async def lower() -> None:
                    with pytest.raises(Superseded):
                        await v.send(Tick(index=0, seconds=6))

                nursery.start_soon(lower)
                await trio.sleep(0.2)
                await v.send(Tick(index=0, seconds=9))


async def test_the_docs_of_a_failed_call(node: NodeProcess) -> None:
    async with open_ledger(node.url) as ledger:
        with pytest.raises(errors.by_name("VaultTooLow"), match="Deposit first") as raised:
            await ledger.withdraw(dev_key("Ferdie"), 10**30)
        assert raised.value.module == "PayStream"
        with pytest.raises(errors.by_name("StreamNotFound")):
            await ledger.end_stream(dev_key("Ferdie"), 10**9)
        with pytest.raises(DispatchFailed, match=r"block [0-9]+"):
            await ledger.claim(dev_key("Ferdie"), 10**9)


async def test_a_stream_is_paused_and_changed(node: NodeProcess) -> None:
    alice = dev_key("Alice")
    async with open_ledger(node.url) as ledger:
        stream, _ = await ledger.create_stream(alice, rate_per_second=RATE)
        await ledger.update_stream(alice, stream, StreamChange(paused=True))
        entry = await ledger.stream(stream)
        assert entry is not None
        assert (entry.status, len(entry.stops)) == ("Paused", 1)
        eve = dev_key("Eve").address
        change = StreamChange(
            paused=False, rate_per_second=7, payees=(Payee(account=eve, share=1_000_000),)
        )
        await ledger.update_stream(alice, stream, change)
        entry = await ledger.stream(stream)
        assert entry is not None
        assert (entry.status, entry.rate_per_second) == ("Active", 7)
        assert entry.payees == (Payee(account=eve, share=1_000_000),)


async def test_submissions_of_one_account_do_not_collide(node: NodeProcess) -> None:
    ferdie = dev_key("Ferdie")
    async with open_ledger(node.url) as ledger, open_ledger(node.url) as other:
        before = await ledger.vault(ferdie.address)
        receipts: list[Receipt] = []

        async def deposit(through: Ledger, amount: int) -> None:
            receipts.append(await through.deposit(ferdie, amount))

        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(deposit, ledger, UNIT + number)
            nursery.start_soon(deposit, other, UNIT)
        assert await ledger.vault(ferdie.address) == before + 4 * UNIT + 3
        assert len({receipt.tx_hash for receipt in receipts}) == 4


async def test_an_extrinsic_dies_with_its_era(node: NodeProcess) -> None:
    async with open_ledger(node.url) as ledger:
        ferdie = dev_key("Ferdie")
        birth = await ledger.finalized_head()
        nonce = await ledger.rpc.call("system_accountNextIndex", [ferdie.address])
        context = Context(
            genesis_hash=ledger.genesis_hash,
            nonce=nonce,
            era_blocks=4,
            birth_number=birth.number,
            birth_hash=birth.hash,
        )
        extrinsic = signed_v4(ledger.runtime, context, ferdie, ledger.calls.deposit(UNIT))
        async with ledger.heads("best") as heads:
            async for head in heads:
                if head.number > birth.number + 5:
                    break
        with pytest.raises(TransactionRefused) as refused:
            await submit(ledger.rpc, ledger.runtime, extrinsic, order=False)
        assert refused.value.reason in ("BadProof", "AncientBirthBlock")


async def test_a_wallets_signature_is_assembled(node: NodeProcess) -> None:
    ferdie = dev_key("Ferdie")
    async with open_ledger(node.url) as ledger:
        before = await ledger.vault(ferdie.address)
        call = ledger.calls.deposit(2 * UNIT)
        payload = await ledger.signer_payload(ferdie.address, call)
        assert payload.json["method"] == "0x" + call.hex()
        wrong = dev_key("Eve").sign(payload.message)
        with pytest.raises(SignatureMismatch):
            await ledger.submit_wallet_signed(payload, "0x01" + wrong.hex())
        signature = "0x01" + ferdie.sign(payload.message).hex()
        receipt = await ledger.submit_wallet_signed(payload, signature)
        again = await ledger.submit_wallet_signed(payload, signature)
        assert (again.block_hash, again.extrinsic_index) == (
            receipt.block_hash, receipt.extrinsic_index,
        )  # fmt: skip
        assert receipt.event("Deposited").fields["who"] == ferdie.address
        assert await ledger.vault(ferdie.address) == before + 2 * UNIT
        assert (await ledger.finalized(receipt)).block_hash == receipt.block_hash


async def test_a_fee_is_known_before(node: NodeProcess) -> None:
    ferdie = dev_key("Ferdie")
    async with open_ledger(node.url) as ledger:
        call = ledger.calls.deposit(UNIT)
        fee = await ledger.fee(call, ferdie.address)
        assert 0 < fee.partial_fee < UNIT
        assert fee.ref_time_ps > 0
        receipt = await ledger.submit_signed(call, ferdie)
        paid = receipt.event("TransactionFeePaid", "TransactionPayment").fields["actual_fee"]
        assert int(paid) <= fee.partial_fee


async def test_heads_come_in_order_over_a_restart(own_node: NodeProcess) -> None:
    async with open_ledger(own_node.url) as ledger, ledger.heads("finalized") as heads:
        seen = [await anext(heads) for _ in range(2)]
        own_node.kill()
        await trio.to_thread.run_sync(own_node.start)
        with trio.fail_after(60):
            while len(seen) < 6:
                seen.append(await anext(heads))
        numbers = [head.number for head in seen]
        assert numbers == list(range(numbers[0], numbers[0] + 6))
        for before, after in itertools.pairwise(seen):
            assert after.parent_hash == before.hash


async def test_a_deposit_survives_the_nodes_restart(own_node: NodeProcess) -> None:
    async with open_ledger(own_node.url, timeout_s=60) as ledger:
        bob = dev_key("Bob")
        await ledger.deposit(bob, UNIT, wait="finalized")

        async with trio.open_nursery() as nursery:
            receipts: list[Receipt] = []

            async def deposit() -> None:
                receipts.append(await ledger.deposit(bob, UNIT, wait="finalized"))

            nursery.start_soon(deposit)
            await trio.sleep(0.1)
            own_node.kill()
            await trio.to_thread.run_sync(own_node.start)
        assert len(receipts) == 1
        assert await ledger.vault(bob.address) == 2 * UNIT
