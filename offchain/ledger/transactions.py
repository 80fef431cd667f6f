"""The half of the ledger client that sends: orders, signed calls, and what wallets sign."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

import trio

from offchain.keys.signer import Signer, verify
from offchain.ledger import chain
from offchain.ledger.calls import Calls
from offchain.ledger.errors import NotIncluded, SignatureMismatch, TransactionRefused
from offchain.ledger.extrinsics import (
    ERA_BLOCKS,
    Context,
    assemble,
    general_v5,
    mortal_general_v5,
    signed_payload,
    signed_v4,
    unsigned_sample,
)
from offchain.ledger.orders import Order, SignedOrder
from offchain.ledger.rpc import RpcClient
from offchain.ledger.runtime import Runtime
from offchain.ledger.submission import Place, Tracker, check, dry_run, submit
from offchain.ledger.types import (
    NATIVE,
    Asset,
    BatchResult,
    DelegateKey,
    Event,
    Fee,
    Payee,
    Receipt,
    SignedPayload,
    StreamChange,
    Terms,
    Wait,
    account_id,
    address,
)

_ATTEMPTS: Final = 4
_TIMEOUT_S: Final = 120.0
_NONCE_REASONS: Final = frozenset({"Stale", "Superseded"})
_SCHEME_BYTES: Final = {0: "ed25519", 1: "sr25519"}


class _Nonces:
    """The nonces of one account that are under way from this client."""

    def __init__(self) -> None:
        self.lock = trio.Lock()
        self.pending: set[int] = set()


class Transactions(ABC):
    """What `Ledger` inherits; it is not made by itself."""

    rpc: RpcClient
    calls: Calls
    genesis_hash: str

    def __init__(self) -> None:
        self._nonces: dict[bytes, _Nonces] = {}

    @property
    @abstractmethod
    def runtime(self) -> Runtime:
        """The chain's current runtime."""

    @abstractmethod
    async def events(self, block_hash: str) -> tuple[Event, ...]:
        """Read and decode a block's events."""

    # -- orders --------------------------------------------------------------------------------

    def order_extrinsic(
        self, grant: int, order: Order, signature: bytes, scheme: str = "sr25519"
    ) -> bytes:
        """Make the general transaction that carries an order. Raises OrderInvalid."""
        call = self.calls.submit(grant, order, signature, scheme)
        return general_v5(self.runtime, call)

    async def submit_order(
        self, grant: int, order: Order, signature: bytes, *, scheme: str = "sr25519"
    ) -> str:
        """Give an order to the node's pool and return the transaction's hash once it is taken.

        "Already in the pool" counts as taken. Raises Replayed, ForeignSignature, Superseded,
        LaneFull, Banned or another OrderRefused; `reason` then names the pallet's error. Raises
        NodeUnreachable where it is unknown what the node did: sending again is harmless.
        """
        extrinsic = self.order_extrinsic(grant, order, signature, scheme)
        return await submit(self.rpc, self.runtime, extrinsic, order=True)

    async def check_order(
        self, grant: int, order: Order, signature: bytes, *, scheme: str = "sr25519"
    ) -> TransactionRefused | None:
        """Ask whether the chain would take an order now, without sending it; None is yes."""
        extrinsic = self.order_extrinsic(grant, order, signature, scheme)
        return await check(self.rpc, self.runtime, extrinsic, order=True)

    async def watch_order(
        self,
        grant: int,
        order: Order,
        signature: bytes,
        *,
        scheme: str = "sr25519",
        wait: Wait = "in_block",
        timeout_s: float = _TIMEOUT_S,
    ) -> Receipt:
        """Send an order and follow it to its block, or to finality.

        Raises as `submit_order`, DispatchFailed where it was included and failed, and NotIncluded.
        """
        extrinsic = self.order_extrinsic(grant, order, signature, scheme)
        return await self._follow(extrinsic, wait, timeout_s, order=True)

    async def submit_batch(
        self,
        signer: Signer,
        orders: Sequence[SignedOrder],
        *,
        wait: Wait = "in_block",
        timeout_s: float = _TIMEOUT_S,
    ) -> BatchResult:
        """Send orders in one transaction of an account, and tell what came of each of them.

        The signer pays a fee, which the chain gives back for orders that the free lane would have
        taken. Raises OrderInvalid, and as `submit_signed` where the whole batch failed.
        """
        call = self.calls.submit_batch(orders)
        receipt = await self.submit_signed(call, signer, wait=wait, timeout_s=timeout_s)
        return read_batch(self.runtime, receipt)

    # -- calls that nobody signs ---------------------------------------------------------------

    async def submit_unsigned(
        self, call: bytes, *, wait: Wait = "in_block", timeout_s: float = _TIMEOUT_S
    ) -> Receipt:
        """Send a call that the ledger takes without a signature; it costs nothing.

        Raises OrderRefused (`reason` names the pallet's error) where the ledger would not do it,
        Superseded where the same call waits already, LaneFull, NotIncluded and NodeUnreachable.
        """
        context = await self._mortal_context(nonce=0, tip=0)
        extrinsic = mortal_general_v5(self.runtime, context, call)
        return await self._follow(extrinsic, wait, timeout_s, order=True)

    async def settle(self, grant: int, index: int, *, wait: Wait = "in_block") -> Receipt:
        """Close a session that has ended and whose window is over; nobody signs it, or pays."""
        return await self.submit_unsigned(self.calls.settle(grant, index), wait=wait)

    async def claim_last(self, stream: int, *, wait: Wait = "in_block") -> Receipt:
        """Pay the last earnings of an ended stream to its payees; nobody signs it, or pays.

        It must have neither sessions nor subscriptions; then its entry and its deposit go.
        """
        return await self.submit_unsigned(self.calls.claim(stream), wait=wait)

    # -- signed calls --------------------------------------------------------------------------

    async def compose(self, pallet: str, call: str, params: dict[str, Any]) -> bytes:
        """Encode any call of the runtime; arguments as scalecodec takes them. Raises CallInvalid.

        `Ledger.calls` has the pallet's own calls with typed arguments.
        """
        return self.runtime.compose(pallet, call, params)

    async def fee(self, call: bytes, account: str | bytes) -> Fee:
        """Ask what a signed call would cost `account`, without sending anything."""
        context = await self._mortal_context(await self._pool_nonce(account), tip=0)
        sample = unsigned_sample(self.runtime, context, account, call)
        answer = await self.rpc.call("payment_queryInfo", ["0x" + sample.hex()])
        return Fee(
            partial_fee=int(answer["partialFee"]),
            ref_time_ps=int(answer["weight"]["ref_time"]),
            proof_size_bytes=int(answer["weight"]["proof_size"]),
            dispatch_class=answer["class"],
        )

    async def submit_signed(
        self,
        call: bytes,
        signer: Signer,
        *,
        wait: Wait = "in_block",
        timeout_s: float = _TIMEOUT_S,
        tip: int = 0,
        try_first: bool = False,
    ) -> Receipt:
        """Sign a call for two minutes of blocks, send it, and follow it to its block or finality.

        With `try_first` the node executes it for itself before it is sent: what fails there raises
        DispatchFailed and costs no fee.
        The nonce follows the pool, so several submissions of one account may be under way at
        once; one that another program took is tried again with the next. Raises DispatchFailed
        (its subclass for the pallet's error), TransactionRefused, NotIncluded, NodeUnreachable.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._sign_and_follow(
                    call, signer, wait, timeout_s, tip, try_first=try_first
                )
            except TransactionRefused as refused:
                if refused.reason not in _NONCE_REASONS or attempt == _ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    async def _sign_and_follow(
        self,
        call: bytes,
        signer: Signer,
        wait: Wait,
        timeout_s: float,
        tip: int,
        *,
        try_first: bool,
    ) -> Receipt:
        nonces = self._nonces.setdefault(signer.public_key, _Nonces())
        nonce: int | None = None
        # held until the pool has the transaction: only then does the next nonce count from it
        await nonces.lock.acquire()
        is_held = True

        def release() -> None:
            nonlocal is_held
            if is_held:
                is_held = False
                nonces.lock.release()

        try:
            nonce = await self._next_nonce(signer.public_key, nonces)
            nonces.pending.add(nonce)
            context = await self._mortal_context(nonce, tip)
            extrinsic = signed_v4(self.runtime, context, signer, call)
            if try_first:
                await self._try(extrinsic)
            tracker = Tracker(
                self.rpc, self.runtime, extrinsic, order=False, from_number=context.birth_number
            )
            place = await tracker.run(wait, timeout_s, on_accepted=release)
        finally:
            release()
            if nonce is not None:
                nonces.pending.discard(nonce)
        return await self._receipt(tracker.hash, place)

    async def _try(self, extrinsic: bytes) -> None:
        """Let the node execute a signed transaction for itself. Raises DispatchFailed."""
        failed = await dry_run(self.rpc, self.runtime, extrinsic)
        if failed is not None:
            raise failed

    async def _pool_nonce(self, account: str | bytes) -> int:
        return int(await self.rpc.call("system_accountNextIndex", [address(account)]))

    async def _next_nonce(self, public_key: bytes, nonces: _Nonces) -> int:
        nonce = await self._pool_nonce(public_key)
        while nonce in nonces.pending:
            nonce += 1
        return nonce

    async def _mortal_context(self, nonce: int, tip: int) -> Context:
        """Begin the era at the finalized block; where finality lags far behind, at the best."""
        best = await chain.read_head(self.rpc)
        birth = await chain.read_finalized_head(self.rpc)
        if best.number - birth.number > ERA_BLOCKS // 2:
            birth = best
        return Context(
            genesis_hash=self.genesis_hash,
            nonce=nonce,
            tip=tip,
            era_blocks=ERA_BLOCKS,
            birth_number=birth.number,
            birth_hash=birth.hash,
        )

    async def _follow(
        self,
        extrinsic: bytes,
        wait: Wait,
        timeout_s: float,
        *,
        order: bool,
        since: int | None = None,
    ) -> Receipt:
        """Hand in and follow; `since` is the block after which it may be in one already."""
        if since is None:
            since = (await chain.read_head(self.rpc)).number
        tracker = Tracker(self.rpc, self.runtime, extrinsic, order=order, from_number=since)
        return await self._receipt(tracker.hash, await tracker.run(wait, timeout_s))

    async def _receipt(self, tx_hash: str, place: Place) -> Receipt:
        """Collect a transaction's events. Raises DispatchFailed where it failed."""
        events = tuple(
            event
            for event in await self.events(place.block_hash)
            if event.extrinsic_index == place.extrinsic_index
        )
        for event in events:
            if (event.pallet, event.name) == ("System", "ExtrinsicFailed"):
                where = f" (block {place.block_number}, transaction {tx_hash})"
                raise self.runtime.dispatch_error(event.fields["dispatch_error"], where)
            if (event.pallet, event.name) == ("Sudo", "Sudid"):
                self._check_sudo(event, place, tx_hash)
        return Receipt(
            tx_hash=tx_hash,
            block_hash=place.block_hash,
            block_number=place.block_number,
            extrinsic_index=place.extrinsic_index,
            events=events,
        )

    def _check_sudo(self, event: Event, place: Place, tx_hash: str) -> None:
        """Raise what an operator's call failed with: the transaction around it succeeds."""
        result = event.fields["sudo_result"]
        if isinstance(result, dict) and "Err" in result:
            where = f" (block {place.block_number}, transaction {tx_hash})"
            raise self.runtime.dispatch_error(result["Err"], where)

    async def finalized(self, receipt: Receipt, *, timeout_s: float = _TIMEOUT_S) -> Receipt:
        """Wait until a receipt's block is finalized, and give the receipt again.

        Raises NotIncluded where a reorganisation put another block in its place, or in time.
        """
        with trio.move_on_after(timeout_s):
            block_hash = await chain.wait_finalized(self.rpc, receipt.block_number)
            if block_hash == receipt.block_hash:
                return receipt
            raise NotIncluded(
                receipt.tx_hash, "retracted", "its block was replaced: send the call again"
            )
        raise NotIncluded(
            receipt.tx_hash,
            "not finalized",
            f"block {receipt.block_number} was not finalized within {timeout_s:g} s. Check that "
            "enough validators are running",
        )

    # -- wallets -------------------------------------------------------------------------------

    async def signer_payload(self, account: str, call: bytes, *, tip: int = 0) -> SignedPayload:
        """Make what a browser's wallet signs for a call: `payload.json` is for `signPayload`.

        It is good for two minutes of blocks. Raises AddressInvalid and NodeUnreachable.
        """
        public_key = account_id(account)
        nonces = self._nonces.setdefault(public_key, _Nonces())
        context = await self._mortal_context(await self._next_nonce(public_key, nonces), tip)
        return signed_payload(self.runtime, context, account, call)

    async def submit_wallet_signed(
        self,
        payload: SignedPayload,
        signature: str,
        *,
        wait: Wait = "in_block",
        timeout_s: float = _TIMEOUT_S,
        try_first: bool = True,
    ) -> Receipt:
        """Put a wallet's signature to its payload, send it and follow it.

        Sending it again after its answer was lost does nothing twice: where it is in a block since
        its era began, it is found there, and once its era is over it is refused.

        `signature` is the wallet's `0x` hex, a `MultiSignature`. Raises SignatureMismatch before
        anything is sent, else as `submit_signed`; without `try_first` what would fail is sent.
        """
        extrinsic = assemble(payload, checked_signature(payload, signature))
        if try_first:
            await self._try(extrinsic)
        birth = int(payload.json["blockNumber"], 16)
        return await self._follow(extrinsic, wait, timeout_s, order=False, since=birth)

    # -- the pallet's calls --------------------------------------------------------------------

    async def create_stream(
        self,
        signer: Signer,
        *,
        rate_per_second: int,
        payees: Sequence[Payee] = (),
        funds_min: int = 0,
        gap_min_ms: int | None = None,
        asset: Asset = NATIVE,
        wait: Wait = "in_block",
    ) -> tuple[int, Receipt]:
        """Create a stream; gives its id. Without payees the signer receives everything."""
        call = self.calls.create_stream(
            rate_per_second=rate_per_second,
            payees=payees,
            funds_min=funds_min,
            gap_min_ms=gap_min_ms,
            asset=asset,
        )
        receipt = await self.submit_signed(call, signer, wait=wait)
        return int(receipt.event("StreamCreated").fields["stream"]), receipt

    async def update_stream(
        self, signer: Signer, stream: int, change: StreamChange, *, wait: Wait = "in_block"
    ) -> Receipt:
        """Change, pause or resume a stream; the signer is its owner."""
        call = self.calls.update_stream(stream, change)
        return await self.submit_signed(call, signer, wait=wait)

    async def end_stream(self, signer: Signer, stream: int, *, wait: Wait = "in_block") -> Receipt:
        """End a stream for good; the signer is its owner."""
        return await self.submit_signed(self.calls.end_stream(stream), signer, wait=wait)

    async def deposit(
        self, signer: Signer, amount: int, *, asset: Asset = NATIVE, wait: Wait = "in_block"
    ) -> Receipt:
        """Put `amount` into the signer's vault."""
        return await self.submit_signed(self.calls.deposit(amount, asset), signer, wait=wait)

    async def withdraw(
        self, signer: Signer, amount: int, *, asset: Asset = NATIVE, wait: Wait = "in_block"
    ) -> Receipt:
        """Take `amount` out of the signer's vault."""
        return await self.submit_signed(self.calls.withdraw(amount, asset), signer, wait=wait)

    async def give_grant(
        self,
        signer: Signer,
        key: DelegateKey,
        proof: bytes,
        terms: Terms,
        *,
        wait: Wait = "in_block",
    ) -> tuple[int, Receipt]:
        """Allow a delegate key to spend under `terms`; gives the grant's id."""
        receipt = await self.submit_signed(self.calls.grant(key, proof, terms), signer, wait=wait)
        return int(receipt.event("Granted").fields["grant"]), receipt

    async def deposit_and_grant(
        self,
        signer: Signer,
        amount: int,
        key: DelegateKey,
        proof: bytes,
        terms: Terms,
        *,
        wait: Wait = "in_block",
    ) -> tuple[int, Receipt]:
        """Deposit and grant in one transaction, both or neither; gives the grant's id."""
        call = self.calls.deposit_and_grant(amount, key, proof, terms)
        receipt = await self.submit_signed(call, signer, wait=wait)
        return int(receipt.event("Granted").fields["grant"]), receipt

    async def revoke(self, signer: Signer, grant: int, *, wait: Wait = "in_block") -> Receipt:
        """End a grant and its sessions at once; the signer is its viewer."""
        return await self.submit_signed(self.calls.revoke(grant), signer, wait=wait)

    async def claim(self, signer: Signer, stream: int, *, wait: Wait = "in_block") -> Receipt:
        """Pay a stream's earnings to its payees; anyone may."""
        return await self.submit_signed(self.calls.claim(stream), signer, wait=wait)


def read_batch(runtime: Runtime, receipt: Receipt) -> BatchResult:
    """Read what came of a batch from its transaction's events."""
    done = receipt.event("BatchDone").fields
    where = f" (block {receipt.block_number}, transaction {receipt.tx_hash})"
    failures = {
        (int(event.fields["grant"]), int(event.fields["index"])): runtime.dispatch_error(
            event.fields["error"], where
        )
        for event in receipt.events
        if (event.pallet, event.name) == ("PayStream", "OrderFailed")
    }
    return BatchResult(
        receipt=receipt,
        counted=int(done["counted"]),
        free=int(done["free"]),
        failures=failures,
    )


def checked_signature(payload: SignedPayload, signature: str) -> bytes:
    """Read a wallet's signature and check it. Raises SignatureMismatch."""
    try:
        raw = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError:
        raise SignatureMismatch(payload.account) from None
    scheme = _SCHEME_BYTES.get(raw[0]) if len(raw) == 65 else None
    public_key = account_id(payload.account)
    if scheme is None or not verify(scheme, public_key, payload.message, raw[1:]):
        raise SignatureMismatch(payload.account)
    return raw
