"""Money on the command line: amounts of an asset, and which asset is meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from offchain.amounts import NATIVE_NAME, asset_name, symbol_of_unnamed
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure

if TYPE_CHECKING:
    from offchain.ledger.client import Ledger
    from offchain.ledger.types import Asset


@dataclass(frozen=True)
class Money:
    """How an asset is written; None is the native token. Inside, amounts are smallest units."""

    symbol: str
    decimals: int
    asset: Asset = None

    @classmethod
    def of(cls, ledger: Ledger) -> Money:
        """Give the chain's native token, in which fees and deposits are."""
        return cls(ledger.symbol, ledger.decimals)

    @classmethod
    def from_json(cls, described: Mapping[str, Any], native: Mapping[str, Any]) -> Money:
        """Take what the server says beside an amount, or else of the chain's native token."""
        named = described if described.get("symbol") else native
        return cls(str(named["symbol"]), int(named["decimals"]))

    @property
    def name(self) -> str:
        """The asset as JSON names it."""
        return asset_name(self.asset)

    def read(self, text: str, what: str) -> int:
        """Read an amount such as `1.5 UNIT`. Raises Failure that names `what` it is for."""
        from offchain.amounts import AmountInvalid, parse_amount

        try:
            return parse_amount(text, self.symbol, self.decimals)
        except AmountInvalid as error:
            raise Failure(f"{what}: {error}", Exit.USAGE, "amount-invalid") from None

    def write(self, amount: int) -> str:
        """Write an amount with its symbol."""
        from offchain.amounts import format_amount

        return format_amount(amount, self.symbol, self.decimals)


async def money_of(ledger: Ledger, asset: Asset) -> Money:
    """Give an asset's money. Raises AssetUnknown where chain and ledger have no such asset.

    One that is gone from the chain and not from the ledger is written with its number.
    """
    from offchain.ledger.errors import AssetUnknown

    if asset is None:
        return Money.of(ledger)
    try:
        currency = await ledger.currency(asset)
    except AssetUnknown:
        if await ledger.asset_entry(asset) is None:
            raise
        return Money(symbol_of_unnamed(asset), 0, asset)
    return Money(currency.symbol, currency.decimals, asset)


async def money_of_all(ledger: Ledger, assets: Iterable[Asset]) -> dict[Asset, Money]:
    """Give the money of each asset that occurs."""
    return {asset: await money_of(ledger, asset) for asset in set(assets)}


async def named_money(ledger: Ledger, name: str) -> Money:
    """Find the asset that `--asset` means. Raises Failure and AssetUnknown.

    A symbol is looked for among the assets that the ledger takes, whatever its capitals.
    """
    wanted = name.strip().casefold()
    if wanted in {NATIVE_NAME, ledger.symbol.casefold()}:
        return Money.of(ledger)
    if wanted.isascii() and wanted.isdigit() and int(wanted) < 2**32:
        return await money_of(ledger, int(wanted))
    taken = await money_of_all(ledger, await ledger.asset_entries())
    found = [money for money in taken.values() if money.symbol.casefold() == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(sorted(money.name for money in found))
        what = f"several assets are called {name!r}: name one by its number ({ids})"
    else:
        known = ", ".join(sorted(money.symbol for money in taken.values()))
        what = f"the ledger takes no asset called {name!r}: there are {known}, or give a number"
    raise Failure(f"--asset: {what}", Exit.USAGE, "asset-unknown")
