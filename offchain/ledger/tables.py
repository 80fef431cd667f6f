"""Entries of one block that are read together: their names, and what the block has under them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

from offchain.ledger.types import Asset, Grant, Session, Stream, Subscription

_T = TypeVar("_T")


class Names:
    """Which entries are to be read."""

    __slots__ = ("grants", "sessions", "streams", "subscriptions", "vaults")

    def __init__(self) -> None:
        self.sessions: set[tuple[int, int]] = set()
        """By grant and index."""
        self.grants: set[int] = set()
        self.streams: set[int] = set()
        self.vaults: set[tuple[str, Asset]] = set()
        """By account and asset."""
        self.subscriptions: set[tuple[int, str]] = set()
        """By stream and viewer."""

    def __len__(self) -> int:
        return sum(len(getattr(self, kind)) for kind in Names.__slots__)

    def parts(self, size: int) -> Iterator[Names]:
        """Give the same in parts of at most `size` names each."""
        part = Names()
        for kind in Names.__slots__:
            left = iter(sorted(getattr(self, kind), key=str))
            while room := _taken(left, size - len(part)):
                getattr(part, kind).update(room)
                if len(part) >= size:
                    yield part
                    part = Names()
        if len(part):
            yield part


class Tables:
    """Entries by name; None where the block has none. A vault that is not there is 0."""

    __slots__ = ("grants", "sessions", "streams", "subscriptions", "vaults")

    def __init__(self) -> None:
        self.sessions: dict[tuple[int, int], Session | None] = {}
        self.grants: dict[int, Grant | None] = {}
        self.streams: dict[int, Stream | None] = {}
        self.vaults: dict[tuple[str, Asset], int] = {}
        self.subscriptions: dict[tuple[int, str], Subscription | None] = {}

    def update(self, other: Tables) -> None:
        """Take over what another has."""
        for kind in self.__slots__:
            getattr(self, kind).update(getattr(other, kind))


def _taken(left: Iterator[_T], count: int) -> list[_T]:
    return list(islice(left, count))
