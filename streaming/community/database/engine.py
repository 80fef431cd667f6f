"""What the community needs of whatever keeps its tables. Everything here blocks."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from streaming.community.database.migrations import Execute


class Engine(Protocol):
    """Tables on a disk. `writing` and `forget` belong to one thread, `reading` to another."""

    @property
    def place(self) -> str:
        """Where it is, for messages; without credentials."""

    def writing(self) -> AbstractContextManager[Execute]:
        """Give what runs statements that all count, or none where the block raises.

        When the block has ended they are on the disk. Raises DatabaseUnavailable.
        """

    def reading(self) -> AbstractContextManager[Execute]:
        """Give what runs queries that all see the same moment. Raises DatabaseUnavailable."""

    def forget(self) -> None:
        """Leave nothing of what was deleted in the file, as far as that is in our hands."""

    def close(self) -> None:
        """Let go of it. What was written stays."""
