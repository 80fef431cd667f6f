"""A block's events by their bytes: counted, and only the wanted ones read.

A block of a loaded ledger has thousands of events. Decoding each as a Python value would take the
load generator longer than the block took the node, so this only steps over them: how many bytes a
type takes is worked out once from the metadata.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from offchain.ledger.runtime import Runtime

Name: TypeAlias = tuple[str, str]
"""Pallet and event."""
_Step: TypeAlias = Callable[[bytes, int], int]
"""Gives the place after a value that begins at a place."""
_Size: TypeAlias = int | _Step

_BYTES: Final = {"bool": 1, "char": 4}
"""Of the primitive types whose names do not tell how many bits they have."""


@dataclass
class Scanned:
    """The events of one block."""

    counts: Counter[Name] = field(default_factory=Counter)
    wanted: list[tuple[Name, bytes]] = field(default_factory=list)
    """The fields of the wanted events, as they are encoded."""


class EventScan:
    """Knows how long every event of a runtime is."""

    def __init__(self, runtime: Runtime) -> None:
        entries = runtime.metadata.portable_registry.value["types"]
        self._types: dict[int, dict[str, Any]] = {
            entry["id"]: entry["type"]["def"] for entry in entries
        }
        self._sizes: dict[int, _Size] = {}
        phase, event, topics = self._record(runtime)
        self._phase, self._topics = self._size(phase), self._size(topics)
        self._events: dict[bytes, tuple[Name, _Size]] = {}
        for pallet in self._types[event]["variant"]["variants"]:
            for variant in self._types[pallet["fields"][0]["type"]]["variant"]["variants"]:
                head = bytes([pallet["index"], variant["index"]])
                size = self._sum([each["type"] for each in variant["fields"]])
                self._events[head] = ((pallet["name"], variant["name"]), size)

    def scan(self, raw: bytes, wanted: Collection[Name] = ()) -> Scanned:
        """Step through the bytes of `System.Events`. Raises ValueError where they do not fit."""
        found = Scanned()
        count, at = _compact(raw, 0)
        for _ in range(count):
            at = _after(self._phase, raw, at)
            known = self._events.get(raw[at : at + 2])
            if known is None:
                raise ValueError(f"the metadata has no event {raw[at : at + 2].hex()}")
            name, size = known
            end = _after(size, raw, at + 2)
            found.counts[name] += 1
            if name in wanted:
                found.wanted.append((name, raw[at + 2 : end]))
            at = _after(self._topics, raw, end)
        if at != len(raw):
            raise ValueError(f"the events take {at} bytes of {len(raw)}")
        return found

    def _record(self, runtime: Runtime) -> tuple[int, int, int]:
        """Give the types of an event record's phase, event and topics."""
        system = next(each for each in runtime.metadata.pallets if each.value["name"] == "System")
        events = system.get_storage_function("Events").get_value_type_string()
        record = self._types[int(events.rpartition("::")[2])]["sequence"]["type"]
        phase, event, topics = self._types[record]["composite"]["fields"]
        return phase["type"], event["type"], topics["type"]

    def _size(self, type_id: int) -> _Size:
        if type_id not in self._sizes:
            # A type that holds itself is asked for again while it is worked out.
            self._sizes[type_id] = lambda raw, at: _after(self._sizes[type_id], raw, at)
            self._sizes[type_id] = self._worked_out(type_id)
        return self._sizes[type_id]

    def _worked_out(self, type_id: int) -> _Size:
        kind, body = next(iter(self._types[type_id].items()))
        match kind:
            case "primitive" if body == "str":
                return _many(1)
            case "primitive":
                return _BYTES[body] if body in _BYTES else int(body[1:]) // 8
            case "compact":
                return lambda raw, at: _compact(raw, at)[1]
            case "array":
                return _repeated(self._size(body["type"]), int(body["len"]))
            case "sequence":
                return _many(self._size(body["type"]))
            case "tuple":
                return self._sum(body)
            case "composite":
                return self._sum([each["type"] for each in body.get("fields", ())])
            case "variant":
                return self._variant(body.get("variants", ()))
        raise ValueError(f"type {type_id} is a {kind}, whose length is not known here")

    def _sum(self, type_ids: Collection[int]) -> _Size:
        sizes = [self._size(each) for each in type_ids]
        if all(isinstance(size, int) for size in sizes):
            return sum(size for size in sizes if isinstance(size, int))

        def step(raw: bytes, at: int) -> int:
            for size in sizes:
                at = _after(size, raw, at)
            return at

        return step

    def _variant(self, variants: Collection[Any]) -> _Size:
        sizes = {
            each["index"]: self._sum([part["type"] for part in each["fields"]]) for each in variants
        }

        def step(raw: bytes, at: int) -> int:
            if at >= len(raw) or raw[at] not in sizes:
                raise ValueError(f"there is no variant at byte {at}")
            return _after(sizes[raw[at]], raw, at + 1)

        return step


def _after(size: _Size, raw: bytes, at: int) -> int:
    return at + size if isinstance(size, int) else size(raw, at)


def _repeated(size: _Size, count: int) -> _Size:
    if isinstance(size, int):
        return size * count

    def step(raw: bytes, at: int) -> int:
        for _ in range(count):
            at = size(raw, at)
        return at

    return step


def _many(size: _Size) -> _Step:
    def step(raw: bytes, at: int) -> int:
        count, at = _compact(raw, at)
        return _after(_repeated(size, count), raw, at)

    return step


def _compact(raw: bytes, at: int) -> tuple[int, int]:
    """Read a compact integer; gives it and the place after it."""
    if at >= len(raw):
        raise ValueError("the events end within a value")
    mode = raw[at] & 3
    length = (1, 2, 4, (raw[at] >> 2) + 5)[mode]
    if mode == 3:
        return int.from_bytes(raw[at + 1 : at + length], "little"), at + length
    return int.from_bytes(raw[at : at + length], "little") >> 2, at + length
