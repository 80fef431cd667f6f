"""A viewer goes on with a session that is there: with its secret, or with one nobody answered."""

from __future__ import annotations

import logging
import secrets
from typing import Final

import trio

from offchain.journal import JournalUnavailable, put_session
from offchain.journal.records import TokenRecord
from offchain.relayer.core import Core
from offchain.relayer.live_session import LiveSession
from offchain.relayer.problems import journal_unavailable
from offchain.relayer.tokens import digest

log = logging.getLogger("paystream.relay.resuming")

SECRET_MAX_CHARS: Final = 128


class Resuming:
    """Finds sessions to go on with, and attaches their viewers again."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def find(self, token: TokenRecord, stream: int, resume: str | None) -> LiveSession | None:
        """Find the session that a viewer goes on with: by its secret, or a join nobody answered."""
        found = self._resumable(token, stream, resume)
        if found is None:
            found = self._core.book.orphan(token.account, stream, trio.current_time())
        return found

    def _resumable(self, token: TokenRecord, stream: int, resume: str | None) -> LiveSession | None:
        if not resume or len(resume) > SECRET_MAX_CHARS:
            return None
        known, now = digest(resume), trio.current_time()
        for session in self._core.book.of_viewer(token.account):
            record = session.record
            if secrets.compare_digest(record.resume_digest, known):
                return (
                    session
                    if record.stream == stream and self._core.book.may_resume(session, now)
                    else None
                )
        return None

    async def attach(self, session: LiveSession, token: TokenRecord) -> str:
        """Give a session's next connection a secret of its own. Raises Refused."""
        secret = secrets.token_urlsafe(24)
        before = session.record
        session.change(
            number=before.number + 1, resume_digest=digest(secret), token_digest=token.digest
        )
        session.idle_since = trio.current_time()
        try:
            await self._core.journal.commit([put_session(session.record)])
        except JournalUnavailable:
            session.change(
                number=before.number,
                resume_digest=before.resume_digest,
                token_digest=before.token_digest,
            )
            raise journal_unavailable() from None
        log.debug("event=session-resumed session=%s number=%d", session.ref, session.record.number)
        return secret
