"""Reporting, by anybody, and answering, by who moderates: one act closes all that is about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from streaming.community import audit
from streaming.community.accounts import Session
from streaming.community.audit import Act, Detail
from streaming.community.chat import held, messages, moderation, reports
from streaming.community.chat.chat import Chat, of_account
from streaming.community.chat.desk import Desk
from streaming.community.chat.reports import Target
from streaming.community.chat.roles import Roles
from streaming.community.chat.rooms import Room
from streaming.community.database.database import Database
from streaming.community.database.migrations import Execute
from streaming.community.ledger import Owned
from streaming.community.profiles import account_of
from streaming.community.refusal import Refused, too_often
from streaming.pace import Clock, Pace

REPORTS_PER_HOUR: Final = 20
REPORTS_AT_ONCE: Final = 5
"""Of one account."""


@dataclass(frozen=True)
class About:
    """What somebody names in a report or an answer: a message, or an account."""

    message: int | None
    who: str | None

    def found(self, execute: Execute, owned: Owned) -> Target:
        """Give the target. Raises `Refused` (404)."""
        if self.message is not None:
            return Target(messages.author_of(execute, owned.key, self.message), self.message)
        return Target(account_of(execute, self.who or ""), None)


@dataclass(frozen=True)
class Answer:
    """What a moderator answers; `seconds` are of a time-out."""

    kind: str
    seconds: int | None
    reason: str


@dataclass(frozen=True)
class _Answered:
    target: Target
    closed: list[tuple[bytes, int]]
    emptied: bool


class ReportDesk:
    """The queue of all streams' reports."""

    def __init__(
        self, database: Database, chat: Chat, desk: Desk, roles: Roles, *, clock: Clock
    ) -> None:
        self._database = database
        self._chat = chat
        self._desk = desk
        self._roles = roles
        self._pace = Pace(REPORTS_PER_HOUR / 3_600, REPORTS_AT_ONCE, clock)

    async def report(
        self, session: Session, owned: Owned, about: About, why: tuple[str, str]
    ) -> dict[str, Any]:
        """Report a message or an account. Raises `Refused`."""
        wait_s = self._pace.take(session.public.hex())
        if wait_s:
            raise too_often(f"an account reports {REPORTS_PER_HOUR} times an hour", wait_s)
        at_ms = self._chat.now_ms()

        def write(execute: Execute) -> int:
            return reports.make(
                execute,
                owned.key,
                about.found(execute, owned),
                reporter=session.public,
                why=why,
                at_ms=at_ms,
            )

        return {"number": await self._database.write(write)}

    async def own(self, session: Session) -> list[dict[str, Any]]:
        """List what an account has reported, with the answers. Raises `Refused`."""
        return await self._database.read(
            lambda execute: reports.of_reporter(execute, session.public)
        )

    async def queue(self, session: Session, owned: Owned | None) -> dict[str, Any]:
        """List what waits for a moderator of a stream, or (None) for the operator."""

        def look(execute: Execute) -> dict[str, Any]:
            if owned is None:
                self._roles.refuse_but_operator(session)
            else:
                self._roles.refuse_others(execute, owned, session)
            key = None if owned is None else owned.key
            return {"reports": reports.queue(execute, key), "held": held.listed(execute, key)}

        return await self._database.read(look)

    async def answer(
        self, session: Session, owned: Owned, chain: str, about: About, answer: Answer
    ) -> dict[str, Any]:
        """Do something about what is reported, and close every report of it. Raises `Refused`."""
        at_ms = self._chat.now_ms()

        def write(execute: Execute) -> _Answered:
            target = about.found(execute, owned)
            if not self._roles.is_over(execute, owned, session, target.public):
                raise Refused(
                    403, "not-over", "who moderates answers no report of themselves or above them"
                )
            closed = reports.close(execute, owned.key, target, answer.kind, at_ms)
            if not closed:
                raise Refused(
                    404, "report-not-found", "nothing is reported there: it may be answered already"
                )
            emptied = _done(execute, owned, target, answer, at_ms)
            detail: Detail = {
                "answer": answer.kind,
                "closed": len(closed),
                "message": target.message,
                "seconds": answer.seconds,
            }
            act = Act("answer-report", session.public, target.public, answer.reason, detail)
            audit.record(execute, owned.key, act, at_ms)
            return _Answered(target, closed, emptied)

        def tell(room: Room, done: _Answered) -> None:
            if done.emptied and done.target.message is not None:
                room.remove([done.target.message])
            if answer.kind in {reports.TIME_OUT, reports.BAN}:
                frame = room.frame("muted", until_ms=_until_ms(answer, at_ms))
                room.tell(frame, of_account(done.target.public))
            for reporter, number in done.closed:
                frame = room.frame("report_answered", number=number, answer=answer.kind)
                room.tell(frame, of_account(reporter))

        forgets = answer.kind != reports.DISMISS
        done = await self._desk.act(session, owned, chain, write, tell, forgets=forgets)
        return {"answer": answer.kind, "closed": len(done.closed)}


def _done(execute: Execute, owned: Owned, target: Target, answer: Answer, at_ms: int) -> bool:
    """Do what was answered; a message goes with all but a dismissal. Tells whether one went."""
    if answer.kind in {reports.TIME_OUT, reports.BAN}:
        until_ms = _until_ms(answer, at_ms)
        moderation.mute(execute, owned.key, target.public, until_ms=until_ms, at_ms=at_ms)
    if answer.kind == reports.BAN:
        held.drop(execute, owned.key, target.public)
    if answer.kind == reports.DISMISS or target.message is None:
        return False
    return messages.empty(execute, owned.key, target.message)


def _until_ms(answer: Answer, at_ms: int) -> int | None:
    return None if answer.seconds is None else at_ms + answer.seconds * 1000
