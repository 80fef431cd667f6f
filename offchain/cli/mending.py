"""Which call mends what reconciliation finds. Pure: `offchain.cli.reconcile` reads and shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from offchain.cli.audit import History, Overcharge, SessionName, overcharges
from offchain.ledger.types import Session, Stream
from offchain.relayer.cadence import ended_at, may_settle


@dataclass(frozen=True)
class Settle:
    """Anybody ends a session whose window is over."""


@dataclass(frozen=True)
class Close:
    """The viewer asks the relayer to close a session, which its key may until its window ends."""

    viewer: str


@dataclass(frozen=True)
class GiveBack:
    """The stream's owner gives a viewer back what was charged too much."""

    stream: int
    viewer: str
    amount: int


@dataclass(frozen=True)
class Mend:
    """A call that mends something of a session: why, what, and how it is typed."""

    session: SessionName
    why: str
    call: Settle | Close | GiveBack
    command: str

    @property
    def label(self) -> str:
        """The session as it is written."""
        return f"{self.session[0]}-{self.session[1]}"


def mends(
    history: History,
    after: Stream | None,
    open_sessions: Mapping[SessionName, Session],
    delivered_ms: Mapping[SessionName, int],
    *,
    now_ms: int,
    window_ms: int,
    write: Callable[[int], str],
) -> Iterator[Mend]:
    """Give the calls that mend what can be mended by one, in the order of sessions.

    `after`, `open_sessions` and `now_ms` are of one block, `window_ms` is the ledger's settlement
    window, `write` writes an amount of the stream's asset. What a closed session left unpaid, and
    a ledger that contradicts itself, no call mends.
    """
    stops = () if after is None else after.stops
    too_much = overcharges(history, delivered_ms)
    for name, session in sorted(history.sessions.items()):
        entry, over = open_sessions.get(name), too_much.get(name)
        if entry is not None and ended_at(entry, now_ms, stops) <= now_ms:
            is_late = may_settle(entry, now_ms, stops, window_ms)
            yield _end(name, entry, is_late=is_late, write=write)
        if over is not None and over.amount and session.viewer:
            yield _give_back(history.stream, name, session.viewer, over, write)


def _end(name: SessionName, entry: Session, *, is_late: bool, write: Callable[[int], str]) -> Mend:
    grant, index = name
    left = write(entry.funds - entry.paid)
    if is_late:
        return Mend(
            name,
            f"it has ended, nobody closed it in time, and it holds {left} of its viewer's",
            Settle(),
            f"paystream session settle --grant {grant} --index {index}",
        )
    return Mend(
        name,
        f"it has ended and holds {left}; its viewer's key may still close it",
        Close(entry.viewer),
        f"paystream session close {grant}-{index}",
    )


def _give_back(
    stream: int, name: SessionName, viewer: str, over: Overcharge, write: Callable[[int], str]
) -> Mend:
    return Mend(
        name,
        f"{over.seconds} s more were paid than delivered",
        GiveBack(stream, viewer, over.amount),
        f'paystream stream refund {stream} "{write(over.amount)}" --viewer {viewer}',
    )
