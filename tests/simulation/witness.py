"""Who is there when orders are signed and sent, and looks whether the journal has them by then."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from offchain.ledger.orders import Domain, Order, SignedOrder, encode_order
from offchain.relayer.keyring import Asked, Keyring


class Witness:
    """Holds each order against the journal's file; `fail` is told what was not in it by then."""

    def __init__(self, journal: Path, fail: Callable[[str, str, str], None]) -> None:
        self._journal = journal
        self._fail = fail
        self._connection: sqlite3.Connection | None = None

    def signs(self, grant: int, order: Order) -> None:
        """An order is about to be signed."""
        if not self._rows(grant, order):
            self._missing(grant, order, "it is signed before the journal has it")

    def sends(self, grant: int, order: Order) -> None:
        """An order is about to leave for a node.

        Of a session that has ended meanwhile the journal has let go: nothing comes of its orders.
        """
        signatures = [signature for (signature,) in self._rows(grant, order)]
        if not any(signatures) and not self._is_over(grant, order):
            self._missing(grant, order, "it is sent before the journal has its signature")

    def _rows(self, grant: int, order: Order) -> list[Any]:
        return self._select(
            "SELECT signature FROM orders WHERE grant_id = ? AND body = ?",
            grant,
            encode_order(order),
        )

    def _is_over(self, grant: int, order: Order) -> bool:
        rows = self._select(
            "SELECT 1 FROM sessions WHERE grant_id = ? AND idx = ? AND done = 1", grant, order.index
        )
        return bool(rows)

    def over(self) -> set[tuple[int, int]]:
        """Give the sessions that the journal holds for over, by grant and index."""
        return set(self._select("SELECT grant_id, idx FROM sessions WHERE done = 1"))

    def _select(self, query: str, *values: int | bytes) -> list[Any]:
        if self._connection is None:
            # not by `connect`, which leads to the disk that fails: who only looks on is beside it
            self._connection = sqlite3.Connection(self._journal)
        return self._connection.execute(query, values).fetchall()

    def look_away(self) -> None:
        """Let go of the journal's file: the next process may find another in its place."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _missing(self, grant: int, order: Order, what: str) -> None:
        self._fail("written", f"{type(order).__name__.lower()} of grant {grant}", what)


class WitnessedKeyring:
    """A keyring with a witness at its side."""

    def __init__(self, keyring: Keyring, witness: Witness) -> None:
        self._keyring = keyring
        self._witness = witness

    @property
    def unavailable(self) -> str | None:
        """Say why nothing can be signed."""
        return self._keyring.unavailable

    async def delegate(self, viewer: str, number: int) -> tuple[str, bytes]:
        """Make a viewer's delegate."""
        return await self._keyring.delegate(viewer, number)

    async def recognise(self, viewer: str, public: bytes) -> str | None:
        """Name a viewer's delegate, if the key is one."""
        return await self._keyring.recognise(viewer, public)

    def is_current(self, name: str) -> bool:
        """Tell whether a key comes from the newest master."""
        return self._keyring.is_current(name)

    async def archive(self, names: list[str]) -> None:
        """Put keys away. Raises KeystoreError."""
        await self._keyring.archive(names)

    async def prove(self, name: str, domain: Domain, viewer: str) -> bytes:
        """Sign that `viewer` may grant a key. Raises KeystoreError."""
        return await self._keyring.prove(name, domain, viewer)

    async def sign(self, asked: Asked, domain: Domain) -> SignedOrder:
        """Sign an order that is in the journal. Raises KeystoreError."""
        self._witness.signs(asked.grant, asked.order)
        return await self._keyring.sign(asked, domain)
