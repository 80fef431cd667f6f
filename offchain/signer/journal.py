"""What the signer has signed, on the disk before a signature leaves.

One row for each grant in a SQLite file with a write-ahead log and full synchronisation, and the
signer's clock beside them. Many orders that are asked for together share one wait for the disk.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import msgspec

from offchain.signer.policy import SignedGrant

SCHEMA_VERSION: Final = 1
KEPT_MAX: Final = 65_536
"""Grants that stay in memory; the others are read again."""
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_TABLES: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE grants (id BLOB PRIMARY KEY, record BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE proofs (key TEXT PRIMARY KEY, viewer TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""
_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(SignedGrant)


class SignerJournalError(Exception):
    """The signer's journal cannot be used. The message names the file and the remedy."""


class Clock:
    """Milliseconds that only rise: the machine's time since its boot, carried over restarts.

    It never runs ahead of real time: what passes while the machine is off, or while the journal is
    moved to another one, does not count. Setting the machine's clock changes nothing.
    """

    def __init__(self, saved: str | None = None, boot_id: str | None = None) -> None:
        self._boot_id = boot_id if boot_id is not None else _boot_id()
        running_ms = _since_boot_ms()
        clock_ms = 0
        if saved is not None:
            boot, since_boot, clock = saved.split(" ")
            clock_ms = int(clock)
            if boot == self._boot_id != "unknown":
                clock_ms += max(0, running_ms - int(since_boot))
        self._ahead_ms = clock_ms - running_ms

    def now_ms(self) -> int:
        """Give the moment."""
        return _since_boot_ms() + self._ahead_ms

    def saved(self) -> str:
        """Give what a later process goes on from."""
        running_ms = _since_boot_ms()
        return f"{self._boot_id} {running_ms} {running_ms + self._ahead_ms}"


class SignerJournal:
    """An open journal; make one with `open_signer_journal`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._kept: dict[int, SignedGrant] = {}
        self.clock = Clock(self._meta("clock"))

    def _meta(self, key: str) -> str | None:
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def bind(self, genesis_hash: str, pallet_index: int, *, keep: bool = True) -> None:
        """Tie the signer to one chain for good. Raises SignerJournalError for another.

        Without `keep` nothing is written.
        """
        chain = f"{genesis_hash} {pallet_index}"
        bound = self._meta("chain")
        if bound is None:
            if keep:
                with self._writing():
                    self._put_meta("chain", chain)
        elif bound != chain:
            raise SignerJournalError(
                f"this signer signs for the chain and pallet {bound}, and is asked for {chain}: "
                "give each chain a signer of its own, with another --state-dir"
            )

    def grant(self, grant: int) -> SignedGrant | None:
        """Give what was signed under a grant. Raises SignerJournalError."""
        known = self._kept.get(grant)
        if known is None:
            with self._errors():
                row = self._connection.execute(
                    "SELECT record FROM grants WHERE id = ?", (_id(grant),)
                ).fetchone()
                if row is None:
                    return None
                known = _decoder.decode(row[0])
            self._keep(grant, known)
        return known

    def write(self, grants: Mapping[int, SignedGrant]) -> None:
        """Remember grants, and return when they are on the disk. Raises SignerJournalError."""
        rows = [(_id(grant), _encoder.encode(record)) for grant, record in grants.items()]
        with self._writing():
            self._connection.executemany("INSERT OR REPLACE INTO grants VALUES (?, ?)", rows)
            self._put_meta("clock", self.clock.saved())
        for grant, record in grants.items():
            self._keep(grant, record)

    def prove(self, key: str, viewer: str) -> bool:
        """Tie a key that is named by no viewer to the first; tell whether it is this one's.

        Raises SignerJournalError.
        """
        with self._writing():
            self._connection.execute("INSERT OR IGNORE INTO proofs VALUES (?, ?)", (key, viewer))
        with self._errors():
            row = self._connection.execute(
                "SELECT viewer FROM proofs WHERE key = ?", (key,)
            ).fetchone()
        return bool(row[0] == viewer)

    def _keep(self, grant: int, record: SignedGrant) -> None:
        self._kept.pop(grant, None)
        while len(self._kept) >= KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[grant] = record

    def _put_meta(self, key: str, value: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            raise SignerJournalError(
                f"the signer's journal {self.path} cannot be used ({error}): make room on its "
                "disk, and check that it is writable and whole. Nothing is signed until then"
            ) from None


@contextmanager
def open_signer_journal(path: Path) -> Iterator[SignerJournal]:
    """Open or make the journal and own it until the block ends. Raises SignerJournalError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(
            path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
    except OSError as error:
        raise SignerJournalError(
            f"{path}: {error.strerror}. Check that the directory is yours and its disk has room"
        ) from None
    with os.fdopen(handle, "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SignerJournalError(
                f"the signer's journal {path} is in use: one signer at a time. Stop that one, or "
                "give this one another --state-dir"
            ) from None
        try:
            connection = _connect(path)
        except (sqlite3.Error, OSError) as error:
            raise SignerJournalError(
                f"{path} is no usable journal of a signer ({error}): restore it from a backup. "
                "Without it, sessions that are open cannot be closed by you"
            ) from None
        with closing(connection):
            yield SignerJournal(path, connection)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        path.chmod(0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.executescript(
                f"BEGIN IMMEDIATE;{_TABLES}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;"
            )
        else:
            _check_version(version)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_version(version: int) -> None:
    if version != SCHEMA_VERSION:
        raise sqlite3.DatabaseError(
            f"it has version {version}, this release reads {SCHEMA_VERSION}"
        )


def _id(grant: int) -> bytes:
    return grant.to_bytes(8, "big")


def _since_boot_ms() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
