"""The node that the system tests share, and one of their own for those that break it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.node_process import NodeMissing, NodeProcess


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A development node for all tests: they use different accounts and streams."""
    yield from _running(tmp_path_factory.mktemp("node"))


@pytest.fixture
def own_node(tmp_path: Path) -> Iterator[NodeProcess]:
    """A development node for one test, which may kill it and start it again."""
    yield from _running(tmp_path / "node")


def _running(directory: Path) -> Iterator[NodeProcess]:
    process = NodeProcess(directory)
    try:
        process.start()
    except NodeMissing as missing:
        pytest.fail(str(missing), pytrace=False)
    try:
        yield process
    finally:
        process.stop()
