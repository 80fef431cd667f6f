"""Whose viewers are: a relayer that is alone has all of them, of several each has some.

Whatever is done for a viewer asks here first. A relayer that is alone is told yes, at no cost
(`Alone`); one of several knows what it holds, and whether it still does (`several.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from offchain.journal import Statement, put_finalized
from offchain.keys.keystore import KeystoreError
from offchain.relayer.problems import Refused
from streaming.session_state import SessionRef


class NotHeld(KeystoreError):
    """Nothing is signed for a viewer whom this relayer does not hold, or may hold no longer."""


class Tenure(ABC):
    """What a relayer holds of the viewers."""

    alone = False
    """Whether there is no other relayer, so that who is not known here is known nowhere."""

    @property
    @abstractmethod
    def lasts(self) -> bool:
        """Whether what it holds is certainly still its own. If not, it does nothing."""

    @property
    @abstractmethod
    def draining(self) -> bool:
        """Whether it takes no viewer any more."""

    @property
    @abstractmethod
    def held(self) -> int:
        """How many viewers it leases."""

    @abstractmethod
    def holds(self, viewer: str) -> bool:
        """Tell whether orders of a viewer's may be sent."""

    @abstractmethod
    def fence(self, viewer: str) -> int:
        """Give the number under which orders of a viewer's are signed now. Raises NotHeld."""

    @abstractmethod
    def using(self, viewer: str) -> AbstractContextManager[None]:
        """Keep a viewer for the length of a block. Raises Refused where that is another's."""

    @abstractmethod
    async def claim(self, viewer: str) -> None:
        """Hold a viewer who has proven the account. Raises Refused where another does."""

    @abstractmethod
    async def visit(self, viewer: str) -> None:
        """Know a viewer's keys without holding the viewer. Raises Refused where another does."""

    @abstractmethod
    def over(self, session: SessionRef, number: int) -> bool:
        """Tell whether a session that is not in the book has ended, or never was.

        `number` is its connection's.
        """

    @abstractmethod
    def put_finalized(self, block: int) -> Statement:
        """Note up to which finalized block everything is in the records."""


class Alone(Tenure):
    """The one relayer: it holds every viewer, and for ever."""

    alone = True

    @property
    def lasts(self) -> bool:
        """It does."""
        return True

    @property
    def draining(self) -> bool:
        """Nobody could take over."""
        return False

    @property
    def held(self) -> int:
        """There are no leases."""
        return 0

    def holds(self, _viewer: str) -> bool:
        """It does."""
        return True

    def fence(self, _viewer: str) -> int:
        """There is no lease."""
        return 0

    @contextmanager
    def using(self, _viewer: str) -> Iterator[None]:
        """There is nobody to keep a viewer from."""
        yield

    async def claim(self, _viewer: str) -> None:
        """There is nothing to do."""

    async def visit(self, _viewer: str) -> None:
        """There is nothing to do."""

    def over(self, _session: SessionRef, _number: int) -> bool:
        """What is not in the book is over."""
        return True

    def put_finalized(self, block: int) -> Statement:
        """Note it for the journal as a whole."""
        return put_finalized(block)


def elsewhere(name: str | None) -> Refused:
    """Send a request on: to the relayer of that name, or to any other."""
    where = "another relayer" if name is None else f"relayer {name!r}"
    return Refused(
        503,
        "held-elsewhere",
        f"{where} holds this viewer's sessions, and the media server does not reach it: try again "
        "in a few seconds",
        retry_after_s=3,
        relayer=name or "",
    )


def lapsed() -> Refused:
    """This relayer cannot say whether its viewers are still its own."""
    return Refused(
        503,
        "held-elsewhere",
        "this relayer has not reached the journal's database in time, and others may hold its "
        "viewers by now: try again in a few seconds",
        retry_after_s=3,
        relayer="",
    )
