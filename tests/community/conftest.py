"""Where the community's tables can be: one suite runs over each of them."""

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


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.programs)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place where there are no tables yet."""
    if request.param == "sqlite":
        return tmp_path / "community.sqlite"
    started: Server = request.getfixturevalue("server")
    return started.fresh()
