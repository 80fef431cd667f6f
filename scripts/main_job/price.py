"""What a run costs, in the asset that it is paid in: only the chain knows the asset's decimals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from main_job.options import Options
from offchain.cli.failure import Failure
from offchain.cli.money import Money, named_money
from offchain.ledger.client import Ledger

RUNWAY_FACTOR: Final = 20
"""Viewers deposit for this many times the watch time, so that the view shows a runway."""

PAGE_SECONDS: Final = 1_200
"""For so long a viewer's page could deposit at least."""


class PriceInvalid(Exception):
    """The asset or the rate does not exist on this chain. Says which, and the remedy."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """A stream's asset and rate, and what each viewer puts into the vault; smallest units."""

    money: Money
    rate_per_second: int
    deposit: int

    @property
    def viewer_funds(self) -> int:
        """What a viewer needs of the asset: a page deposits for minutes, whatever is watched."""
        return max(self.deposit, self.rate_per_second * PAGE_SECONDS)


async def read_price(ledger: Ledger, options: Options) -> Price:
    """Read the price that the options name, in their asset. Raises PriceInvalid."""
    try:
        money = await named_money(ledger, options.asset)
        rate = money.read(options.rate, "--rate")
    except Failure as failure:
        raise PriceInvalid(str(failure)) from None
    if rate < 1:
        raise PriceInvalid(f"--rate: a second costs at least the smallest part of a {money.symbol}")
    # at least a whole unit, since a vault has a least
    deposit = max(rate * options.seconds * RUNWAY_FACTOR, int(10**money.decimals))
    return Price(money=money, rate_per_second=rate, deposit=deposit)
