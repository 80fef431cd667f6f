"""`paystream serve` and `paystream relay`: the two processes that an operator runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offchain.cli import options
from offchain.cli.command import command
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.output import Output
from offchain.cli.ports import parse_listen, parse_udp_ports, refuse_taken_port
from offchain.cli.wallets import Wallets

if TYPE_CHECKING:
    from streaming.cli import CertificateFiles


def add_to(app: typer.Typer, panel: str) -> None:
    """Register both commands."""
    command(
        app,
        "serve",
        "paystream serve",
        "paystream serve --listen 0.0.0.0:443 --origin https://live.example "
        "--tls-cert fullchain.pem --tls-key privkey.pem --udp-ports 40000-41999",
        "paystream serve --origin https://live.example --trusted-proxy 127.0.0.1",
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


def _limit(name: str, text: str) -> Any:
    return options.option(name, text, "N", min=0)


def _certificate(cert: Path | None, key: Path | None) -> CertificateFiles | None:
    """Give the pair of files. Raises Failure where there is only one."""
    from streaming.cli import CertificateFiles

    if cert is None and key is None:
        return None
    if cert is None or key is None:
        missing, given = (
            ("--tls-cert", "--tls-key") if cert is None else ("--tls-key", "--tls-cert")
        )
        raise Failure(
            f"{given} alone is not enough: give {missing} too, or neither for plain HTTP",
            Exit.USAGE,
            "usage",
        )
    return CertificateFiles(cert, key)


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
            "--cors-origin",
            "Other origin whose pages may call this server, such as https://site.example, or * "
            "for all; repeatable.",
            "URL",
        ),
    ] = None,
    tls_cert: Annotated[
        Path | None,
        options.option(
            "--tls-cert",
            "Serve HTTPS with this certificate and its chain (PEM); SIGHUP reads it again.",
            "FILE",
            show_default="plain HTTP",
        ),
    ] = None,
    tls_key: Annotated[
        Path | None,
        options.option("--tls-key", "The certificate's key (PEM, without a password).", "FILE"),
    ] = None,
    plain_http: Annotated[
        bool,
        options.option(
            "--plain-http",
            "Plain HTTP on other than loopback: a proxy on another machine does TLS.",
        ),
    ] = False,
    trusted_proxy: Annotated[
        list[str] | None,
        options.option(
            "--trusted-proxy",
            "Address or network of a proxy whose X-Forwarded-For names the client; repeatable.",
            "ADDRESS",
        ),
    ] = None,
    connections_max: Annotated[
        int, options.option("--connections-max", "Connections at a time.", "N", min=1)
    ] = 1000,
    requests_per_second: Annotated[
        int,
        _limit("--requests-per-second", "HTTP requests a second and address."),
    ] = 50,
    joins_per_minute: Annotated[
        int,
        _limit("--joins-per-minute", "Offers (to watch or publish) a minute and address."),
    ] = 120,
    half_open_per_address: Annotated[
        int,
        _limit(
            "--half-open-per-address", "Peer connections of an address that are not yet connected."
        ),
    ] = 64,
    half_open_per_stream: Annotated[
        int,
        _limit("--half-open-per-stream", "Viewers of a stream who are not yet connected."),
    ] = 400,
    http_connections_per_address: Annotated[
        int,
        _limit("--http-connections-per-address", "TCP connections of an address at a time."),
    ] = 256,
    pauses_per_second: Annotated[
        int,
        _limit("--pauses-per-second", "Pauses and resumptions a second and viewer."),
    ] = 4,
    request_timeout: Annotated[
        int,
        options.option(
            "--request-timeout",
            "Seconds for a request's header to arrive, and as long for its body; 0 for ever.",
            "SECONDS",
            min=0,
        ),
    ] = 10,
    log_level: LogLevel = "warning",
    state_dir: options.StateDir = None,
) -> None:
    """Run the media server: WHIP in, WHEP out, pages and API. It holds no keys.

    Prints one line of JSON when it is ready: {"event":"ready","url":...}. SIGTERM ends it. A limit
    of 0 is no limit; who connects from this machine has none, unless a trusted proxy speaks for
    somebody else.
    """
    import asyncio

    _log_to_stderr(log_level)
    host, port = parse_listen(listen)
    media_ports = parse_udp_ports(udp_ports)
    from streaming.cli import Limits, ServeConfig, run_serve

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
        tls=_certificate(tls_cert, tls_key),
        plain_http=plain_http,
        trusted_proxies=tuple(trusted_proxy or ()),
        connections_max=connections_max,
        limits=Limits(
            requests_per_second=requests_per_second,
            joins_per_minute=joins_per_minute,
            half_open_per_address=half_open_per_address,
            half_open_per_stream=half_open_per_stream,
            http_connections_per_address=http_connections_per_address,
            pauses_per_second=pauses_per_second,
            request_timeout_s=request_timeout,
        ),
        on_ready=ready,
    )
    config.check()
    refuse_taken_port(host, port, "--listen")
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
