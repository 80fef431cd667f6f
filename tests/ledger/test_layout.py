"""What is decoded by a layout is what scalecodec decodes, for every type that a chain tells us."""

from __future__ import annotations

import lzma
import random
from typing import Any

import pytest
from scalecodec import types

from offchain.ledger.errors import LedgerError
from offchain.ledger.layout import Layouts, NotLaidOut
from offchain.ledger.runtime import Runtime
from offchain.ledger.scale import compact
from tests.ledger.test_runtime import FIRST_RELEASE, RECORDED

SIZES = {
    types.U8: 1,
    types.U16: 2,
    types.U32: 4,
    types.U64: 8,
    types.U128: 16,
    types.I8: 1,
    types.I16: 2,
    types.I32: 4,
    types.I64: 8,
    types.I128: 16,
    types.H256: 32,
}
ENTRIES = ("Streams", "Vaults", "Grants", "Sessions", "Subscriptions", "AssetEntries", "Tiers")


@pytest.fixture(scope="module", params=[RECORDED, FIRST_RELEASE], ids=["recorded", "first-release"])
def runtime(request: pytest.FixtureRequest) -> Runtime:
    raw = lzma.decompress(request.param.read_bytes())
    return Runtime("0x" + raw.hex(), "paystream", 1, 1)


class Maker:
    """Makes bytes that a type may have, by scalecodec's own description of it."""

    def __init__(self, runtime: Runtime, seed: int) -> None:
        self.codec = runtime.codec
        self.chance = random.Random(seed)

    def of(self, type_string: str | None) -> bytes:
        kind = self.codec.get_decoder_class(type_string or "Null")
        for known, size in SIZES.items():
            if issubclass(kind, known):
                return self.chance.randbytes(size)
        if issubclass(kind, types.Bool):
            return bytes([self.chance.randrange(2)])
        if issubclass(kind, types.Compact):
            return compact(self.chance.randrange(2 ** self.chance.randrange(1, 64)))
        if issubclass(kind, types.Option):
            return b"\x01" + self.of(kind.sub_type) if self.chance.randrange(2) else b"\x00"
        if issubclass(kind, types.Vec):
            count = self.chance.randrange(5)
            return compact(count) + b"".join(self.of(kind.sub_type) for _ in range(count))
        if issubclass(kind, types.FixedLengthArray):
            return b"".join(self.of(kind.sub_type) for _ in range(kind.element_count))
        if issubclass(kind, types.Enum):
            variants = [(i, inner) for i, (name, inner) in enumerate(kind.type_mapping) if name]
            index, inner = self.chance.choice(variants)
            return bytes([index]) + self.content(inner)
        return self.content(
            dict(kind.type_mapping)
            if issubclass(kind, types.Struct)
            else dict(enumerate(kind.type_mapping or ()))
        )

    def content(self, inner: Any) -> bytes:
        if isinstance(inner, dict):
            return b"".join(self.of(each) for each in inner.values())
        return b"" if inner in (None, "Null") else self.of(inner)

    def record(self, phase: int, pallet: int, event: int, inner: Any) -> bytes:
        number = self.chance.randbytes(4) if phase == 0 else b""
        topics = self.chance.randrange(2)
        return (
            bytes([phase])
            + number
            + bytes([pallet, event])
            + self.content(inner)
            + compact(topics)
            + self.chance.randbytes(32 * topics)
        )


def kinds_of_events(runtime: Runtime) -> list[tuple[int, int, Any]]:
    layouts = Layouts(runtime.codec)
    records = runtime._item("System", "Events").value_type
    parts = dict(layouts.element(records, types.GenericEventRecord).type_mapping)
    return [
        (pallet, event, inner)
        for pallet, (_, kinds) in layouts.variants(parts["event"]).items()
        if layouts.has_variants(kinds)
        for event, (_, inner) in layouts.variants(kinds).items()
    ]


def test_every_event_of_every_pallet_is_what_scalecodec_reads(runtime: Runtime) -> None:
    """Each kind three times, in one block, with every phase."""
    maker = Maker(runtime, 7)
    kinds = kinds_of_events(runtime)
    records = [maker.record(number % 3, *kind) for number in range(3) for kind in kinds]
    raw = "0x" + (compact(len(records)) + b"".join(records)).hex()
    found = runtime.events(raw)
    assert runtime._event_layout is not None
    assert len(runtime._event_layout._known) == len(kinds) > 60
    assert found == runtime.events_by_metadata(raw)


@pytest.mark.parametrize("item", ENTRIES)
def test_every_entry_is_what_scalecodec_reads(runtime: Runtime, item: str) -> None:
    if not runtime.has_item("PayStream", item):
        pytest.skip("the first release had no such entry")
    kind = runtime._item("PayStream", item).value_type
    maker = Maker(runtime, 11)
    for _ in range(50):
        raw = maker.of(kind)
        assert runtime._layouts.decode(kind, raw) == runtime.decode_by_metadata(kind, raw)


def test_bytes_that_do_not_fit_are_scalecodecs_to_judge(runtime: Runtime) -> None:
    kind = runtime._item("PayStream", "Sessions").value_type
    raw = Maker(runtime, 3).of(kind)
    for damaged in (raw[:-1], raw + b"\x00", b""):
        with pytest.raises(NotLaidOut):
            runtime._layouts.decode(kind, damaged)
        with pytest.raises(LedgerError):
            runtime.decode(kind, damaged)


def test_a_count_that_no_bytes_follow_makes_nobody_count(runtime: Runtime) -> None:
    with pytest.raises(LedgerError):
        runtime.events("0x" + compact(2**29).hex())
    with pytest.raises(NotLaidOut):
        runtime._layouts.decode("Vec<()>", compact(2**29))


def test_a_type_of_another_make_is_scalecodecs(runtime: Runtime) -> None:
    with pytest.raises(NotLaidOut):
        runtime._layouts.decode("BitVec", b"\x00")
    with pytest.raises(NotLaidOut):  # and is known to be so from then on
        runtime._layouts.decode("BitVec", b"\x00")
    assert runtime.decode("BitVec", b"\x00") == runtime.decode_by_metadata("BitVec", b"\x00")
