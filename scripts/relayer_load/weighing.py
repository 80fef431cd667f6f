"""What objects take in memory, with all that only they hold."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import msgspec


def bytes_of(roots: Iterable[Any], shared: Iterable[Any]) -> int:
    """Sum the sizes of what is reachable from some objects; `shared` ones are not theirs."""
    seen = {id(each) for each in shared}
    total, left = 0, list(roots)
    while left:
        each = left.pop()
        if id(each) in seen or isinstance(each, _CODE):
            continue
        seen.add(id(each))
        total += sys.getsizeof(each)
        if isinstance(each, msgspec.Struct):  # of some the collector knows nothing
            left += [getattr(each, name) for name in each.__struct_fields__]
        else:
            left += gc.get_referents(each)
    return total


_CODE = (type, ModuleType, FunctionType, MethodType, CodeType)
