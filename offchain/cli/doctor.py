"""`paystream doctor`: everything a newcomer may have wrong, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from offchain.cli import options
from offchain.cli.checks import Check
from offchain.cli.checks.telling import all_well, as_data, show_sum, told
from offchain.cli.command import command
from offchain.cli.exits import Exit
from offchain.cli.output import Output
from offchain.cli.ports import parse_listen, parse_udp_ports
from offchain.cli.wallets import Names


def add_to(app: typer.Typer, panel: str) -> None:
    """Register the command."""
    command(
        app,
        "doctor",
        "paystream doctor",
        "paystream doctor --machine-only",
        panel=panel,
    )(doctor)


def doctor(
    out: Output,
    *,
    machine_only: Annotated[
        bool,
        options.option("--machine-only", "Check this machine only, not what runs on it."),
    ] = False,
    node: Annotated[
        Path | None,
        options.option("--node", "The node's program.", "FILE", show_default="looked for"),
    ] = None,
    listen: Annotated[
        str, options.option("--listen", "Where the server would listen.", "HOST:PORT")
    ] = options.LISTEN_DEFAULT,
    ice_host: options.IceHost = None,
    udp_ports: options.UdpPorts = None,
    socket: options.Socket = None,
    chain: options.Chain = options.CHAIN_DEFAULT,
    server: options.Server = options.SERVER_DEFAULT,
    state_dir: options.StateDir = None,
    keys_dir: options.KeysDir = None,
) -> None:
    """Check everything that a newcomer may have wrong, and say how to mend each.

    Takes some seconds, in which the chain must make a block and finalize one. Exits with 1 if a
    check failed; warnings do not count.
    """
    from offchain.cli.checks import machine, running

    host, _ = parse_listen(listen)
    media_ports = parse_udp_ports(udp_ports)
    state = options.state_dir(state_dir)
    names = Names.from_options(state_dir, keys_dir)

    def checks() -> Iterator[Check]:
        yield machine.python_version()
        yield machine.packages()
        yield machine.ffmpeg()
        yield machine.node_program(node)
        yield from machine.state_directory(state)
        yield machine.journal_lock(state)
        yield machine.keystore(names)
        yield machine.loopback_udp()
        yield machine.receive_buffer()
        yield from machine.media_addresses(ice_host or [], host, media_ports)
        if machine_only:
            return
        yield from running.chain(chain)
        yield from running.server(server, listen)
        yield running.relayer_socket(options.socket_path(socket, state_dir))

    found = told(out, checks())
    if out.json_mode:
        out.json(as_data(found))
    else:
        show_sum(out, found)
    if not all_well(found):
        raise typer.Exit(Exit.FAILED)
