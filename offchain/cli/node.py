"""`paystream node`: find the reference node and run it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from offchain.cli import options
from offchain.cli.command import command
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.output import Output
from offchain.cli.ports import is_port_free
from offchain.config import cache_dir_default

NAME: Final = "paystream-node"
RPC_PORT: Final = 9944
BUILD: Final = "scripts/setup --chain-only"


def add_to(app: typer.Typer, panel: str) -> None:
    """Register the command."""
    command(
        app,
        "node",
        "paystream node",
        "paystream node -- --dev --rpc-port 9955 --tmp",
        panel=panel,
    )(node)


def node(
    out: Output,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- ARGUMENTS]",
            help="What to give to the node itself.",
            show_default="--dev",
        ),
    ] = None,
    node: options.NodeProgram = None,
) -> None:
    """Run the reference node; without arguments a development chain of its own, with 2 s blocks.

    It takes this process's place: Ctrl-C ends it, its exit code is the node's.
    """
    program = find_node(node)
    given = arguments or ["--dev"]
    port = _rpc_port(given)
    if port and not is_port_free("127.0.0.1", port):
        raise Failure(
            f"port {port} is in use, perhaps by another node (see `paystream status`): end that, "
            f"or run this one with `-- {' '.join(given)} --rpc-port {port + 1}`",
            Exit.MACHINE,
            "port-in-use",
        )
    if out.json_mode:
        out.event({"event": "start", "program": str(program), "arguments": given})
    else:
        out.note(f"{program} {' '.join(given)}")
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(program, [str(program), *given])  # noqa: S606 - a program the user chose


def find_node(given: Path | None) -> Path:
    """Find the node's program. Raises Failure that says how to build it."""
    if given is not None:
        if os.access(given, os.X_OK) and given.is_file():
            return given.absolute()
        raise Failure(
            f"{given} is no program that can be run: build the node with `{BUILD}`, or name "
            "another with --node",
            Exit.MACHINE,
            "node-missing",
        )
    on_path = shutil.which(NAME)
    if on_path is not None:
        return Path(on_path)
    for folder in _folders():
        built = folder / NAME
        if os.access(built, os.X_OK):
            return built.resolve()
    raise Failure(
        f"there is no {NAME} on PATH and none that was built: build it in the checkout with "
        f"`{BUILD}` (it takes a while), or name one with --node",
        Exit.MACHINE,
        "node-missing",
    )


def _folders() -> list[Path]:
    """Where a built node may be, the likeliest first.

    `scripts/setup` links the node of its checkout at `.node`. A command that is installed elsewhere
    has no checkout; for it there is the node that any checkout of this user used last.
    """
    checkout = Path(__file__).resolve().parents[2]
    cargo = os.environ.get("CARGO_TARGET_DIR")
    targets = [*([Path(cargo)] if cargo else []), checkout / "target", Path.cwd() / "target"]
    kept = sorted((cache_dir_default() / "nodes").glob("[!.]*"), key=_used_at, reverse=True)
    return [checkout / ".node", *(target / "release" for target in targets), *kept]


def _used_at(folder: Path) -> float:
    """Say when `scripts/setup` last used a kept node, in seconds since 1970; 0 if it is gone."""
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0


def _rpc_port(arguments: list[str]) -> int:
    """Find the RPC port in the node's arguments; 0 where it takes any, or cannot be told."""
    for at, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == "--rpc-port":
            text = value if equals else "".join(arguments[at + 1 : at + 2])
            return int(text) if text.isdigit() else 0
    return RPC_PORT
