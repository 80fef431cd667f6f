"""Where the database is, from what names it: a path, or the URL of PostgreSQL in a file."""

from __future__ import annotations

import stat
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from streaming.community.database import sqlite
from streaming.community.database.engine import Engine
from streaming.community.database.errors import DatabaseUnavailable, DatabaseUrlInvalid
from streaming.community.database.migrations import Execute

_SCHEMES: Final = ("postgresql://", "postgres://")
_URL_BYTES_MAX: Final = 4_096


def read_url(file: Path) -> str:
    """Give the URL on a file's first line: it may hold a password, so it comes from nowhere else.

    Raises DatabaseUrlInvalid.
    """
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        with file.open(encoding="utf-8") as lines:
            url = lines.readline(_URL_BYTES_MAX).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise DatabaseUrlInvalid(
            f"the community's URL cannot be read from {file} ({why}): check path and owner"
        ) from None
    if mode & 0o077:
        raise DatabaseUrlInvalid(f"{file} is open to other users: run `chmod 600 {file}`")
    if not url.startswith(_SCHEMES):
        raise DatabaseUrlInvalid(
            f"the first line of {file} is no URL of PostgreSQL: write "
            "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        )
    return url


def opened(place: Path | str) -> Engine:
    """Open or make the tables at a path, or at a URL of PostgreSQL. Raises DatabaseError."""
    if isinstance(place, Path):
        return sqlite.SqliteEngine(place)
    engine: Engine = _postgres().PostgresEngine(place)
    return engine


def reading_beside(place: Path | str) -> AbstractContextManager[Execute]:
    """Read tables that another process may have, as they are. Raises DatabaseError."""
    if isinstance(place, Path):
        return sqlite.reading_beside(place)
    beside: AbstractContextManager[Execute] = _postgres().reading_beside(place)
    return beside


def _postgres() -> Any:
    """Give the module; psycopg comes with an extra."""
    try:
        from streaming.community.database import postgres  # noqa: PLC0415 (not everybody has it)
    except ImportError:
        raise DatabaseUnavailable(
            "a database of PostgreSQL needs psycopg, which is not installed: run "
            "`pip install 'psycopg[binary]'` where paystream is"
        ) from None
    return postgres
