"""The tables themselves, as the database lists them: whatever this release knows of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streaming.community.database import opening
from tests.community.conftest import Place

_LISTED = {
    True: "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
    False: "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1",
}


def everything(place: Place) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables of a database that nobody has open."""
    engine = opening.opened(place)
    try:
        with engine.reading() as execute:
            names = [str(row[0]) for row in execute(_LISTED[isinstance(place, Path)])]
            return {
                name: [tuple(map(_plain, row)) for row in execute(f'SELECT * FROM "{name}"')]
                for name in names
            }
    finally:
        engine.close()


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
