"""Who is what in a stream's chat: the operator, its owner, those whom the owner has named.

Operators are named where the server is started, and are so over all streams. Those whom a stream's
former owner has named are nobody to the new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from streaming.community.accounts import Session
from streaming.community.cards import not_owner
from streaming.community.database.migrations import Execute
from streaming.community.ledger import Owned
from streaming.community.refusal import Refused

OPERATOR: Final = "operator"
OWNER: Final = "owner"
MODERATOR: Final = "moderator"
_RANKS: Final = {"": 0, MODERATOR: 1, OWNER: 2, OPERATOR: 3}


class Roles:
    """Roles by configuration, ledger and tables."""

    def __init__(self, operators: Iterable[bytes] = ()) -> None:
        """`operators` are public keys."""
        self._operators = frozenset(operators)

    def is_operator(self, public: bytes) -> bool:
        """Tell whether an account has all streams in its care."""
        return public in self._operators

    def of(self, execute: Execute, owned: Owned, public: bytes) -> str:
        """Give the highest of an account's roles in a stream's chat; "" for everybody."""
        if self.is_operator(public):
            return OPERATOR
        if public == owned.owner:
            return OWNER
        rows = execute(
            "SELECT 1 FROM moderators WHERE chain = ? AND stream = ? AND public = ? AND owner = ?",
            (*owned.key, public, owned.owner),
        )
        return MODERATOR if rows else ""

    def refuse_others(self, execute: Execute, owned: Owned, session: Session) -> str:
        """Give the role of who asks. Raises `Refused` (403) where they do not moderate."""
        role = self.of(execute, owned, session.public)
        if not role:
            raise Refused(
                403, "not-moderator", "only the stream's owner and its moderators may do that"
            )
        return role

    def refuse_but_owner(self, owned: Owned, session: Session) -> None:
        """Raise `Refused` (403) where who asks is neither the owner nor the operator."""
        if session.public != owned.owner and not self.is_operator(session.public):
            raise not_owner(owned)

    def refuse_but_operator(self, session: Session) -> None:
        """Raise `Refused` (403) where who asks is not the operator."""
        if not self.is_operator(session.public):
            raise Refused(
                403,
                "not-operator",
                "only the operator of this server may do that: `paystream serve "
                "--community-operator ADDRESS` names one",
            )

    def refuse_below(self, execute: Execute, owned: Owned, session: Session, other: bytes) -> None:
        """Raise `Refused` (403) where who asks does not moderate, or not over this account."""
        if not self.is_over(execute, owned, session, other):
            raise Refused(
                403, "not-muted", "moderators mute neither the owner nor each other, nor themselves"
            )

    def is_over(self, execute: Execute, owned: Owned, session: Session, other: bytes) -> bool:
        """Tell whether who asks is above an account. Raises `Refused` (403): no moderator."""
        role = self.refuse_others(execute, owned, session)
        return _RANKS[self.of(execute, owned, other)] < _RANKS[role]
