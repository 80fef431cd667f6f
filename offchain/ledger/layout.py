"""Decoders that are put together once from a runtime's types, for what comes by the thousand.

scalecodec looks each type up again for each value that it decodes, which costs 0.3 ms an event. A
layout asks it once what a type is made of, and gives a function that reads bytes to the very values
that scalecodec would give (the tests hold the one against the other). What a layout does not know,
and bytes that do not fit, are scalecodec's to decode.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from scalecodec import types
from substrateinterface.utils.ss58 import ss58_encode

Reader: TypeAlias = Callable[[bytes, int], tuple[Any, int]]
"""Takes bytes and where a value begins; gives the value and where it ends."""

ADDRESSES_KEPT: Final = 1 << 14
_INTEGERS: Final = {
    types.U8: (1, False),
    types.U16: (2, False),
    types.U32: (4, False),
    types.U64: (8, False),
    types.U128: (16, False),
    types.U256: (32, False),
    types.I8: (1, True),
    types.I16: (2, True),
    types.I32: (4, True),
    types.I64: (8, True),
    types.I128: (16, True),
}


class NotLaidOut(Exception):
    """A type, or bytes, that scalecodec has to decode."""


class Layouts:
    """The layouts of one runtime's types, by the names that scalecodec has for them."""

    def __init__(self, codec: Any) -> None:
        self._codec = codec
        self._readers: dict[str, Reader] = {}
        self._integers: dict[str, int | None] = {}

    def decode(self, type_string: str, raw: bytes) -> Any:
        """Decode all of `raw`. Raises NotLaidOut."""
        try:
            value, end = self.reader(type_string)(raw, 0)
        except (IndexError, UnicodeDecodeError, RecursionError):
            raise NotLaidOut(type_string) from None
        if end != len(raw):
            raise NotLaidOut(type_string)
        return value

    def reader(self, type_string: str) -> Reader:
        """Give what reads a type. Raises NotLaidOut where it is of another make."""
        known = self._readers.get(type_string)
        if known is None:
            # a type that holds itself finds this instead of its own reader
            self._readers[type_string] = functools.partial(self._read_later, type_string)
            try:
                known = self._made(self._codec.get_decoder_class(type_string))
            except NotLaidOut:
                self._readers[type_string] = functools.partial(_refuse, type_string)
                raise
            self._readers[type_string] = known
        return known

    def integer_bytes(self, type_string: str) -> int | None:
        """Tell how many bytes an unsigned number takes; None for all other types."""
        if type_string not in self._integers:
            kind = self._codec.get_decoder_class(type_string)
            found = [size for integer, (size, signed) in _INTEGERS.items()
                     if not signed and issubclass(kind, integer)]  # fmt: skip
            self._integers[type_string] = found[0] if found else None
        return self._integers[type_string]

    def element(self, type_string: str, kind: type[Any]) -> Any:
        """Give scalecodec's class of a list's elements. Raises NotLaidOut where it is no `kind`."""
        listed = self._codec.get_decoder_class(type_string)
        inner = self._codec.get_decoder_class(getattr(listed, "sub_type", None) or "Null")
        if not issubclass(inner, kind):
            raise NotLaidOut(type_string)
        return inner

    def has_variants(self, type_string: str) -> bool:
        """Tell whether a type is an enumeration that is not empty."""
        return bool(getattr(self._codec.get_decoder_class(type_string), "type_mapping", None))

    def variants(self, type_string: str) -> dict[int, tuple[str, str]]:
        """Give an enumeration's variants by index: each one's name, and the type of its content."""
        kind = self._codec.get_decoder_class(type_string)
        mapping = getattr(kind, "type_mapping", None)
        if not mapping:
            raise NotLaidOut(type_string)
        return {index: (name, inner) for index, (name, inner) in enumerate(mapping) if name}

    def fields(self, content: Any) -> Reader:
        """Give what reads the content of a variant, as `variants` gives it. Raises NotLaidOut."""
        if content in (None, "Null"):
            return _nothing
        if isinstance(content, dict):
            return _struct(list(content), [self.reader(inner) for inner in content.values()])
        return self.reader(content)

    def _read_later(self, type_string: str, raw: bytes, at: int) -> tuple[Any, int]:
        return self._readers[type_string](raw, at)

    def _made(self, kind: Any) -> Reader:
        for integer, (size, signed) in _INTEGERS.items():
            if issubclass(kind, integer):
                return _integer(size, signed=signed)
        process = kind.process
        if process is types.Null.process:
            return _nothing
        if process is types.Bool.process:
            return _bool
        if process is types.GenericAccountId.process and self._codec.ss58_format is not None:
            return _account(self._codec.ss58_format)
        if process is types.H256.process:
            return _hex(32)
        if issubclass(kind, types.Compact):
            return self._compact(kind)
        if process in (types.Struct.process, types.Tuple.process):
            return self._record(kind)
        if process is types.Option.process:
            return _option(self.reader(kind.sub_type))
        if process in (types.Vec.process, types.BoundedVec.process):
            return self._sequence(kind)
        if process is types.FixedLengthArray.process:
            return self._array(kind)
        if process is types.Enum.process and kind.type_mapping:
            return self._enumeration(kind)
        raise NotLaidOut(str(kind))

    def _compact(self, kind: Any) -> Reader:
        inner = self._codec.get_decoder_class(kind.sub_type)
        if kind.process is not types.Compact.process or not issubclass(inner, tuple(_INTEGERS)):
            raise NotLaidOut(str(kind))
        return compact_at

    def _record(self, kind: Any) -> Reader:
        if kind.process is types.Struct.process:
            names = [name for name, _ in kind.type_mapping]
            return _struct(names, [self.reader(inner or "Null") for _, inner in kind.type_mapping])
        inner = [self.reader(each or "Null") for each in kind.type_mapping]
        return inner[0] if len(inner) == 1 else _tuple(inner)

    def _sequence(self, kind: Any) -> Reader:
        if self._is_byte(kind.sub_type):
            return _text
        return _many(self.reader(kind.sub_type))

    def _array(self, kind: Any) -> Reader:
        if kind.element_count and self._is_byte(kind.sub_type):
            return _hex(kind.element_count)
        inner = self.reader(kind.sub_type)
        return _some(inner, kind.element_count or 0)

    def _is_byte(self, type_string: str) -> bool:
        return self._codec.get_decoder_class(type_string) is types.U8

    def _enumeration(self, kind: Any) -> Reader:
        readers: dict[int, tuple[str, Reader | None]] = {}
        for index, (name, content) in enumerate(kind.type_mapping):
            if name is not None:
                is_plain = content in (None, "Null")
                readers[index] = (name, None if is_plain else self.fields(content))

        def read(raw: bytes, at: int) -> tuple[Any, int]:
            found = readers.get(raw[at])
            if found is None:
                raise IndexError(raw[at])
            name, content = found
            if content is None:
                return name, at + 1
            value, at = content(raw, at + 1)
            return {name: value}, at

        return read


def compact_at(raw: bytes, at: int) -> tuple[int, int]:
    """Read SCALE's compact integer."""
    first = raw[at]
    mode = first & 3
    if mode == 0:
        return first >> 2, at + 1
    if mode == 3:
        end = at + 5 + (first >> 2)
        return int.from_bytes(raw[at + 1 : end], "little"), end
    end = at + (2 if mode == 1 else 4)
    return int.from_bytes(raw[at:end], "little") >> 2, end


def _nothing(_raw: bytes, at: int) -> tuple[None, int]:
    return None, at


def _refuse(type_string: str, _raw: bytes, _at: int) -> tuple[Any, int]:
    raise NotLaidOut(type_string)


def _integer(size: int, *, signed: bool) -> Reader:
    from_bytes = int.from_bytes

    def read(raw: bytes, at: int) -> tuple[int, int]:
        end = at + size
        return from_bytes(raw[at:end], "little", signed=signed), end

    return read


def _bool(raw: bytes, at: int) -> tuple[bool, int]:
    if raw[at] > 1:
        raise IndexError(raw[at])
    return raw[at] == 1, at + 1


def _hex(size: int) -> Reader:
    def read(raw: bytes, at: int) -> tuple[str, int]:
        end = at + size
        return "0x" + raw[at:end].hex(), end

    return read


def _account(ss58_format: int) -> Reader:
    @functools.lru_cache(ADDRESSES_KEPT)
    def address(public: bytes) -> str:
        return sys.intern(str(ss58_encode(public, ss58_format=ss58_format)))

    def read(raw: bytes, at: int) -> tuple[str, int]:
        end = at + 32
        if end > len(raw):
            raise IndexError(end)
        return address(raw[at:end]), end

    return read


def _text(raw: bytes, at: int) -> tuple[str, int]:
    length, at = compact_at(raw, at)
    end = at + length
    content = raw[at:end]
    try:
        return content.decode(), end
    except UnicodeDecodeError:
        return "0x" + content.hex(), end


def _option(inner: Reader) -> Reader:
    def read(raw: bytes, at: int) -> tuple[Any, int]:
        return inner(raw, at + 1) if raw[at] else (None, at + 1)

    return read


def _struct(names: list[str], readers: list[Reader]) -> Reader:
    fields = list(zip(names, readers, strict=True))

    def read(raw: bytes, at: int) -> tuple[dict[str, Any], int]:
        value = {}
        for name, reader in fields:
            value[name], at = reader(raw, at)
        return value, at

    return read


def _tuple(readers: list[Reader]) -> Reader:
    def read(raw: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        values = []
        for reader in readers:
            value, at = reader(raw, at)
            values.append(value)
        return tuple(values), at

    return read


def _some(inner: Reader, count: int) -> Reader:
    def read(raw: bytes, at: int) -> tuple[list[Any], int]:
        values = []
        for _ in range(count):
            value, at = inner(raw, at)
            values.append(value)
        return values, at

    return read


def _many(inner: Reader) -> Reader:
    def read(raw: bytes, at: int) -> tuple[list[Any], int]:
        count, at = compact_at(raw, at)
        if count > len(raw):
            raise IndexError(count)  # nobody may let us count to a billion
        values = []
        for _ in range(count):
            value, at = inner(raw, at)
            values.append(value)
        return values, at

    return read
