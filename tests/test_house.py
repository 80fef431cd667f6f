"""Which room may know which: the arrows of docs/architecture.md, and no circles of imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WIRE = ("rtp", "rtcp", "publication", "aiortc_adapter")
"""What both ends of a connection share: formats, a received track, and how aiortc is used."""
PROCESS = ("streaming.framing", "streaming.session_state", "streaming.service_manager")
"""What both processes share: how they speak to each other, and to who started them."""
MAY_KNOW: dict[str, tuple[str, ...]] = {
    "streaming.sfu": ("streaming.sfu",),
    "streaming.http": ("streaming.http", "streaming.sfu", *PROCESS),
    "streaming.clients": (
        "streaming.clients",
        "streaming.session_state",
        *(f"streaming.sfu.{module}" for module in WIRE),
    ),
    "streaming.framing": (),
    "streaming.session_state": ("streaming.framing",),
    "streaming.service_manager": (),
    "streaming.cli": ("streaming.clients", "streaming.http"),
    "offchain": ("offchain", *PROCESS, "streaming.cli"),
}
EXCEPT = {
    # The command line sorts the clients' errors and speaks REST with their client.
    "offchain.cli": ("streaming.clients.rest_client", "streaming.clients.signer"),
}


def modules() -> dict[str, Path]:
    found = {}
    for package in ("offchain", "streaming"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(module: str) -> set[str]:
    """Our own modules that a module imports anywhere, also for types alone."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else node.module)
    return {name for name in found if name in MODULES}


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def allowed(module: str) -> tuple[str, ...] | None:
    for package, known in MAY_KNOW.items():
        if within(module, (package,)):
            more = (names for to, names in EXCEPT.items() if within(module, (to,)))
            return (*known, *(name for names in more for name in names))
    return None


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_what_its_room_may_know(module: str) -> None:
    known = allowed(module)
    if known is None:
        assert module == "streaming", f"{module} is in no room: give it one in MAY_KNOW"
        return
    against = sorted(name for name in imports(module) if not within(name, known))
    assert not against, f"{module} may not know {', '.join(against)}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: imports(module) - {module} for module in MODULES}
    while True:
        leaves = {module for module, known in graph.items() if not known & graph.keys()}
        if not leaves:
            break
        graph = {module: known for module, known in graph.items() if module not in leaves}
    # A package that shows names of its modules (`__init__`) is no circle of theirs.
    circle = sorted(m for m in graph if MODULES[m].name != "__init__.py")
    assert not circle, f"circle among {', '.join(circle)}"
