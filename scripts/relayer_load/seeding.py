"""What a journal holds of sessions that were admitted before the measurement began."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from offchain.journal import open_journal, put_session
from offchain.journal.records import DelegateRecord, SessionRecord, TokenRecord
from offchain.journal.statements import Statement, put_delegate, put_meta, put_token
from offchain.ledger.types import address
from offchain.relayer.chain import Chain
from offchain.relayer.keyring import MemoryKeyring
from offchain.relayer.tokens import digest

RATE: Final = 1_000
FUNDED_SECONDS: Final = 4 * 3_600
GAP_MS: Final = 600_000
STREAMS: Final = 10
TOKEN_LIFETIME_MS: Final = 86_400_000


class Seeded(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is open on the chain, or the first of a grant that a visitor will open."""

    grant: int
    index: int
    viewer: str
    public: bytes
    key_name: str
    stream: int
    started_at: int
    rate_per_second: int = RATE


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A chain with open sessions, and whose keys sign for them."""

    chain: Chain
    keyring: MemoryKeyring
    seeded: list[Seeded]
    visitors: list[Seeded]
    """Who have a grant, and come while it is measured."""
    unix_ms: Callable[[], int]
    spent_s: Callable[[], float]
    """The processor time that the chain has taken of this process."""
    url: str | None = None


def viewer_of(number: int) -> str:
    """Name the account of a viewer, of whom nobody has the key."""
    return address(b"relayer-load" + number.to_bytes(20, "little"))


def token_of(grant: int) -> str:
    """Give the token with which the viewer of a grant watches."""
    return f"psw_load-{grant}"


async def write_journal(path: Path, stage: Stage, *, inline: bool) -> None:
    """Write what the relayer would have written as it let them sign in and admitted them.

    `inline` is for a clock that jumps: it would, over hours, while a thread writes.
    """
    now_ms, everybody = stage.unix_ms(), [*stage.seeded, *stage.visitors]
    statements: list[Statement] = [put_meta("genesis_hash", stage.chain.genesis_hash)]
    statements += [put_session(_record(each, now_ms)) for each in stage.seeded]
    statements += [
        put_token(
            TokenRecord(
                digest=digest(token_of(each.grant)),
                purpose="watch",
                account=each.viewer,
                stream=None,
                expires_at_ms=now_ms + TOKEN_LIFETIME_MS,
            )
        )
        for each in everybody
    ]
    statements += [
        put_delegate(DelegateRecord(public=each.public, viewer=each.viewer, key_name=each.key_name))
        for each in everybody
    ]
    async with open_journal(path, inline=inline) as journal:
        for first in range(0, len(statements), 10_000):
            await journal.commit(statements[first : first + 10_000])


def _record(each: Seeded, now_ms: int) -> SessionRecord:
    token = digest(token_of(each.grant))
    return SessionRecord(
        grant=each.grant,
        index=each.index,
        viewer=each.viewer,
        delegate=each.public,
        stream=each.stream,
        rate_per_second=each.rate_per_second,
        funds=each.rate_per_second * FUNDED_SECONDS,
        start_at=each.started_at,
        admitted_at_ms=now_ms,
        phase="open",
        number=1,
        resume_digest=digest(f"resume-{each.grant}"),
        token_digest=token,
    )
