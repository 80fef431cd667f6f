"""Where a journal is, from what names it: a path, or the URL of a database."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from offchain.journal.errors import JournalUnavailable, JournalUrlInvalid
from offchain.journal.schemas import SCHEMA_OF_CHAIN, chain_of_schema
from offchain.journal.sqlite import SqliteStore, owned
from offchain.journal.store import Store

URL_VARIABLE: Final = "PAYSTREAM_JOURNAL_URL"
_SCHEMES: Final = ("postgresql://", "postgres://")
_URL_BYTES_MAX: Final = 4_096


def url_of(file: Path | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """Give the URL in a file, or else the one in a variable; None where there is neither.

    A URL may hold a password, so it comes from nowhere else. Raises JournalUrlInvalid.
    """
    if file is not None:
        return _url_in(file)
    return environment.get(URL_VARIABLE) or None


def _url_in(file: Path) -> str:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        with file.open(encoding="utf-8") as lines:
            url = lines.readline(_URL_BYTES_MAX).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise JournalUrlInvalid(
            f"the journal's URL cannot be read from {file} ({why}): check path and owner"
        ) from None
    if mode & 0o077:
        raise JournalUrlInvalid(f"{file} is open to other users: run `chmod 600 {file}`")
    if not is_url(url):
        raise JournalUrlInvalid(
            f"the first line of {file} is no URL of PostgreSQL: write "
            "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        )
    return url


def is_url(place: Path | str) -> bool:
    """Tell whether a place is a database's."""
    return isinstance(place, str) and place.startswith(_SCHEMES)


def chains_in(place: Path | str) -> list[str]:
    """List the chains that have a journal in a database, the one without a name first.

    Raises JournalUnreadable, JournalUnavailable and JournalUrlInvalid.
    """
    with attached(place) as store:
        rows = store.read(
            "SELECT table_schema::text FROM information_schema.tables WHERE table_name = 'meta' "
            "AND table_schema <> current_schema() ORDER BY 1"
        )
    return ["", *(chain_of_schema(name) for (name,) in rows if SCHEMA_OF_CHAIN.fullmatch(name))]


@contextmanager
def opened(place: Path | str, *, shared: bool = False) -> Iterator[Store]:
    """Open or make a journal's tables and own them until the block ends.

    With `shared` other relayers that share it may own them, too: in a database only.
    Raises JournalLocked, JournalUnreadable, JournalUnavailable and JournalUrlInvalid.
    """
    where = _checked(place)
    if isinstance(where, str):
        with closing(_database(where, owner=True, shared=shared)) as store:
            yield store
        return
    if shared:
        raise JournalUrlInvalid(
            "several relayers share a journal in PostgreSQL, not a file: give --journal-url-file "
            f"or {URL_VARIABLE}"
        )
    with owned(where), closing(SqliteStore(where)) as file:
        yield file


@contextmanager
def attached(place: Path | str) -> Iterator[Store]:
    """Open the tables of a journal that is there, beside the relayer that owns them.

    Raises JournalUnreadable, JournalUnavailable and JournalUrlInvalid.
    """
    where = _checked(place)
    if isinstance(where, str):
        store = _database(where, owner=False)
    else:
        store = SqliteStore(where, owner=False)
    with closing(store):
        yield store


def _checked(place: Path | str) -> Path | str:
    """Give a URL as text and anything else as a path. Raises JournalUrlInvalid."""
    if isinstance(place, Path) or is_url(place):
        return place
    if "://" in place:
        raise JournalUrlInvalid(
            "the journal's address is neither a path nor postgresql://USER@HOST/DATABASE"
        )
    return Path(place)


def _database(url: str, *, owner: bool, shared: bool = False) -> Store:
    try:
        from offchain.journal.postgres import PostgresStore  # noqa: PLC0415 (not everybody has it)
    except ImportError:
        raise JournalUnavailable(
            "a journal in PostgreSQL needs psycopg, which is not installed: run "
            "`pip install 'psycopg[binary]'` where paystream is"
        ) from None
    return PostgresStore(url, owner=owner, shared=shared)
