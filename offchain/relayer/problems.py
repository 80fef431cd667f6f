"""Requests that cannot be granted: a stable code, and what to do about it."""

from __future__ import annotations

from typing import Any

from streaming.session_state import Problem


class Refused(Exception):
    """A request's problem, on its way to the one who asked."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        terms: dict[str, Any] | None = None,
        retry_after_s: int | None = None,
        relayer: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.problem = Problem(
            status=status,
            code=code,
            detail=detail,
            field=field,
            terms=terms,
            retry_after_s=retry_after_s,
            relayer=relayer,
        )


def chain_unavailable() -> Refused:
    """The chain does not answer."""
    return Refused(
        503,
        "chain-unavailable",
        "the chain does not answer at the moment: try again in a few seconds",
        retry_after_s=6,
    )


def journal_unavailable() -> Refused:
    """The journal cannot be written."""
    return Refused(
        503,
        "journal-unavailable",
        "the relayer cannot write its journal, so it admits nobody: its operator must make room "
        "on the disk. What is open stays paid as it is",
        retry_after_s=30,
    )


def keys_unavailable() -> Refused:
    """A delegate's key cannot be opened, or the signer does not sign with it."""
    return Refused(
        503,
        "keys-unavailable",
        "the relayer cannot sign with this viewer's key at the moment: try again in a few seconds, "
        "and its operator finds the reason in the log. What is open stays paid as it is",
        retry_after_s=5,
    )


def master_damaged(why: str) -> Refused:
    """No new delegate's key can be made: `why` names the file and what its operator does."""
    return Refused(
        503,
        "keys-unavailable",
        f"the relayer takes no new grant at the moment, and those that were given go on: {why}",
        retry_after_s=30,
    )


def stream_not_found(stream: int) -> Refused:
    """There is no such stream."""
    return Refused(
        404,
        "stream-not-found",
        f"there is no stream {stream} on this chain: the list of streams shows those there are",
        field="stream",
    )
