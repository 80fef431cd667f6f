"""The pallet's calls as bytes, for wallets to sign and for the client to submit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from offchain.ledger.entries import (
    account_value,
    asset_value,
    change_value,
    key_value,
    payees_value,
    signature_value,
    terms_value,
    tier_value,
)
from offchain.ledger.orders import Order, OrderInvalid, SignedOrder, encode_signed
from offchain.ledger.runtime import PALLET, Runtime
from offchain.ledger.scale import compact
from offchain.ledger.types import (
    NATIVE,
    Asset,
    DelegateKey,
    Payee,
    StreamChange,
    Terms,
    Tier,
)


class Calls:
    """Encodes calls for the runtime that is current at the moment; see the pallet for their rules.

    Amounts are in the asset's smallest unit. All raise CallInvalid where an argument does not fit.
    """

    def __init__(self, runtime: Callable[[], Runtime]) -> None:
        self._runtime = runtime

    def create_stream(
        self,
        *,
        rate_per_second: int,
        payees: Sequence[Payee] = (),
        funds_min: int = 0,
        gap_min_ms: int | None = None,
        asset: Asset = NATIVE,
    ) -> bytes:
        """`PayStream.create_stream`: no payees means that the owner receives everything.

        `gap_min_ms` is the runtime's smallest (`GapMinMs`) unless given.
        """
        least_ms = self._runtime().constants.gap_min_ms
        return self._call(
            "create_stream",
            asset=asset_value(asset),
            rate_per_second=rate_per_second,
            payees=payees_value(payees),
            funds_min=funds_min,
            gap_min_ms=least_ms if gap_min_ms is None else gap_min_ms,
        )

    def update_stream(self, stream: int, change: StreamChange) -> bytes:
        """`PayStream.update_stream`."""
        return self._call("update_stream", stream=stream, change=change_value(change))

    def end_stream(self, stream: int) -> bytes:
        """`PayStream.end_stream`."""
        return self._call("end_stream", stream=stream)

    def deposit(self, amount: int, asset: Asset = NATIVE) -> bytes:
        """`PayStream.deposit`: from the account's free balance into its vault."""
        return self._call("deposit", asset=asset_value(asset), amount=amount)

    def withdraw(self, amount: int, asset: Asset = NATIVE) -> bytes:
        """`PayStream.withdraw`: from the account's vault into its free balance."""
        return self._call("withdraw", asset=asset_value(asset), amount=amount)

    def grant(self, key: DelegateKey, proof: bytes, terms: Terms) -> bytes:
        """`PayStream.grant`; `proof` is the key's signature over `grant_proof_message`."""
        return self._call(
            "grant",
            key=key_value(key),
            proof=signature_value(key.scheme, proof),
            terms=terms_value(terms),
        )

    def deposit_and_grant(self, amount: int, key: DelegateKey, proof: bytes, terms: Terms) -> bytes:
        """Both in one `Utility.batch_all`: one signature of the wallet, and all or nothing."""
        calls = [self.deposit(amount, terms.asset), self.grant(key, proof, terms)]
        return self._runtime().compose_batch(calls)

    def revoke(self, grant: int) -> bytes:
        """`PayStream.revoke`."""
        return self._call("revoke", grant=grant)

    def settle(self, grant: int, index: int) -> bytes:
        """`PayStream.settle`: close a session whose window is over."""
        return self._call("settle", grant=grant, index=index)

    def claim(self, stream: int) -> bytes:
        """`PayStream.claim`: pay a stream's earnings to its payees."""
        return self._call("claim", stream=stream)

    def submit(self, grant: int, order: Order, signature: bytes, scheme: str = "sr25519") -> bytes:
        """`PayStream.submit`: the call that a general transaction carries an order in.

        Encoded by hand, as orders are: a relayer sends thousands. Raises OrderInvalid.
        """
        signed = SignedOrder(grant=grant, order=order, signature=signature, scheme=scheme)
        return self._runtime().call_head(PALLET, "submit") + encode_signed(signed)

    def submit_batch(self, orders: Sequence[SignedOrder]) -> bytes:
        """`PayStream.submit_batch`: orders of any grants, which this puts in their order.

        Raises OrderInvalid where there is none, more than a batch takes, or two for one session.
        """
        ordered = sorted(orders, key=lambda signed: signed.place)
        most = self._runtime().constants.batch_orders_max
        if not 1 <= len(ordered) <= most:
            raise OrderInvalid(f"a batch of {len(ordered)} orders: give 1 to {most}")
        if len({signed.place for signed in ordered}) < len(ordered):
            raise OrderInvalid("two orders of a batch are for the same session: give one of them")
        head = self._runtime().call_head(PALLET, "submit_batch")
        return head + compact(len(ordered)) + b"".join(map(encode_signed, ordered))

    def tip(self, stream: int, amount: int, message: bytes = b"") -> bytes:
        """`PayStream.tip`: from the signer's vault to a stream, with a message for all to read."""
        return self._call("tip", stream=stream, amount=amount, message=message)

    def refund(self, stream: int, viewer: str | bytes, amount: int) -> bytes:
        """`PayStream.refund`: from a stream's unclaimed earnings into a viewer's vault."""
        return self._call("refund", stream=stream, viewer=account_value(viewer), amount=amount)

    def transfer_stream(self, stream: int, to: str | bytes) -> bytes:
        """`PayStream.transfer_stream`: to another owner, with the deposit that is held for it."""
        return self._call("transfer_stream", stream=stream, to=account_value(to))

    def set_tiers(self, stream: int, tiers: Sequence[Tier]) -> bytes:
        """`PayStream.set_tiers`: replace what a stream offers to subscribers."""
        return self._call("set_tiers", stream=stream, tiers=[tier_value(tier) for tier in tiers])

    def subscribe(self, stream: int, tier: Tier, periods: int) -> bytes:
        """`PayStream.subscribe`: pay periods of a tier from the vault, more of them if it runs."""
        return self._call("subscribe", stream=stream, tier=tier_value(tier), periods=periods)

    def cancel_subscription(self, stream: int) -> bytes:
        """`PayStream.cancel_subscription`: what has not begun returns to the vault."""
        return self._call("cancel_subscription", stream=stream)

    def settle_subscription(self, stream: int, viewer: str | bytes) -> bytes:
        """`PayStream.settle_subscription`: anyone collects what a subscription has earned."""
        return self._call("settle_subscription", stream=stream, viewer=account_value(viewer))

    # -- for the operator's origin; `as_operator` wraps them --------------------------------------

    def enable_asset(self, asset: Asset, tip_min: int = 0) -> bytes:
        """`PayStream.enable_asset`; `tip_min` is the least tip of the free lane."""
        return self._call("enable_asset", asset=asset_value(asset), tip_min=tip_min)

    def disable_asset(self, asset: Asset) -> bytes:
        """`PayStream.disable_asset`: nothing new in it; everything else goes on."""
        return self._call("disable_asset", asset=asset_value(asset))

    def write_off_asset(self, asset: Asset) -> bytes:
        """`PayStream.write_off_asset`: give up an asset that died under the ledger."""
        return self._call("write_off_asset", asset=asset_value(asset))

    def set_tick_price(self, asset: Asset, price: int) -> bytes:
        """`PayStream.set_tick_price`, for sessions opened from now on."""
        return self._call("set_tick_price", asset=asset_value(asset), price=price)

    def set_treasury_share(self, share: int) -> bytes:
        """`PayStream.set_treasury_share`: the operator's share of claims, parts per million."""
        return self._call("set_treasury_share", share=share)

    def set_stopped(self, *, stopped: bool) -> bytes:
        """`PayStream.set_stopped`: no new money and no new sessions; every exit stays open."""
        return self._call("set_stopped", stopped=stopped)

    def as_operator(self, call: bytes) -> bytes:
        """Wrap a call for the chain's sudo key. Raises WrongRuntime where the chain has no sudo."""
        return self._runtime().call_head("Sudo", "sudo") + call

    def _call(self, name: str, **params: object) -> bytes:
        return self._runtime().compose(PALLET, name, params)
