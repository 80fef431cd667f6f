"""Leases of viewers: each belongs to one relayer at a time, with a number that only rises.

Whoever holds a viewer holds all of the viewer's sessions, whatever grants they are under: indices,
funds and credit have one keeper. A relayer begins a *life*, which lasts for `LASTS_MS` at a time by
the database's clock and is renewed while it lives. A life that has run out is ended by another
relayer, once: its viewers are free then, it renews nothing, and what it still wants to write is
refused, in the transaction that would write. Everything here blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from offchain.journal.errors import JournalLocked
from offchain.journal.guard import Guard, LeaseLost
from offchain.journal.migrations import Execute, Rows
from offchain.journal.statements import FINALIZED_BLOCK, Statement
from offchain.journal.store import Store

LASTS_MS: Final = 6_000
"""A dead relayer's sessions are another's within ten seconds."""
_NUMBER: Final = """
UPDATE counters SET value = CASE WHEN value < {now} THEN {now} ELSE value + 1 END
WHERE name = 'fence' RETURNING value"""
_BEGIN: Final = """
INSERT INTO relayers (life, name, until_ms, block, draining) VALUES (?, ?, {now} + ?, ?, 0)"""
_NAMED: Final = "SELECT 1 FROM relayers WHERE name = ? AND until_ms > {now}"
_UNLEASED: Final = """
INSERT INTO leases (viewer, life, fence, block)
SELECT DISTINCT viewer, '', 0, CAST(? AS BIGINT) FROM sessions WHERE done = 0
ON CONFLICT (viewer) DO NOTHING"""
_RENEW: Final = """
UPDATE relayers SET until_ms = {now} + ? WHERE life = ? RETURNING draining"""
_OTHERS: Final = """
SELECT count(*) FROM relayers WHERE life <> ? AND draining = 0 AND until_ms > {now}"""
_HOLD: Final = "SELECT life FROM relayers WHERE life = ?{share}"
_RUN_OUT: Final = "SELECT life FROM relayers WHERE until_ms <= {now} AND life <> ?"
_END: Final = "DELETE FROM relayers WHERE life = ? AND until_ms <= {now} RETURNING block"
_ORPHAN: Final = """
UPDATE leases SET life = '', block = ? WHERE life = ?"""
_TAKE: Final = """
INSERT INTO leases (viewer, life, fence, block)
SELECT ?, life, ?, block FROM relayers WHERE life = ?
ON CONFLICT (viewer) DO UPDATE SET life = excluded.life, fence = excluded.fence
WHERE leases.life = '' OR leases.life = excluded.life
RETURNING block"""
_HOLDER: Final = """
SELECT relayers.name FROM leases JOIN relayers ON relayers.life = leases.life
WHERE leases.viewer = ?"""
_BEHIND: Final = "UPDATE relayers SET block = ? WHERE life = ? AND block > ?"
_LET_GO: Final = "UPDATE leases SET life = '', block = ? WHERE viewer = ? AND life = ?"
_FORGET: Final = "DELETE FROM leases WHERE viewer = ? AND life = ?"
_PUT_BLOCK: Final = "UPDATE relayers SET block = ? WHERE life = ?"


class NameTaken(JournalLocked):
    """A relayer of the same name lives, or did until a moment ago."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"a relayer named {name!r} is running on this journal: stop that one, or give this one "
            "a --relayer-id of its own"
        )


class HeldElsewhere(Exception):
    """Another relayer holds a viewer. `name` is its name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"relayer {name} holds this viewer")
        self.name = name


class Taken(msgspec.Struct, frozen=True):
    """A lease that was taken: its number, and up to which block its sessions' figures are read."""

    viewer: str
    fence: int
    block: int


class Standing(msgspec.Struct, frozen=True):
    """How a relayer stands among the others: how many live, and whether it is to give up its own.

    `others` are those that take viewers over, this one not among them.
    """

    others: int
    draining: bool


class Leasing:
    """One life of a relayer. `life` is its name, a slash, and what no other life has."""

    def __init__(self, store: Store, life: str, *, lasts_ms: int = LASTS_MS) -> None:
        self._store = store
        self._life = life
        self._name = life.partition("/")[0]
        self._lasts_ms = lasts_ms

    def begin(self) -> None:
        """Begin to live. Sessions of a time without leases are free then.

        Raises NameTaken and JournalUnavailable.
        """
        with self._store.transaction() as execute:
            if execute(self._sql(_NAMED), (self._name,)):
                raise NameTaken(self._name)
            read = _finalized(execute)
            execute(self._sql(_BEGIN), (self._life, self._name, self._lasts_ms, read))
            execute(_UNLEASED, (read,))

    def renew(self) -> Standing:
        """Live on, and tell how things stand. Raises LeaseLost and JournalUnavailable.

        A life that has run out and that nobody has ended lives on.
        """
        with self._store.transaction() as execute:
            rows = execute(self._sql(_RENEW), (self._lasts_ms, self._life))
            if not rows:
                raise LeaseLost(self._life)
            ((others,),) = execute(self._sql(_OTHERS), (self._life,))
        return Standing(others=others, draining=bool(rows[0][0]))

    def end_run_out(self) -> list[str]:
        """End the lives that have run out, and name them: their viewers are free then.

        Raises JournalUnavailable.
        """
        self._store.end_stalled()
        ended = []
        for (life,) in self._store.read(self._sql(_RUN_OUT), (self._life,)):
            with self._store.transaction() as execute:
                rows = execute(self._sql(_END), (life,))
                if rows:  # it may have been renewed, or ended, meanwhile
                    execute(_ORPHAN, (rows[0][0], life))
                    ended.append(life)
        return ended

    def free(self) -> list[str]:
        """Name the viewers that nobody holds. Raises JournalUnavailable and JournalUnreadable."""
        rows = self._store.read("SELECT viewer FROM leases WHERE life = '' ORDER BY viewer")
        return [viewer for (viewer,) in rows]

    def take(self, viewers: Sequence[str]) -> list[Taken]:
        """Take those viewers that are free, with numbers above all earlier ones.

        Raises LeaseLost and JournalUnavailable.
        """
        with self._store.transaction() as execute:
            self._hold(execute)
            return self._take(execute, viewers)

    def claim(self, viewer: str) -> Taken:
        """Take one viewer. Raises HeldElsewhere, LeaseLost and JournalUnavailable."""
        with self._store.transaction() as execute:
            self._hold(execute)
            taken = self._take(execute, [viewer])
            if taken:
                return taken[0]
            rows = execute(_HOLDER, (viewer,))
        raise HeldElsewhere(rows[0][0] if rows else "")

    def holder(self, viewer: str) -> str | None:
        """Name the relayer that holds a viewer; None where nobody does, or this one.

        Raises JournalUnavailable and JournalUnreadable.
        """
        rows = self._store.read(_HOLDER + " AND leases.life <> ?", (viewer, self._life))
        return rows[0][0] if rows else None

    def _take(self, execute: Execute, viewers: Sequence[str]) -> list[Taken]:
        taken = []
        ((fence,),) = execute(self._sql(_NUMBER))
        for viewer in sorted(set(viewers)):
            rows = execute(_TAKE, (viewer, fence, self._life))
            if rows:
                taken.append(Taken(viewer, fence, rows[0][0]))
        for each in taken:  # should this life end before they are read, the next reads them again
            execute(_BEHIND, (each.block, self._life, each.block))
        return taken

    def let_go(self, viewers: Sequence[str], block: int) -> None:
        """Give viewers back, whose figures are read up to `block`. Raises JournalUnavailable."""
        with self._store.transaction() as execute:
            for viewer in sorted(viewers):
                execute(_LET_GO, (block, viewer, self._life))

    def forget(self, viewers: Sequence[str]) -> None:
        """Give viewers back who have no session. Raises JournalUnavailable."""
        with self._store.transaction() as execute:
            for viewer in sorted(viewers):
                execute(_FORGET, (viewer, self._life))

    def end(self) -> None:
        """End this life: what it held is free at once. Raises JournalUnavailable."""
        with self._store.transaction() as execute:
            rows = execute("DELETE FROM relayers WHERE life = ? RETURNING block", (self._life,))
            if rows:
                execute(_ORPHAN, (rows[0][0], self._life))

    def put_finalized(self, block: int) -> Statement:
        """Note up to which finalized block everything is in the records of this life."""
        return _PUT_BLOCK, (block, self._life)

    @property
    def guard(self) -> Guard:
        """What holds a write against this life."""
        return Guard(_HOLD.format(share=self._store.share), self._life)

    def _hold(self, execute: Execute) -> None:
        self.guard.check(execute)

    def _sql(self, text: str) -> str:
        return text.format(now=self._store.now_ms)


def _finalized(execute: Execute) -> int:
    rows: Rows = execute("SELECT value FROM meta WHERE key = ?", (FINALIZED_BLOCK,))
    return int(rows[0][0]) if rows and rows[0][0].isdigit() else 0


# --- from outside ----------------------------------------------------------------------


class Relayers(msgspec.Struct, frozen=True):
    """What the journal knows of a name: its lives, their viewers, and how many others there are."""

    lives: int
    viewers: int
    others: int


def drain(store: Store, name: str) -> Relayers:
    """Let a relayer give up what it holds, and tell how far it is. Raises JournalUnavailable.

    Where nobody else could take it over, nothing is changed.
    """
    with store.transaction() as execute:
        found = _relayers(execute, store, name)
        if found.lives and found.others:
            execute("UPDATE relayers SET draining = 1 WHERE name = ?", (name,))
        return found


def look_for(store: Store, name: str) -> Relayers:
    """Tell what the journal knows of a relayer, and change nothing. Raises JournalUnavailable."""
    with store.transaction() as execute:
        return _relayers(execute, store, name)


def _relayers(execute: Execute, store: Store, name: str) -> Relayers:
    ((lives,),) = execute("SELECT count(*) FROM relayers WHERE name = ?", (name,))
    ((viewers,),) = execute(
        "SELECT count(*) FROM leases JOIN relayers ON relayers.life = leases.life "
        "WHERE relayers.name = ?",
        (name,),
    )
    others = "SELECT count(*) FROM relayers WHERE name <> ? AND draining = 0 AND until_ms > {now}"
    ((alive,),) = execute(others.format(now=store.now_ms), (name,))
    return Relayers(lives, viewers, alive)
