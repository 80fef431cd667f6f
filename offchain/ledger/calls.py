"""The pallet's calls as bytes, for wallets to sign and for the client to submit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from offchain.ledger.entries import (
    asset_value,
    change_value,
    key_value,
    payees_value,
    signature_value,
    terms_value,
)
from offchain.ledger.orders import SCHEMES, Order, OrderInvalid, encode_grant, encode_order
from offchain.ledger.runtime import PALLET, Runtime
from offchain.ledger.types import NATIVE, Asset, DelegateKey, Payee, StreamChange, Terms


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
        if scheme not in SCHEMES or len(signature) != 64:
            raise OrderInvalid("signature: give the 64 bytes of an sr25519 or ed25519 signature")
        return (
            self._runtime().call_head(PALLET, "submit")
            + encode_grant(grant)
            + encode_order(order)
            + bytes([SCHEMES.index(scheme)])
            + signature
        )

    def _call(self, name: str, **params: object) -> bytes:
        return self._runtime().compose(PALLET, name, params)
