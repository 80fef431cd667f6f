"""A PostgreSQL of Debian's package, in a directory of its own, by a user who is not root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "s3cret:%/@"
USER = "relay"


def programs() -> Path:
    """Give the directory of the newest PostgreSQL's programs."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    assert found, "PostgreSQL is missing: scripts/setup --tests"
    return found[-1].parent


class Server:
    """A server on a socket in its directory; nothing listens on the network."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._bin = programs()
        # PostgreSQL does not run as root
        self._user = pwd.getpwnam("postgres").pw_name if os.geteuid() == 0 else None
        self._numbers = 0

    def _run(self, *command: str) -> None:
        subprocess.run(
            [str(self._bin / command[0]), *command[1:]],
            user=self._user,
            cwd=self.directory,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=120,
        )

    def make(self) -> None:
        if self._user is not None:
            shutil.chown(self.directory, self._user)
        password = self.directory / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._run(
            "initdb", "--pgdata=data", f"--username={USER}", "--auth=scram-sha-256",
            f"--pwfile={password}", "--encoding=UTF8", "--no-sync",
        )  # fmt: skip

    def start(self) -> None:
        options = f"-k {self.directory} -c listen_addresses= -c fsync=off -c max_connections=40"
        self._run("pg_ctl", "start", "-D", "data", "-w", "-l", "log", "-o", options)

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "stop", "-D", "data", "-w", "-m", mode)

    def fresh(self) -> str:
        """Make a database and give its URL."""
        import psycopg

        self._numbers += 1
        name = f"journal{self._numbers}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    @property
    def socket(self) -> Path:
        return self.directory / ".s.PGSQL.5432"

    def url(self, database: str) -> str:
        return f"postgresql://{USER}:s3cret%3A%25%2F%40@/{database}?host={self.directory}"


@contextmanager
def running() -> Iterator[Server]:
    """Run a server for the length of the block."""
    with tempfile.TemporaryDirectory(prefix="paystream-pg-") as directory:
        server = Server(Path(directory))
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()
