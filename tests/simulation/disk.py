"""The disk under a journal: full, slow, torn, and gone with its process at any statement.

It stands between `sqlite3` and whoever uses it, so it knows nothing of the journal's tables. The
files are real ones; SQLite and the file system under it are trusted to keep what was synced.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from unittest import mock

SECTOR = 512
Moment = Literal["before", "after", "torn"]


class Disk:
    """One machine's disk. `lost` is called when the process dies of it."""

    def __init__(self, directory: Path, numbers: random.Random) -> None:
        self.directory = directory
        self.full = False
        self.slow_s = 0.0
        self.commits = 0
        self.bytes_max = 0
        """The most that the journal's files have taken."""
        self.power = 0
        """Rises with each process: connections of an earlier one reach nothing."""
        self.lost: Callable[[str], None] = lambda why: None
        self._crash: tuple[int, Moment] | None = None
        self._platters: dict[Path, bytes] | None = None
        self._numbers = numbers

    # --- faults ----------------------------------------------------------------------------

    def crash_at(self, commits: int, moment: Moment) -> None:
        """Let the process die at a commit that is so many away: 1 is the next."""
        self._crash = (self.commits + commits, moment)

    def disarm(self) -> None:
        """Let no commit kill any more."""
        self._crash = None

    def files(self) -> list[Path]:
        """List the databases and their logs."""
        names = ("*.sqlite", "*.sqlite-wal")
        return sorted(path for name in names for path in self.directory.glob(name))

    def _content(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in self.files()}

    def freeze(self) -> None:
        """The process ends now: what SQLite does while it is closed reaches no platter."""
        self.power += 1
        if self._platters is None:
            self._platters = self._content()

    def thaw(self) -> None:
        """Let the files be what was on the platters when the process ended."""
        if self._platters is None:
            return
        for path in self.directory.glob("*.sqlite*"):
            if not path.name.endswith(".lock"):
                path.unlink()
        for path, content in self._platters.items():
            path.write_bytes(content)
            path.chmod(0o600)
        self._platters = None

    def _torn(self, before: bytes, after: bytes) -> bytes:
        """Give a file as a disk leaves it that lost its power while it wrote."""
        torn = bytearray(after)
        for start in range(0, len(after), SECTOR):
            old, new = before[start : start + SECTOR], after[start : start + SECTOR]
            if old != new and self._numbers.random() < 0.5:
                torn[start : start + SECTOR] = old.ljust(len(new), b"\0")
        return bytes(torn)

    # --- statements ------------------------------------------------------------------------

    def execute(self, power: int, sql: str, do: Callable[[], Any]) -> Any:
        """Do what a statement says, or let it fail, or let the process die of it."""
        if power != self.power:
            raise sqlite3.OperationalError("the process is gone")
        word = sql.lstrip()[:6].upper()
        if word == "COMMIT":
            return self._commit(do)
        if self.full and word in ("BEGIN ", "INSERT", "UPDATE", "DELETE"):
            raise sqlite3.OperationalError("database or disk is full")
        return do()

    def _commit(self, do: Callable[[], Any]) -> Any:
        self.commits += 1
        if self._crash is not None and self.commits >= self._crash[0]:
            _, moment = self._crash
            self._crash = None
            self._die(moment, do)
        result = do()
        if not self.commits % 64:
            self.measure()
        return result

    def measure(self) -> None:
        """Note how much the files take."""
        taken = sum(path.stat().st_size for path in self.files())
        self.bytes_max = max(self.bytes_max, taken)

    def _die(self, moment: Moment, do: Callable[[], Any]) -> None:
        before = self._content()
        if moment != "before":
            do()
        after = self._content()
        if moment == "torn":
            # the log is synced before the database is written, and both before the commit is told
            for path, content in after.items():
                main = Path(str(path).removesuffix("-wal"))
                if path != main and before.get(main) == after.get(main):
                    after[path] = self._torn(before.get(path, b""), content)
        self._platters = after
        self.lost(f"commit {moment}")
        raise sqlite3.OperationalError("the process is gone")


@contextmanager
def under(disk: Disk) -> Iterator[None]:
    """Let every SQLite connection that is made in the block be on this disk."""
    connect = sqlite3.connect

    class Connection(sqlite3.Connection):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self._power = disk.power

        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            do = super().execute
            return disk.execute(self._power, sql, lambda: do(sql, parameters))  # type: ignore[no-any-return]

        def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
            do = super().executemany
            return disk.execute(self._power, sql, lambda: do(sql, parameters))  # type: ignore[no-any-return]

        def commit(self) -> None:
            do = super().commit
            disk.execute(self._power, "COMMIT", do)

    def made(*arguments: Any, **named: Any) -> sqlite3.Connection:
        opened: sqlite3.Connection = connect(*arguments, **{"factory": Connection} | named)
        return opened

    with mock.patch.object(sqlite3, "connect", made):
        yield
