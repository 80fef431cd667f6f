"""Which entries of the ledger the open sessions rest on, kept as sessions come and go.

Nothing here goes over all sessions: a name is counted when its first session comes, and let go of
with its last one.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, TypeVar

from offchain.journal import SessionRecord
from offchain.ledger.tables import Names
from offchain.ledger.types import Asset
from streaming.session_state import SessionRef

_K = TypeVar("_K")
_V = TypeVar("_V")


class Interest(Names):
    """Names of entries, which sessions add to."""

    __slots__ = ()

    def rest_on(self, record: SessionRecord) -> None:
        """Add what a session rests on."""
        self.sessions.add((record.grant, record.index))
        self.grants.add(record.grant)
        self.streams.add(record.stream)
        self.vaults.add((record.viewer, record.asset))
        if record.discounted:
            self.subscriptions.add((record.stream, record.viewer))


class Wanted:
    """What all sessions rest on, which of it was not read yet, and what nobody wants any more."""

    def __init__(self) -> None:
        self.by_grant: dict[int, tuple[SessionRef, ...]] = {}
        self.by_viewer: dict[str, tuple[SessionRef, ...]] = {}
        self.by_stream: dict[int, set[SessionRef]] = {}
        self.vaults: Counter[tuple[str, Asset]] = Counter()
        self.assets: Counter[Asset] = Counter()
        """In how many vaults' assets sessions are: there are few."""
        self.subscriptions: Counter[tuple[int, str]] = Counter()
        self.published: set[int] = set()
        """Streams that are being published, whose end the publisher must hear of."""
        self.unread = Interest()
        self.unwanted = Interest()

    def add(self, ref: SessionRef, record: SessionRecord) -> None:
        """A session has come; `ref` is the one name of it that is kept everywhere."""
        self.by_grant[record.grant] = (*self.by_grant.get(record.grant, ()), ref)
        others = self.by_viewer.get(record.viewer)
        # who has no other session has none under another grant: one list does for both
        own = self.by_grant[record.grant] if others is None else (*others, ref)
        self.by_viewer[record.viewer] = own
        self.by_stream.setdefault(record.stream, set()).add(ref)
        self.vaults[record.viewer, record.asset] += 1
        if self.vaults[record.viewer, record.asset] == 1:
            self.assets[record.asset] += 1
        if record.discounted:
            self.subscriptions[record.stream, record.viewer] += 1
        self.unread.rest_on(record)

    def remove(self, ref: SessionRef, record: SessionRecord) -> None:
        """A session has gone."""
        _without(self.by_grant, record.grant, ref)
        _without(self.by_viewer, record.viewer, ref)
        of_stream = self.by_stream[record.stream]
        of_stream.discard(ref)
        if not of_stream:
            del self.by_stream[record.stream]
        _count_down(self.vaults, (record.viewer, record.asset))
        if (record.viewer, record.asset) not in self.vaults:
            _count_down(self.assets, record.asset)
        if record.discounted:
            _count_down(self.subscriptions, (record.stream, record.viewer))
        self.unwanted.rest_on(record)

    def publish(self, stream: int) -> None:
        """A stream is being published."""
        if stream not in self.published:
            self.published.add(stream)
            self.unread.streams.add(stream)

    def wants(self, kind: str, name: Any) -> bool:
        """Tell whether an entry is wanted; `kind` is one of the tables' names."""
        match kind, name:
            case "sessions", (grant, index):
                return SessionRef(grant, index) in self.by_grant.get(grant, ())
            case "grants", int():
                return name in self.by_grant
            case "streams", int():
                return name in self.by_stream or name in self.published
            case "vaults", _:
                return name in self.vaults
        return name in self.subscriptions

    def ref(self, grant: int, index: int) -> SessionRef:
        """Name a session, with the object that is kept of its name where it is wanted."""
        named = SessionRef(grant, index)
        return next((ref for ref in self.by_grant.get(grant, ()) if ref == named), named)

    def of(self, names: Interest) -> Interest:
        """Give those of some names that are wanted."""
        found = Interest()
        for kind in Names.__slots__:
            kept = {name for name in getattr(names, kind) if self.wants(kind, name)}
            setattr(found, kind, kept)
        return found

    def vaults_of(self, viewer: str) -> list[tuple[str, Asset]]:
        """List the vaults of an account that sessions rest on."""
        places = [(viewer, asset) for asset in self.assets]
        return [place for place in places if place in self.vaults]

    def everything(self) -> Interest:
        """Name all of it: for a start, and after a reorganisation or a gap."""
        names = Interest()
        names.sessions = {(ref.grant, ref.index) for own in self.by_grant.values() for ref in own}
        names.grants = set(self.by_grant)
        names.streams = self.by_stream.keys() | self.published
        names.vaults = set(self.vaults)
        names.subscriptions = set(self.subscriptions)
        return names

    def resting_on(self, kind: str, name: Any) -> tuple[SessionRef, ...]:
        """List the sessions that rest on an entry."""
        match kind, name:
            case "sessions", (grant, index):
                return (self.ref(grant, index),) if self.wants(kind, name) else ()
            case "grants", int():
                return self.by_grant.get(name, ())
            case "streams", int():
                return tuple(sorted(self.by_stream.get(name, ())))
            case "vaults", (viewer, _):
                return self.by_viewer.get(viewer, ())
            case "subscriptions", (_, viewer):
                return self.by_viewer.get(viewer, ())
        return ()


def _without(table: dict[_K, tuple[_V, ...]], name: _K, gone: _V) -> None:
    left = tuple(other for other in table[name] if other != gone)
    if left:
        table[name] = left
    else:
        del table[name]


def _count_down(counter: Counter[_K], name: _K) -> None:
    counter[name] -= 1
    if counter[name] <= 0:
        del counter[name]
