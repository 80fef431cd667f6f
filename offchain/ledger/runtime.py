"""A runtime as its metadata describes it: encoding and decoding all that crosses the wire.

Types and codec are scalecodec's. What a runtime must have to be spoken to is checked once, when
its metadata arrives, so that a wrong chain is one clear error and no half-read entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from scalecodec.base import RuntimeConfigurationObject, ScaleBytes
from scalecodec.type_registry import load_type_registry_preset
from substrateinterface.utils.hasher import (
    blake2_128_concat,
    identity,
    two_x64_concat,
    xxh128,
)

from offchain.ledger.entries import constants_from
from offchain.ledger.errors import CallInvalid, DispatchFailed, LedgerError, WrongRuntime, by_name
from offchain.ledger.event_layout import EventLayout, named
from offchain.ledger.layout import Layouts, NotLaidOut
from offchain.ledger.scale import compact
from offchain.ledger.types import Constants, Event

PALLET: Final = "PayStream"
_HASHERS: Final = {
    "Blake2_128Concat": (blake2_128_concat, 16),
    "Twox64Concat": (two_x64_concat, 8),
    "Identity": (identity, 0),
}
_CALLS: Final = {
    "create_stream": ("asset", "rate_per_second", "payees", "funds_min", "gap_min_ms"),
    "update_stream": ("stream", "change"),
    "end_stream": ("stream",),
    "deposit": ("asset", "amount"),
    "withdraw": ("asset", "amount"),
    "grant": ("key", "proof", "terms"),
    "revoke": ("grant",),
    "submit": ("grant", "order", "signature"),
    "settle": ("grant", "index"),
    "claim": ("stream",),
}
_STORAGE: Final = ("Streams", "Vaults", "Grants", "GrantsOf", "Sessions")


@dataclass(frozen=True, slots=True)
class Extension:
    """A transaction extension: its name and the types of what it adds and what it signs."""

    identifier: str
    explicit_type: int
    implicit_type: int


@dataclass(frozen=True, slots=True)
class _Item:
    """A storage item: its key's prefix, its keys' types and hashers, its value's type."""

    prefix: bytes
    key_types: tuple[str, ...]
    hashers: tuple[str, ...]
    value_type: str
    default: bytes | None


_BOUNDED_VECTORS: Final = {
    # scalecodec knows these by the paths that they had in earlier crates.
    "bounded_collections::bounded_vec::BoundedVec": "BoundedVec",
    "bounded_collections::weak_bounded_vec::WeakBoundedVec": "BoundedVec",
}


class Runtime:
    """One version of a chain's runtime."""

    def __init__(
        self, metadata: str, spec_name: str, spec_version: int, transaction_version: int
    ) -> None:
        """Read metadata (`0x` hex, as `state_getMetadata` gives it). Raises WrongRuntime."""
        self.spec_name = spec_name
        self.spec_version = spec_version
        self.transaction_version = transaction_version
        self.codec: Any = RuntimeConfigurationObject(ss58_format=42, implements_scale_info=True)
        self.codec.update_type_registry(load_type_registry_preset("core", use_remote_preset=False))
        self.codec.update_type_registry({"types": _BOUNDED_VECTORS})
        try:
            decoded = self.codec.create_scale_object("MetadataVersioned", ScaleBytes(metadata))
            decoded.decode()
            self.codec.add_portable_registry(decoded)
        except Exception as error:  # scalecodec raises many kinds on bytes that it does not know
            raise self.wrong(f"its metadata cannot be read ({error})") from None
        self.metadata: Any = decoded
        self._types: dict[int, Any] = {
            entry["id"]: entry["type"] for entry in decoded.portable_registry.value["types"]
        }
        self._pallets: dict[str, Any] = {p.value["name"]: p for p in decoded.pallets}
        self._items: dict[tuple[str, str], _Item] = {}
        self._call_heads: dict[tuple[str, str], bytes] = {}
        self._layouts = Layouts(self.codec)
        self._event_layout: EventLayout | None = None
        extrinsic = decoded[1][1]["extrinsic"].value
        self.extensions = tuple(
            Extension(e["identifier"], e["ty"], e["additional_signed"])
            for e in extrinsic["signed_extensions"]
        )
        self._check_fits()
        self.pallet_index: int = self._pallets[PALLET].value["index"]
        self.constants: Constants = self._constants()

    def wrong(self, what: str) -> WrongRuntime:
        """Make the error that this runtime is not one that we can speak to."""
        return WrongRuntime(self.spec_name, self.spec_version, what)

    # -- types ---------------------------------------------------------------------------------

    def is_empty(self, type_id: int) -> bool:
        """Whether values of a type take no bytes at all."""
        kind, body = next(iter(self._types[type_id]["def"].items()))
        if kind == "tuple":
            return all(self.is_empty(field) for field in body)
        if kind == "composite":
            return all(self.is_empty(field["type"]) for field in body.get("fields", ()))
        if kind == "array":
            return body["len"] == 0 or self.is_empty(body["type"])
        return False

    def type_string(self, *path: str) -> str:
        """Give a type as scalecodec names it, by its path. Raises WrongRuntime."""
        for number, body in self._types.items():
            if tuple(body.get("path", ())) == path:
                return f"scale_info::{number}"
        raise self.wrong(f"there is no type {'::'.join(path)}")

    def encode(self, type_string: str, value: Any) -> bytes:
        """Encode a value; `type_string` as scalecodec names types. Raises CallInvalid."""
        try:
            return bytes(self.codec.create_scale_object(type_string).encode(value).data)
        except Exception as error:  # scalecodec raises many kinds, TypeError to NotImplementedError
            raise CallInvalid(f"{value!r} does not fit the type {type_string}: {error}") from None

    def decode(self, type_string: str, raw: bytes) -> Any:
        """Decode all of `raw` to plain Python values. Raises LedgerError."""
        try:
            return self._layouts.decode(type_string, raw)
        except NotLaidOut:
            return self.decode_by_metadata(type_string, raw)

    def decode_by_metadata(self, type_string: str, raw: bytes) -> Any:
        """Decode as `decode` does, by looking each type up for each value. Raises LedgerError."""
        try:
            decoder = self.codec.create_scale_object(
                type_string, ScaleBytes(raw), metadata=self.metadata
            )
            return decoder.decode()
        except Exception as error:  # as above
            raise LedgerError(
                f"the node's answer does not fit {self.spec_name} version {self.spec_version} "
                f"({type_string}: {error}): connect to a node whose runtime this client can read"
            ) from None

    # -- storage -------------------------------------------------------------------------------

    def key(self, pallet: str, item: str, *keys: Any) -> str:
        """Give a storage key, or the prefix of all keys that begin with `keys`, as `0x` hex."""
        entry = self._item(pallet, item)
        raw = bytes(entry.prefix)  # it is a bytearray, which += would change for good
        for value, type_string, hasher in zip(keys, entry.key_types, entry.hashers, strict=False):
            raw += _HASHERS[hasher][0](self._encoded_key(type_string, value))
        return "0x" + raw.hex()

    def _encoded_key(self, type_string: str, value: Any) -> bytes:
        """Encode a key; those that are numbers by hand, since there are thousands."""
        size = self._layouts.integer_bytes(type_string)
        if size is None or type(value) is not int or not 0 <= value < 1 << (8 * size):
            return self.encode(type_string, value)
        return value.to_bytes(size, "little")

    def version_key(self, pallet: str) -> str:
        """Give the key under which a pallet's storage version stands (a `u16`), as `0x` hex."""
        prefix = self._pallet(pallet).value["storage"]["prefix"]
        return "0x" + bytes(xxh128(prefix.encode()) + xxh128(b":__STORAGE_VERSION__:")).hex()

    def keys_of(self, pallet: str, item: str, key: str) -> tuple[Any, ...]:
        """Give the keys that a full storage key was made of."""
        entry = self._item(pallet, item)
        raw = bytes.fromhex(key[2:])[len(entry.prefix) :]
        found = []
        for type_string, hasher in zip(entry.key_types, entry.hashers, strict=True):
            raw = raw[_HASHERS[hasher][1] :]
            value = self.codec.create_scale_object(type_string, ScaleBytes(raw))
            found.append(value.decode(check_remaining=False))
            raw = raw[value.data.offset :]
        return tuple(found)

    def last_key(self, pallet: str, item: str, key: str) -> Any:
        """Give the last of the keys that a full storage key was made of."""
        return self.keys_of(pallet, item, key)[-1]

    def value(self, pallet: str, item: str, raw: str | None) -> Any:
        """Decode a stored value; where there is none, the item's default or None."""
        entry = self._item(pallet, item)
        if raw is not None:
            return self.decode(entry.value_type, bytes.fromhex(raw[2:]))
        return None if entry.default is None else self.decode(entry.value_type, entry.default)

    def has_item(self, pallet: str, item: str) -> bool:
        """Whether there is such storage: runtimes of the first release lack what came later."""
        return pallet in self._pallets and (
            self._pallets[pallet].get_storage_function(item) is not None
        )

    def _item(self, pallet: str, item: str) -> _Item:
        if (pallet, item) not in self._items:
            storage = self._pallet(pallet).get_storage_function(item)
            if storage is None:
                raise self.wrong(f"there is no storage {pallet}.{item}")
            prefix = self._pallets[pallet].value["storage"]["prefix"]
            default = bytes(storage.value_object["default"].value_object)
            self._items[pallet, item] = _Item(
                prefix=xxh128(prefix.encode()) + xxh128(item.encode()),
                key_types=tuple(storage.get_params_type_string()),
                hashers=tuple(storage.get_param_hashers()) if "Map" in storage.type else (),
                value_type=storage.get_value_type_string(),
                default=default if storage.value["modifier"] == "Default" else None,
            )
        return self._items[pallet, item]

    def _pallet(self, name: str) -> Any:
        if name not in self._pallets:
            raise self.wrong(f"there is no pallet {name}")
        return self._pallets[name]

    # -- calls ---------------------------------------------------------------------------------

    def compose(self, pallet: str, call: str, params: dict[str, Any]) -> bytes:
        """Encode a call. Raises CallInvalid where call or arguments do not fit the metadata."""
        arguments = self.call_arguments(pallet)
        if call not in arguments:
            raise CallInvalid(f"the runtime has no call {pallet}.{call}")
        unknown = set(params) ^ set(arguments[call])
        if unknown:
            raise CallInvalid(f"{pallet}.{call} has other arguments: {', '.join(sorted(unknown))}")
        encoder = self.codec.create_scale_object("Call", metadata=self.metadata)
        value = {"call_module": pallet, "call_function": call, "call_args": params}
        try:
            return bytes(encoder.encode(value).data)
        except Exception as error:  # scalecodec raises many kinds
            raise CallInvalid(f"an argument of {pallet}.{call} does not fit: {error}") from None

    def compose_batch(self, calls: list[bytes]) -> bytes:
        """Wrap encoded calls into `utility.batch_all`: all of them, or none."""
        head = self.call_head("Utility", "batch_all")
        return head + compact(len(calls)) + b"".join(calls)

    def call_head(self, pallet: str, call: str) -> bytes:
        """Give the two bytes that name a call. Raises WrongRuntime where there is none."""
        if (pallet, call) not in self._call_heads:
            for variant in self._variants(self._pallet(pallet).value["calls"]["ty"]):
                name = (pallet, variant["name"])
                self._call_heads[name] = bytes(
                    [self._pallets[pallet].value["index"], variant["index"]]
                )
        if (pallet, call) not in self._call_heads:
            raise self.wrong(f"there is no call {pallet}.{call}")
        return self._call_heads[pallet, call]

    def call_arguments(self, pallet: str) -> dict[str, tuple[str, ...]]:
        """Give the names of a pallet's calls with those of their arguments."""
        calls = self._pallet(pallet).value["calls"]
        if calls is None:
            return {}
        return {
            variant["name"]: tuple(field["name"] for field in variant["fields"])
            for variant in self._variants(calls["ty"])
        }

    def _variants(self, type_id: int) -> list[Any]:
        variants: list[Any] = self._types[type_id]["def"]["variant"]["variants"]
        return variants

    # -- errors and events ---------------------------------------------------------------------

    def pallet_error(self, index: int, pallet: str = PALLET) -> tuple[str, str]:
        """Give name and documentation of a pallet's error; the index itself where unknown."""
        errors = self._pallet(pallet).value["error"]
        if errors is not None:
            for variant in self._variants(errors["ty"]):
                if variant["index"] == index:
                    return variant["name"], " ".join(line.strip() for line in variant["docs"])
        return f"error {index}", f"the pallet {pallet} has no error of this number"

    def dispatch_error(self, error: Any, where: str = "") -> DispatchFailed:
        """Make the exception for a decoded `DispatchError`."""
        if isinstance(error, dict) and "Module" in error:
            body = error["Module"]
            raw = body["error"]
            index = bytes.fromhex(raw[2:])[0] if isinstance(raw, str) else raw
            for name, pallet in self._pallets.items():
                if pallet.value["index"] == body["index"]:
                    failed, docs = self.pallet_error(index, name)
                    return by_name(failed, name)(name, failed, docs, where)
        if isinstance(error, dict):
            module, detail = next(iter(error.items()))
            name = detail if isinstance(detail, str) else module
            return by_name(name, module)(module, name, "an error of the runtime itself", where)
        docs = "an error of the runtime itself"
        return by_name(str(error), "System")("System", str(error), docs, where)

    def events(self, raw: str | None) -> tuple[Event, ...]:
        """Decode `System.Events` of a block. Raises LedgerError."""
        if raw is None:
            return ()
        try:
            if self._event_layout is None:
                records = self._item("System", "Events").value_type
                self._event_layout = EventLayout(self._layouts, records)
            return self._event_layout.events(bytes.fromhex(raw[2:]))
        except NotLaidOut:
            return self.events_by_metadata(raw)

    def events_by_metadata(self, raw: str) -> tuple[Event, ...]:
        """Decode as `events` does, by looking each type up for each value. Raises LedgerError."""
        type_string = self._item("System", "Events").value_type
        return tuple(
            Event(
                pallet=record["module_id"],
                name=record["event_id"],
                fields=named(record["attributes"]),
                extrinsic_index=record["extrinsic_idx"],
            )
            for record in self.decode_by_metadata(type_string, bytes.fromhex(raw[2:]))
        )

    # -- what must be there --------------------------------------------------------------------

    def constant(self, pallet: str, name: str) -> Any:
        """Read a constant. Raises WrongRuntime where there is none."""
        for constant in self._pallet(pallet).value_object["constants"].value_object:
            if constant.value["name"] == name:
                return self.decode(
                    f"scale_info::{constant.value['type']}", bytes(constant.constant_value)
                )
        raise self.wrong(f"there is no constant {pallet}.{name}")

    @property
    def pot(self) -> bytes:
        """The pallet's account, as `PalletId` makes it: `modl`, the 8 bytes of its id, zeros."""
        for constant in self._pallet(PALLET).value_object["constants"].value_object:
            if constant.value["name"] == "PalletId":
                return (b"modl" + bytes(constant.constant_value)).ljust(32, b"\x00")
        raise self.wrong(f"there is no constant {PALLET}.PalletId")

    def _check_fits(self) -> None:
        if PALLET not in self._pallets:
            raise self.wrong(f"it has no pallet named {PALLET}")
        calls = self.call_arguments(PALLET)
        for name, arguments in _CALLS.items():
            if calls.get(name) != arguments:
                raise self.wrong(f"the call {PALLET}.{name} is not {name}({', '.join(arguments)})")
        for item in _STORAGE:
            self._item(PALLET, item)

    def _constants(self) -> Constants:
        return constants_from(self.constant)
