"""A damaged row costs what was in it, and is told; the others are read."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from offchain.journal import (
    BudgetState,
    DelegateRecord,
    FinalBlock,
    TokenRecord,
    open_journal,
    put_budget,
    put_connection,
    put_delegate,
    put_final,
    put_finalized,
    put_session,
    put_token,
)
from tests.journal.samples import connection, session


async def filled(path: Path) -> None:
    async with open_journal(path) as journal:
        await journal.commit([put_session(session(grant)) for grant in (0, 1)])
        await journal.commit([put_connection(connection(grant)) for grant in (0, 1)])
        await journal.commit([put_budget(BudgetState(who, 5, 6)) for who in ("5A", "5B")])
        await journal.commit([put_finalized(70)])
        for who in ("5A", "5B"):
            name = who.encode()
            await journal.commit([
                put_token(TokenRecord(digest=name, purpose="watch", account=who, stream=None,
                                      expires_at_ms=9)),
                put_delegate(DelegateRecord(public=name, viewer=who, key_name=who)),
            ])  # fmt: skip


def damage(path: Path, sql: str) -> None:
    with sqlite3.connect(path) as other:
        assert other.execute(sql).rowcount == 1
    other.close()


FLIPPED = "replace(CAST(record AS TEXT), '1000', '9000')"
"""Still JSON, and eight seconds more were delivered."""


@pytest.mark.parametrize(
    ("sql", "lost", "told"),
    [
        ("UPDATE sessions SET record = x'7b' WHERE grant_id = 0", "sessions", "sessions 0-0"),
        ("UPDATE sessions SET checksum = 1 WHERE grant_id = 0", "sessions", "sessions 0-0"),
        (
            f"UPDATE connections SET record = CAST({FLIPPED} AS BLOB) WHERE grant_id = 0",
            "connections",
            "connections 0-0-1",
        ),
        ("UPDATE budgets SET record = x'ff' WHERE viewer = '5A'", "budgets", "budgets 5A"),
        (
            "UPDATE tokens SET purpose = CAST(x'ff77' AS TEXT) WHERE account = '5A'",
            "tokens",
            "a row of tokens",
        ),
        (
            "UPDATE delegates SET retired = 7 WHERE viewer = '5A'",
            "delegates",
            "a row of delegates",
        ),
    ],
)
async def test_a_damaged_row_costs_itself_and_is_told(
    tmp_path: Path, sql: str, lost: str, told: str
) -> None:
    path = tmp_path / "journal.sqlite"
    await filled(path)
    damage(path, sql)
    async with open_journal(path) as journal:
        loaded = journal.load()
    assert [line.startswith(told) for line in loaded.damaged] == [True]
    for table in ("sessions", "connections", "budgets", "tokens", "delegates"):
        assert len(getattr(loaded, table)) == (1 if table == lost else 2), table
    assert loaded.finalized_block == 70


async def test_a_damaged_row_is_kept_as_evidence_and_told_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    await filled(path)
    damage(path, "UPDATE sessions SET record = x'7b' WHERE grant_id = 0")
    async with open_journal(path) as journal:
        assert len(journal.load().damaged) == 1
        assert journal.load().damaged == []
        # its name is free again, for what the chain knows of it
        await journal.commit([put_session(session())])
        assert len(journal.load().sessions) == 2
    with sqlite3.connect(path) as other:
        rows = other.execute("SELECT source, name, record FROM damaged").fetchall()
    other.close()
    assert rows == [("sessions", "0-0", b"{")]


async def test_a_damaged_finalized_block_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    await filled(path)
    damage(path, "UPDATE meta SET value = '7x' WHERE key = 'finalized_block'")
    async with open_journal(path) as journal:
        loaded = journal.load()
    assert loaded.finalized_block == 0
    assert len(loaded.damaged) == 1


@pytest.mark.parametrize("text", ["70", "70 0xab", "x 0x" + "ab" * 32, ""])
async def test_a_damaged_hash_of_the_finalized_block_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "journal.sqlite"
    await filled(path)
    async with open_journal(path) as journal:
        await journal.commit([put_final(FinalBlock(70, "0x" + "ab" * 32))])
        assert journal.load().final == FinalBlock(70, "0x" + "ab" * 32)
    damage(path, f"UPDATE meta SET value = '{text}' WHERE key = 'final'")
    async with open_journal(path) as journal:
        loaded = journal.load()
    assert loaded.final is None
    assert loaded.finalized_block == 70
    assert [each.partition(":")[0] for each in loaded.damaged] == [
        "the finalized block's hash is damaged"
    ]


async def test_an_ended_session_that_is_damaged_is_left_out_of_the_list(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    async with open_journal(path) as journal:
        ended = [session(grant, phase="closed") for grant in (0, 1)]
        await journal.commit([put_session(record) for record in ended])
    damage(path, "UPDATE sessions SET record = x'7b' WHERE grant_id = 0")
    async with open_journal(path) as journal:
        assert journal.session(0, 0) is None
        assert journal.ended_sessions(viewer="5Alice") == ended[1:]
