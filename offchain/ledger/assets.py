"""The part of the ledger client that reads assets: names, balances, and what the ledger takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from offchain.amounts import symbol_of_unnamed
from offchain.ledger.entries import account_value, asset_entry_from, asset_from, asset_value
from offchain.ledger.errors import AssetUnknown
from offchain.ledger.runtime import PALLET
from offchain.ledger.types import NATIVE, Asset, AssetEntry, Constants, Currency, Funds


class Assets(ABC):
    """What `Ledger` inherits; it is not made by itself."""

    symbol: str
    decimals: int

    @property
    @abstractmethod
    def constants(self) -> Constants:
        """The pallet's constants."""

    @abstractmethod
    async def _read(self, pallet: str, item: str, *keys: Any, at: str | None) -> Any:
        """Read one entry."""

    @abstractmethod
    async def _read_added(self, pallet: str, item: str, *keys: Any, at: str | None) -> Any:
        """Read one entry of which a chain of the first release has none."""

    @abstractmethod
    async def _read_pairs(
        self, pallet: str, item: str, *keys: Any, at: str | None
    ) -> list[tuple[Any, Any]]:
        """Read all entries that begin with `keys`."""

    @property
    @abstractmethod
    def pot(self) -> str:
        """The account that holds all money of the ledger."""

    async def asset_entry(self, asset: Asset, *, at: str | None = None) -> AssetEntry | None:
        """Read how the ledger takes an asset; None where it was never enabled."""
        value = await self._read_added(PALLET, "AssetEntries", asset_value(asset), at=at)
        return None if value is None else asset_entry_from(value)

    async def asset_entries(self, *, at: str | None = None) -> dict[Asset, AssetEntry]:
        """Read all assets that the ledger has ever taken, the native one first."""
        pairs = await self._read_pairs(PALLET, "AssetEntries", at=at)
        entries = {asset_from(key): asset_entry_from(value) for key, value in pairs}
        return dict(sorted(entries.items(), key=lambda each: -1 if each[0] is None else each[0]))

    async def currency(self, asset: Asset = NATIVE, *, at: str | None = None) -> Currency:
        """Read how an asset is written. Raises AssetUnknown where the chain has no such asset.

        An asset that nobody has named is written with its id and without decimals.
        """
        if asset is None:
            least = self.constants.existential_deposit
            return Currency(asset=None, symbol=self.symbol, decimals=self.decimals, minimum=least)
        details = await self._read("Assets", "Asset", asset, at=at)
        if details is None:
            raise AssetUnknown(asset)
        named = await self._read("Assets", "Metadata", asset, at=at)
        return Currency(
            asset=asset,
            symbol=_symbol(named["symbol"]) or symbol_of_unnamed(asset),
            decimals=int(named["decimals"]),
            minimum=int(details["min_balance"]),
        )

    async def balance(
        self, account: str | bytes, *, asset: Asset = NATIVE, at: str | None = None
    ) -> int:
        """Read an account's free balance in an asset's smallest unit."""
        return (await self.funds(account, asset=asset, at=at)).free

    async def funds(
        self, account: str | bytes, *, asset: Asset = NATIVE, at: str | None = None
    ) -> Funds:
        """Read an account's free balance, and what is held and frozen.

        All of it is frozen where the account or the asset is, or where the asset is going.
        """
        who = account_value(account)
        if asset is None:
            data = (await self._read("System", "Account", who, at=at))["data"]
            return Funds(
                free=int(data["free"]), held=int(data["reserved"]), frozen=int(data["frozen"])
            )
        value = await self._read("Assets", "Account", asset, who, at=at)
        if value is None:
            return Funds(free=0)
        free = int(value["balance"])
        details = await self._read("Assets", "Asset", asset, at=at)
        lives = details is not None and details["status"] == "Live"
        return Funds(free=free, frozen=0 if lives and value["status"] == "Liquid" else free)

    async def free_balance(self, account: str | bytes, *, at: str | None = None) -> int:
        """Read an account's free native balance in the smallest unit."""
        return await self.balance(account, at=at)


def _symbol(value: Any) -> str:
    """Read a symbol that amounts can be written with: letters and digits, a letter first."""
    raw = bytes(value).decode(errors="replace") if isinstance(value, list) else str(value)
    kept = "".join(each for each in raw if each.isascii() and each.isalnum())
    return kept if kept[:1].isalpha() else ""
