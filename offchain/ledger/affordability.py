"""Asks a chain what a call takes of an account, and whether the account can pay it."""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

from offchain.ledger.errors import AssetUnknown
from offchain.ledger.outlay import Outlay, Reckoning, reckon
from offchain.ledger.types import NATIVE, Asset, Currency, Fee, Funds


class Payments(Protocol):
    """The part of the ledger client that is asked."""

    async def fee(self, call: bytes, account: str | bytes) -> Fee: ...
    async def funds(
        self, account: str | bytes, *, asset: Asset = NATIVE, at: str | None = None
    ) -> Funds: ...
    async def currency(self, asset: Asset = NATIVE, *, at: str | None = None) -> Currency: ...


async def read_reckoning(chain: Payments, account: str, call: bytes, outlay: Outlay) -> Reckoning:
    """Put a call's fee and outlay beside what an account has now. Raises LedgerError."""
    fee = await chain.fee(call, account)
    native = await chain.currency(NATIVE)
    asset, minimum = None, 0
    if outlay.asset is not None:
        asset = await chain.funds(account, asset=outlay.asset)
        with suppress(AssetUnknown):  # one that is gone from the chain: nobody has any of it
            minimum = (await chain.currency(outlay.asset)).minimum
    return reckon(
        outlay,
        fee=fee.partial_fee,
        existential_deposit=native.minimum,
        native=await chain.funds(account),
        asset=asset,
        asset_minimum=minimum,
    )
