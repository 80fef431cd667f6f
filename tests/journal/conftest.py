"""Where a journal can be: one suite runs over each of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journal.database import Server, running

Place = Path | str


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server for all tests."""
    with running() as started:
        yield started


@pytest.fixture
def database(server: Server) -> str:
    """The URL of a database of its own."""
    return server.fresh()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.programs)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place where there is no journal yet."""
    if request.param == "sqlite":
        return tmp_path / "state" / "journal.sqlite"
    url: str = request.getfixturevalue("database")
    return url
