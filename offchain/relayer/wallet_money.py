"""Money in JSON: assets, what wallets' transactions take, and the refusal of the unpayable."""

from __future__ import annotations

import functools
from typing import Any

from offchain.amounts import asset_name, format_amount
from offchain.ledger.affordability import read_reckoning
from offchain.ledger.errors import LedgerError
from offchain.ledger.outlay import Outlay, Reckoning, reckon, shortfall
from offchain.ledger.types import Asset, Currency
from offchain.relayer.chain import Chain, bounded
from offchain.relayer.problems import Refused, chain_unavailable


def asset_json(currency: Currency) -> dict[str, Any]:
    """Name an asset in JSON, and say how its amounts are written."""
    return {
        "asset": asset_name(currency.asset),
        "symbol": currency.symbol,
        "decimals": currency.decimals,
    }


async def reckoned(chain: Chain, account: str, call: bytes, outlay: Outlay) -> Reckoning:
    """Put what a call takes beside what an account has now. Raises Refused."""
    try:
        return await bounded(read_reckoning(chain, account, call, outlay))
    except LedgerError:
        raise chain_unavailable() from None


async def nothing_to_pay(chain: Chain, account: str, asset: Asset) -> Reckoning:
    """Say what an account has where there is nothing for it to sign. Raises Refused."""
    try:
        native = await bounded(chain.funds(account))
        other = None if asset is None else await bounded(chain.funds(account, asset=asset))
    except LedgerError:
        raise chain_unavailable() from None
    return reckon(Outlay(asset=asset), fee=0, existential_deposit=0, native=native, asset=other)


def needs_json(reckoning: Reckoning) -> dict[str, Any]:
    """Say in JSON what a transaction takes, what the account has, and what it lacks."""
    outlay = reckoning.outlay
    return {
        "needs": {
            "deposit": str(outlay.deposit),
            "deposit_max": str(reckoning.deposit_max),
            "storage_deposit": str(outlay.storage_deposit),
            "fees": str(reckoning.fees),
            "existential_deposit": str(reckoning.existential_deposit),
            "frozen": str(reckoning.frozen),
            "total": str(reckoning.total),
            "asset_total": str(reckoning.asset_total),
        },
        "has": str(reckoning.has),
        "short_by": str(reckoning.short_by),
        "asset_has": str(reckoning.asset_has),
        "asset_short_by": str(reckoning.asset_short_by),
    }


def refuse_unpayable(chain: Chain, reckoning: Reckoning, currency: Currency, field: str) -> None:
    """Raise Refused where an account cannot pay, with the numbers in `terms`.

    `currency` is the deposit's; `field` is the deposit's, too, and named where a deposit is made.
    """
    if reckoning.is_payable:
        return
    text = shortfall_text(chain, reckoning, currency)
    named = field if reckoning.outlay.deposit else "account"
    raise Refused(
        422,
        "balance-too-low",
        f"{named} cannot be paid: {text}",
        field=named,
        terms=needs_json(reckoning),
    )


def shortfall_text(chain: Chain, reckoning: Reckoning, currency: Currency) -> str:
    """Say what an account cannot pay, and the remedy."""
    native = functools.partial(format_amount, symbol=chain.symbol, decimals=chain.decimals)
    asset = functools.partial(format_amount, symbol=currency.symbol, decimals=currency.decimals)
    return shortfall(reckoning, native, asset)
