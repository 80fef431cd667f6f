"""The events of a block, read by a layout that is put together once for a runtime."""

from __future__ import annotations

from typing import Any

from scalecodec import types

from offchain.ledger.layout import Layouts, NotLaidOut, Reader, compact_at
from offchain.ledger.types import Event

_APPLIED = 0
"""The variant of a record's phase that has the number of an extrinsic with it."""
_PHASE_LAST = 2


class EventLayout:
    """Reads `System.Events`."""

    def __init__(self, layouts: Layouts, records: str) -> None:
        """`records` is the type of the whole entry. Raises NotLaidOut where it is another."""
        record = layouts.element(records, types.GenericEventRecord)
        parts = dict(record.type_mapping)
        if list(parts) != ["phase", "event", "topics"]:
            raise NotLaidOut(records)
        self._layouts = layouts
        self._phases = {
            index: name for index, (name, _) in layouts.variants(parts["phase"]).items()
        }
        if self._phases.get(_APPLIED) != "ApplyExtrinsic" or max(self._phases) != _PHASE_LAST:
            raise NotLaidOut(parts["phase"])
        self._topics = layouts.reader(parts["topics"])
        self._pallets = {
            index: (name, layouts.variants(kinds))
            for index, (name, kinds) in layouts.variants(parts["event"]).items()
            if layouts.has_variants(kinds)
        }
        self._known: dict[tuple[int, int], tuple[str, str, Reader]] = {}

    def events(self, raw: bytes) -> tuple[Event, ...]:
        """Read all events of a block. Raises NotLaidOut."""
        try:
            found, end = self._read(raw)
        except (IndexError, RecursionError):
            raise NotLaidOut("events") from None
        if end != len(raw):
            raise NotLaidOut("events")
        return tuple(found)

    def _read(self, raw: bytes) -> tuple[list[Event], int]:
        count, at = compact_at(raw, 0)
        found: list[Event] = []
        while len(found) < count:
            extrinsic_index = None
            phase, at = raw[at], at + 1
            if phase == _APPLIED:
                extrinsic_index = int.from_bytes(raw[at : at + 4], "little")
                at += 4
            elif phase > _PHASE_LAST:
                raise IndexError(phase)
            pallet, name, reader = self._kind(raw[at], raw[at + 1])
            attributes, at = reader(raw, at + 2)
            _, at = self._topics(raw, at)
            found.append(
                Event(
                    pallet=pallet,
                    name=name,
                    fields=named(attributes),
                    extrinsic_index=extrinsic_index,
                )
            )
        return found, at

    def _kind(self, pallet: int, variant: int) -> tuple[str, str, Reader]:
        known = self._known.get((pallet, variant))
        if known is None:
            if pallet not in self._pallets or variant not in self._pallets[pallet][1]:
                raise IndexError(pallet, variant)
            name, variants = self._pallets[pallet]
            event, content = variants[variant]
            known = (name, event, self._layouts.fields(content))
            self._known[pallet, variant] = known
        return known


def named(attributes: Any) -> dict[str, Any]:
    """Give an event's fields by name, and by position where they have none."""
    if isinstance(attributes, dict):
        return attributes
    if attributes is None:
        return {}
    if isinstance(attributes, tuple):
        return {str(index): value for index, value in enumerate(attributes)}
    return {"0": attributes}
