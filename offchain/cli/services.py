"""`paystream serve` and `paystream relay`: the two processes that an operator runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from offchain.cli import options
from offchain.cli.command import command
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.output import Output
from offchain.cli.ports import parse_listen, parse_udp_ports, refuse_taken_port
from offchain.cli.wallets import Wallets


def add_to(app: typer.Typer, panel: str) -> None:
    """Register both commands."""
    command(
        app,
        "serve",
        "paystream serve",
        "paystream serve --listen 0.0.0.0:8080 --origin https://live.example --ice-host 192.0.2.7",
        "paystream serve --listen 0.0.0.0:8080 --udp-ports 40000-41999",
        panel=panel,
    )(serve)
    command(
        app,
        "relay",
        "paystream relay --password-file /etc/paystream/password",
        "paystream relay --chain wss://rpc.example --metrics-port 9615",
        "paystream relay --batch-account operator --password-file /etc/paystream/password",
        panel=panel,
    )(relay)


LogLevel = Annotated[
    str,
    options.option(
        "--log-level",
        "Least that is worth a line on standard error: debug, info, warning or error.",
        "LEVEL",
    ),
]


def _log_to_stderr(level: str) -> None:
    """Send the processes' log to standard error. Raises Failure."""
    import logging

    levels = ("debug", "info", "warning", "error")
    if level.lower() not in levels:
        raise Failure(
            f"--log-level is {level!r}: use one of {', '.join(levels)}", Exit.USAGE, "usage"
        )
    logging.basicConfig(
        stream=sys.stderr,
        level=level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )


def serve(
    out: Output,
    *,
    listen: Annotated[
        str, options.option("--listen", "Where to listen; port 0 takes a free one.", "HOST:PORT")
    ] = options.LISTEN_DEFAULT,
    socket: options.Socket = None,
    origin: Annotated[
        str | None,
        options.option(
            "--origin",
            "Public address that tokens are bound to, such as https://live.example.",
            "URL",
            show_default="what is listened on",
        ),
    ] = None,
    ice_host: options.IceHost = None,
    udp_ports: options.UdpPorts = None,
    cors_origin: Annotated[
        list[str] | None,
        options.option(
            "--cors-origin", "Other origin whose pages may call this server; repeatable.", "URL"
        ),
    ] = None,
    connections_max: Annotated[
        int, options.option("--connections-max", "Connections at a time.", "N", min=1)
    ] = 1000,
    log_level: LogLevel = "warning",
    state_dir: options.StateDir = None,
) -> None:
    """Run the media server: WHIP in, WHEP out, pages and API. It holds no keys.

    Prints one line of JSON when it is ready: {"event":"ready","url":...}. SIGTERM ends it.
    """
    import asyncio

    _log_to_stderr(log_level)
    host, port = parse_listen(listen)
    refuse_taken_port(host, port, "--listen")
    media_ports = parse_udp_ports(udp_ports)
    from streaming.cli import ServeConfig, run_serve

    def ready(url: str) -> None:
        out.event({"event": "ready", "url": url})
        if not out.json_mode:
            out.note(f"Serving on {url}. Ctrl-C ends it.")

    config = ServeConfig(
        socket=options.socket_path(socket, state_dir),
        listen_host=host,
        listen_port=port,
        origin=origin,
        ice_hosts=tuple(ice_host or ()),
        udp_ports=media_ports,
        cors_origins=tuple(cors_origin or ()),
        connections_max=connections_max,
        on_ready=ready,
    )
    asyncio.run(run_serve(config))


def relay(
    out: Output,
    *,
    chain: options.Chain = options.CHAIN_DEFAULT,
    socket: options.Socket = None,
    cadence_ms: Annotated[
        int,
        options.option(
            "--cadence-ms",
            "Time between two ticks of a session, in milliseconds.",
            "MS",
            min=5_000,
            max=60_000,
        ),
    ] = 6_000,
    metrics_port: Annotated[
        int | None,
        options.option(
            "--metrics-port",
            "Port on loopback for Prometheus; 0 takes a free one.",
            "PORT",
            min=0,
            max=65_535,
            show_default="none",
        ),
    ] = None,
    batch_account: Annotated[
        str | None,
        options.option(
            "--batch-account",
            "Key of a funded account that brings many ticks in one transaction.",
            "NAME",
            autocompletion=options.complete_key,
            show_default="none: every tick by itself, free",
        ),
    ] = None,
    delegates_dir: Annotated[
        Path | None,
        options.option(
            "--delegates-dir",
            "Where the delegates' keys lie, encrypted.",
            "DIR",
            show_default="delegates in the state directory",
        ),
    ] = None,
    log_level: LogLevel = "warning",
    state_dir: options.StateDir = None,
    keys_dir: options.KeysDir = None,
    password_file: options.PasswordFile = None,
) -> None:
    """Run the relayer: it holds the delegates' keys and the journal, and signs what is owed.

    Prints one line of JSON when it is ready: {"event":"ready","socket":...}. SIGTERM ends it. The
    password file opens the delegates' keys, and the batch account's too.
    """
    import trio

    from offchain.relayer.run import run_relayer
    from offchain.relayer.settings import RelayerConfig

    _log_to_stderr(log_level)
    state = options.state_dir(state_dir)
    if metrics_port is not None:
        refuse_taken_port("127.0.0.1", metrics_port, "--metrics-port")
    delegates = delegates_dir or state / "delegates"
    question = f"Password of the delegates' keys in {delegates}"
    first_time = not delegates.exists()
    password = Wallets(delegates, password_file).password(question, confirm=first_time)
    batch_signer = None
    if batch_account is not None:
        wallets = Wallets.from_options(state_dir, keys_dir, password_file)
        batch_signer = wallets.signer(batch_account)
    config = RelayerConfig(
        chain_url=chain,
        state_dir=state,
        password=password,
        socket=options.socket_path(socket, state_dir),
        keys_dir=delegates,
        cadence_ms=cadence_ms,
        metrics_port=metrics_port,
        batch_signer=batch_signer,
    )
    if not out.json_mode:
        out.note(f"Relayer of {chain}, state in {state}. Ctrl-C ends it.")
    trio.run(run_relayer, config)
