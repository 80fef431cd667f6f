"""Which room may know which: the arrows of docs/architecture.md, and no circles of imports."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WIRE = ("rtp", "rtcp", "publication", "aiortc_adapter")
"""What both ends of a connection share: formats, a received track, and how aiortc is used."""
PROCESS = ("streaming.framing", "streaming.session_state", "streaming.service_manager")
"""What both processes share: how they speak to each other, and to who started them."""
MAY_KNOW: dict[str, tuple[str, ...]] = {
    "streaming.sfu": ("streaming.sfu",),
    "streaming.http": (
        "streaming.http",
        "streaming.sfu",
        "streaming.community",
        "streaming.live_frames",
        "streaming.pace",
        "streaming.payment_auth",
        *PROCESS,
    ),
    "streaming.community": (
        "streaming.community",
        "streaming.live_frames",
        "streaming.pace",
        "streaming.session_state",
    ),
    "streaming.clients": (
        "streaming.clients",
        "streaming.live_frames",
        "streaming.session_state",
        "streaming.payment_auth",
        *(f"streaming.sfu.{module}" for module in WIRE),
    ),
    "streaming.framing": (),
    "streaming.live_frames": (),
    "streaming.pace": (),
    "streaming.payment_auth": (),
    "streaming.session_state": ("streaming.framing",),
    "streaming.service_manager": (),
    "streaming.cli": ("streaming.clients", "streaming.http"),
    "offchain": ("offchain", *PROCESS, "streaming.cli"),
}
EXCEPT = {
    # The command line sorts the clients' errors, and speaks to the server with their clients.
    "offchain.cli": (
        "streaming.clients.rest_client",
        "streaming.clients.community_client",
        "streaming.clients.live_client",
        "streaming.clients.moderation_client",
        "streaming.clients.signer",
        "streaming.live_frames",
    ),
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


def without_leaves(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """What is left of imports once all that leads to no circle is taken away."""
    while True:
        leaves = {module for module, known in graph.items() if not known & graph.keys()}
        if not leaves:
            return graph
        graph = {module: known for module, known in graph.items() if module not in leaves}


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = without_leaves({module: imports(module) - {module} for module in MODULES})
    # A package that shows names of its modules (`__init__`) is no circle of theirs.
    circle = sorted(m for m in graph if MODULES[m].name != "__init__.py")
    assert not circle, f"circle among {', '.join(circle)}"


CRATES = sorted(
    path.parent
    for pattern in ("*/Cargo.toml", "*/*/Cargo.toml")
    for path in ROOT.glob(pattern)
    if (path.parent / "src").is_dir()
)
NAMES = re.compile(r"\b(?:crate|super)::(?:\{([^;]*)\}|(\w+))")
"""What is named of the crate, alone or in braces; of these the outermost names."""


def named_modules(source: str, modules: set[str]) -> set[str]:
    """The modules of a crate that a module of its top names: tests and comments name nothing."""
    code = re.sub(r"//[^\n]*", "", source.split("#[cfg(test)]\nmod ", 1)[0])
    found = set()
    for several, one in NAMES.findall(code):
        outermost = re.sub(r"::\{[^{}]*\}", "", re.sub(r"\{[^{}]*\}", "{}", several))
        found |= {one} if one else {each.strip().split("::")[0] for each in outermost.split(",")}
    return found & modules


def test_a_crates_own_names_are_read_as_they_are_written() -> None:
    modules = {"order", "plan", "types", "view"}
    source = (
        "use crate::{order::{self, A}, plan::B, C};\nfn f() { super::types::g() } // crate::view"
    )
    assert named_modules(source, modules) == {"order", "plan", "types"}


def test_a_circle_is_what_is_left_without_leaves() -> None:
    graph = {"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": set[str]()}
    assert sorted(without_leaves(graph)) == ["a", "b", "c"]
    assert without_leaves({"a": {"b"}, "b": {"d"}, "d": set[str]()}) == {}


@pytest.mark.parametrize("crate", CRATES, ids=lambda crate: str(crate.relative_to(ROOT)))
def test_no_modules_of_a_crate_name_each_other_in_a_circle(crate: Path) -> None:
    """The crate's root is left out: what a pallet is made of lies there, and all name it."""
    paths = {path.stem: path for path in (crate / "src").glob("*.rs")}
    modules = paths.keys() - {"lib", "main", "mock", "tests"}
    graph = {
        module: named_modules(paths[module].read_text(encoding="utf-8"), modules) - {module}
        for module in modules
    }
    circle = sorted(without_leaves(graph))
    assert not circle, f"circle among {', '.join(circle)}"
