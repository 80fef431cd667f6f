"""What a journal needs of whatever keeps its tables. Everything here blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

from offchain.journal.guard import Guard
from offchain.journal.migrations import Execute, Rows
from offchain.journal.statements import Statement

Select: TypeAlias = Callable[[str], Iterator[tuple[Any, ...]]]


class Store(Protocol):
    """Tables on a disk. `write` belongs to one thread at a time, `read` to another."""

    @property
    def place(self) -> str:
        """Where it is, for messages; without credentials."""

    def write(self, statements: Sequence[Statement], guard: Guard | None = None) -> None:
        """Run all of the statements, or none, and return when they are on the disk.

        Raises JournalUnavailable, and what `guard` raises in the same transaction.
        """

    @property
    def share(self) -> str:
        """What a SELECT ends with, so that nobody removes its rows before the transaction ends."""

    @property
    def now_ms(self) -> str:
        """The expression for the database's own clock, in unix milliseconds."""

    def transaction(self) -> AbstractContextManager[Execute]:
        """Give what runs statements that all count, or none where the block raises.

        What it reads it may write: nobody else writes meanwhile, or the rows that it has written
        are held. Raises JournalUnavailable.
        """

    def read(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        """Give the rows of a query over what is on the disk.

        Raises JournalUnavailable and JournalUnreadable.
        """

    def snapshot(self) -> AbstractContextManager[Select]:
        """Give what runs queries that all see the same moment, row by row."""

    def end_stalled(self) -> int:
        """Break the connections of relayers that stand still in the middle of a write; count them.

        What they hold would hold up every other. Raises JournalUnavailable and JournalUnreadable.
        """

    def verify(self) -> list[str]:
        """Say what the database itself finds wrong with its files; nothing if it is whole.

        Raises JournalUnavailable and JournalUnreadable.
        """

    def close(self) -> None:
        """Let go of it. What was written stays."""
