"""Whether somebody may say something in a stream's chat, may not, or has to wait for a moderator.

Who moderates is under none of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from streaming.community.accounts import Session
from streaming.community.chat import held
from streaming.community.chat.filters import REFUSE, Filters
from streaming.community.chat.links import has_link
from streaming.community.chat.roles import Roles
from streaming.community.chat.settings import FOLLOWERS, settings
from streaming.community.database.migrations import Execute
from streaming.community.ledger import Owned, StreamKey
from streaming.community.refusal import Refused, too_often

DAY_MS: Final = 24 * 3_600_000


@dataclass(frozen=True)
class Waits:
    """Why a message has to wait."""

    why: str
    pattern: str | None = None


class Rules:
    """What is asked of a message of somebody who does not moderate."""

    def __init__(self, roles: Roles, filters: Filters) -> None:
        self.roles = roles
        self.filters = filters

    def judged(
        self, execute: Execute, owned: Owned, session: Session, text: str, *, at_ms: int
    ) -> Waits | None:
        """Tell whether it has to wait, and why. Raises `Refused` where it is not taken."""
        key, public, set_so = owned.key, session.public, settings(execute, owned.key)
        if set_so["speakers"] == FOLLOWERS and not _follows(execute, public, owned.owner):
            raise Refused(
                403, "followers-only", "only who follows the stream's owner speaks in this chat"
            )
        _refuse_fast(execute, key, public, slow_mode_s=set_so["slow_mode_s"], at_ms=at_ms)
        match = self.filters.first(execute, key, text)
        if match is not None and match.action == REFUSE:
            raise Refused(
                422,
                "words-refused",
                "this chat does not take some of these words: say it in others",
                field="text",
            )
        if match is not None:
            return Waits(held.FILTER, match.pattern)
        if set_so["links_held"] and has_link(text):
            days = set_so["links_days"]
            if not days or at_ms - _since_ms(execute, public) < days * DAY_MS:
                return Waits(held.LINK)
        return None


def _follows(execute: Execute, follower: bytes, followed: bytes) -> bool:
    sql = "SELECT 1 FROM follows WHERE follower = ? AND followed = ?"
    return bool(execute(sql, (follower, followed)))


def _since_ms(execute: Execute, public: bytes) -> int:
    rows = execute("SELECT created_at_ms FROM accounts WHERE public = ?", (public,))
    return int(rows[0][0])


def _refuse_fast(
    execute: Execute, key: StreamKey, public: bytes, *, slow_mode_s: int, at_ms: int
) -> None:
    """Raise `Refused` (429) where the stream's slow mode lets this account wait."""
    if not slow_mode_s:
        return
    rows = execute(
        "SELECT MAX(sent_at_ms) FROM messages WHERE public = ? AND chain = ? AND stream = ?",
        (public, *key),
    )
    last_ms = max(rows[0][0] or 0, held.last_held_ms(execute, key, public))
    wait_s = slow_mode_s - (at_ms - last_ms) / 1000
    if wait_s > 0:
        raise too_often(f"slow mode: one message in {slow_mode_s} s", wait_s)
