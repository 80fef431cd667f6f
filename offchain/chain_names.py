"""The names of chains where one relayer follows several: in logs, in paths, in files.

One chain has no name: what is not said of another is said of that. So nothing is different for who
follows one chain only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final

NAME: Final = re.compile(r"[a-z0-9-]{1,32}")
"""What a name may be: it stands in addresses and in paths of files."""
FOLDER: Final = "chains"

_current: ContextVar[str] = ContextVar("paystream_chain", default="")


def current() -> str:
    """Give the name of the chain that the running task works for; empty for none."""
    return _current.get()


@contextmanager
def working_for(name: str) -> Iterator[None]:
    """Work for a chain: so say the log's lines of this block and of the tasks that it starts."""
    before = _current.set(name)
    try:
        yield
    finally:
        _current.reset(before)


def state_dir_of(state: Path, name: str) -> Path:
    """Give the directory of a chain's own state: the relayer's, and `chains/NAME` in it."""
    return state / FOLDER / name if name else state


def names_in(state: Path) -> list[str]:
    """List the chains that have a journal in a relayer's state directory, the unnamed first."""
    found = sorted(path.parent.name for path in (state / FOLDER).glob("*/journal.sqlite"))
    return ["", *(name for name in found if NAME.fullmatch(name))]
