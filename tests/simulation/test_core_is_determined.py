"""The relayer's core draws on no clock, chance, thread or socket that a simulation cannot give it.

Time is trio's and the chain's, chance is `secrets.token_*`, threads are `trio.to_thread.run_sync`,
each by that very name, so that `chance.py` can stand in their place. See docs/simulation.md.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CORE = (
    "offchain/relayer",
    "offchain/journal*",
    "offchain/keys/derivation.py",
    "offchain/reconcile.py",
    "offchain/signer",
    "offchain/ledger/affordability.py",
    "offchain/ledger/block_events.py",
    "offchain/ledger/calls.py",
    "offchain/ledger/chain.py",
    "offchain/ledger/client.py",
    "offchain/ledger/endpoints.py",
    "offchain/ledger/entries.py",
    "offchain/ledger/orders.py",
    "offchain/ledger/outlay.py",
    "offchain/ledger/refusals.py",
    "offchain/ledger/submission.py",
    "offchain/ledger/tables.py",
    "offchain/ledger/transactions.py",
)
"""Everything that decides. What carries bytes to a node (`rpc.py`) decides nothing about money."""
MODULES = frozenset(
    {"_thread", "asyncio", "concurrent", "datetime", "multiprocessing", "queue", "random", "sched"}
    | {"select", "selectors", "signal", "socket", "ssl", "subprocess", "threading", "time", "uuid"}
)
NAMES = (
    "os.urandom",
    "os.getrandom",
    "trio.from_thread",
    "trio.lowlevel.spawn_system_task",
    "trio.open_ssl_over_tcp_stream",
    "trio.open_tcp_listeners",
    "trio.open_tcp_stream",
    "trio.run_process",
    "trio.socket",
    "trio.testing",
)
CHANCE = ("secrets.compare_digest", "secrets.token_bytes", "secrets.token_hex",
          "secrets.token_urlsafe")  # fmt: skip
THREADS = ("trio.to_thread.run_sync",)
BUILTINS = frozenset({"hash", "id"})
"""Different in each process: no order and no name may follow from them."""

ALLOWED = {
    ("offchain/relayer/run.py", "time"): "the process around the core gives it its clock",
    ("offchain/relayer/run.py", "trio.open_tcp_listeners"): "metrics, for the process alone",
    ("offchain/signer/journal.py", "time"): "a clock that only rises, for the process around it",
    ("offchain/relayer/remote_keyring.py", "trio.socket"): "the way to another process",
}


def core() -> list[Path]:
    found = [path for pattern in CORE for path in ROOT.glob(pattern)]
    return sorted(
        {file for path in found for file in (path.rglob("*.py") if path.is_dir() else [path])}
    )


def dotted(node: ast.AST) -> str | None:
    """Give `a.b.c` of an attribute of an attribute of a name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return None if before is None else f"{before}.{node.attr}"
    return None


def raw(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Name every raw source in a module, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in MODULES:
                    yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            first = node.module.split(".")[0]
            if first in MODULES or first in ("secrets", "trio") or node.module == "os":
                yield node.module, node.lineno
        elif isinstance(node, ast.Attribute):
            name = dotted(node) or ""
            if name.startswith("secrets.") and name not in CHANCE:
                yield name, node.lineno
            if name.startswith("trio.to_thread.") and name not in THREADS:
                yield name, node.lineno
            if name in NAMES:
                yield name, node.lineno
        elif isinstance(node, ast.Call) and dotted(node.func) in BUILTINS:
            yield dotted(node.func) or "", node.lineno


@functools.cache
def found() -> dict[tuple[str, str], int]:
    sources = {}
    for path in core():
        module = str(path.relative_to(ROOT))
        for name, line in raw(ast.parse(path.read_text(encoding="utf-8"))):
            sources[module, name] = line
    return sources


def test_the_core_has_no_raw_source() -> None:
    against = [f"{module}:{line} uses {name}" for (module, name), line in found().items()
               if (module, name) not in ALLOWED]  # fmt: skip
    assert not against, "\n".join(against)


def test_every_exception_is_needed() -> None:
    assert found().keys() >= ALLOWED.keys()


def test_the_core_is_found() -> None:
    names = {path.name for path in core()}
    assert {"run.py", "link.py", "requests.py", "orders.py"} <= names
    assert any(name.startswith("journal") for name in names) or (ROOT / "offchain/journal").is_dir()


@pytest.mark.parametrize(
    "text",
    [
        "import time",
        "import time as clock",
        "from time import monotonic",
        "from secrets import token_hex",
        "import random",
        "import threading",
        "from trio.to_thread import run_sync",
        "import os\nos.urandom(4)",
        "import secrets\nsecrets.randbelow(4)",
        "import trio\ntrio.to_thread.current_default_thread_limiter()",
        "import trio\ntrio.open_tcp_stream('a', 1)",
        "sorted(things, key=lambda thing: id(thing))",
    ],
)
def test_a_raw_source_is_seen(text: str) -> None:
    assert list(raw(ast.parse(text)))


@pytest.mark.parametrize(
    "text",
    [
        "import secrets\nsecrets.token_hex(4)",
        "import trio\ntrio.current_time()",
        "import trio\ntrio.to_thread.run_sync(print)",
        "from pathlib import Path",
    ],
)
def test_what_a_simulation_can_give_is_allowed(text: str) -> None:
    assert not list(raw(ast.parse(text)))
