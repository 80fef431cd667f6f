"""The part of the ledger client that finds what belongs to somebody, by the ledger's own indexes.

Each lookup reads the index's rows under one prefix, in pages of keys, and then the entries that
they name: as much as is found, however much the chain holds. It is what the runtime API's
`streams_of` and so on answer. The indexes came with version 4 of the pallet's storage: a chain of
before has none, and one that migrates builds them over some blocks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

from offchain.ledger.entries import (
    account_value,
    grant_from,
    key_value,
    session_from,
    stream_from,
    subscription_from,
)
from offchain.ledger.errors import NotIndexed
from offchain.ledger.runtime import PALLET, Runtime
from offchain.ledger.types import DelegateKey, Grant, Head, Session, Stream, Subscription

_INDEXED_SINCE: Final = 4
"""The version of the pallet's storage in which every entry is in its index."""


class Lookups(ABC):
    """What `Ledger` inherits; it is not made by itself."""

    @abstractmethod
    async def best_head(self) -> Head:
        """Read the best head."""

    @abstractmethod
    async def _storage(self, key: str, at: str | None) -> str | None:
        """Read what is stored under a key."""

    @abstractmethod
    async def _runtime_at(self, at: str | None) -> Runtime:
        """Give the runtime of a block."""

    @abstractmethod
    async def _keys(self, pallet: str, item: str, *keys: Any, at: str) -> list[str]:
        """List the storage keys that begin with `keys`."""

    @abstractmethod
    async def _read_many(
        self, pallet: str, item: str, places: Sequence[tuple[Any, ...]], *, at: str | None
    ) -> dict[tuple[Any, ...], Any]:
        """Read the entries at these places; those that are not there are left out."""

    async def streams_of(self, owner: str | bytes, *, at: str | None = None) -> dict[int, Stream]:
        """Read an owner's streams, by id ascending. Raises NotIndexed."""
        at = at or (await self.best_head()).hash
        rows = await self._rows("StreamsOf", account_value(owner), at=at)
        values = await self._read_many(PALLET, "Streams", [(stream,) for stream in rows], at=at)
        return {place[0]: stream_from(value) for place, value in sorted(values.items())}

    async def sessions_of_stream(
        self, stream: int, *, at: str | None = None
    ) -> dict[tuple[int, int], Session]:
        """Read a stream's open sessions, by (grant, index) ascending. Raises NotIndexed."""
        at = at or (await self.best_head()).hash
        rows = await self._rows("SessionsOf", stream, at=at)
        places = [(int(grant), int(index)) for grant, index in rows]
        values = await self._read_many(PALLET, "Sessions", places, at=at)
        return {
            (place[0], place[1]): session_from(value) for place, value in sorted(values.items())
        }

    async def subscriptions_of(
        self, viewer: str | bytes, *, at: str | None = None
    ) -> dict[int, Subscription]:
        """Read a viewer's subscriptions, by stream ascending. Raises NotIndexed."""
        at = at or (await self.best_head()).hash
        who = account_value(viewer)
        places = [(stream, who) for stream in await self._rows("SubscriptionsOf", who, at=at)]
        values = await self._read_many(PALLET, "Subscriptions", places, at=at)
        return {place[0]: subscription_from(value) for place, value in sorted(values.items())}

    async def grants_of_key(self, key: DelegateKey, *, at: str | None = None) -> dict[int, Grant]:
        """Read the grants of a delegate key, by id ascending. Raises NotIndexed."""
        at = at or (await self.best_head()).hash
        rows = await self._rows("GrantsOfKey", key_value(key), at=at)
        values = await self._read_many(PALLET, "Grants", [(grant,) for grant in rows], at=at)
        return {place[0]: grant_from(value) for place, value in sorted(values.items())}

    async def is_indexed(self, *, at: str | None = None) -> bool:
        """Tell whether the ledger has its indexes, complete."""
        runtime = await self._runtime_at(at)
        raw = await self._storage(runtime.version_key(PALLET), at)
        return raw is not None and int.from_bytes(bytes.fromhex(raw[2:]), "little") >= (
            _INDEXED_SINCE
        )

    async def _rows(self, index: str, *keys: Any, at: str) -> list[Any]:
        """Read what an index lists under `keys`. Raises NotIndexed."""
        if not await self.is_indexed(at=at):
            raise NotIndexed
        runtime = await self._runtime_at(at)
        return [
            runtime.last_key(PALLET, index, key)
            for key in await self._keys(PALLET, index, *keys, at=at)
        ]
