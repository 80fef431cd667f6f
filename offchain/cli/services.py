"""`paystream serve` and `paystream relay`: the two processes that an operator runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from offchain.cli import draining, open_sessions, options
from offchain.cli.command import command, command_with_others
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.output import Output
from offchain.cli.ports import parse_listen, parse_udp_ports, refuse_taken_port
from offchain.cli.wallets import Wallets

if TYPE_CHECKING:
    from offchain.keys.signer import Signer
    from streaming.cli import CertificateFiles


def add_to(app: typer.Typer, panel: str) -> None:
    """Register both commands, and those that go with the relayer's."""
    command(
        app,
        "serve",
        "paystream serve",
        "paystream serve --listen 0.0.0.0:443 --origin https://live.example "
        "--tls-cert fullchain.pem --tls-key privkey.pem --udp-ports 40000-41999",
        "paystream serve --origin https://live.example --trusted-proxy 127.0.0.1",
        "paystream serve --only media --community-origin https://people.example",
        "paystream serve --only community --community-database people.sqlite "
        "--media-origin https://live.example",
        panel=panel,
    )(serve)
    others = command_with_others(
        app,
        "relay",
        relay,
        "paystream relay --password-file /etc/paystream/password",
        "paystream relay --chain wss://rpc.example --metrics-port 9615",
        "paystream relay --batch-account operator --password-file /etc/paystream/password",
        "paystream relay --signer /run/paystream/signer.sock",
        "paystream relay --chain ws://127.0.0.1:9944 --chain asia=ws://127.0.0.1:9945",
        "paystream relay --dry-run",
        "paystream relay --relayer-id one --signer /run/paystream/signer.sock "
        "--journal-url-file /etc/paystream/journal-url",
        panel=panel,
    )
    open_sessions.add_to(others)
    draining.add_to(others)


LogLevel = Annotated[
    str,
    options.option(
        "--log-level",
        "Least that is worth a line on standard error: debug, info, warning or error.",
        "LEVEL",
    ),
]
LogFormat = Annotated[
    str, options.option("--log-format", "How a line is written: text or json.", "FORMAT")
]
OtlpEndpoint = Annotated[
    str | None,
    options.option(
        "--otlp-endpoint",
        "Collector that spans of sessions are sent to by OTLP over HTTP, such as "
        "http://127.0.0.1:4318; needs paystream[otel].",
        "URL",
        show_default="OTEL_EXPORTER_OTLP_ENDPOINT, else none",
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


def log_to_stderr(level: str, form: str) -> None:
    """Send the processes' log to standard error. Raises Failure."""
    from offchain.cli import log_lines

    for name, given, known in (
        ("--log-level", level, log_lines.LEVELS),
        ("--log-format", form, log_lines.FORMATS),
    ):
        if given.lower() not in known:
            raise Failure(
                f"{name} is {given!r}: use one of {', '.join(known)}", Exit.USAGE, "usage"
            )
    log_lines.configure(level.lower(), form.lower())


def keep_memory() -> None:
    """Keep core files, debuggers and the swap off a process that holds secrets.

    What this machine does not allow is a line in the log, and no failure.
    """
    import logging

    from offchain.keys import lockdown

    for what in lockdown.lock_down().missing:
        logging.getLogger("paystream.keys").info("event=memory-not-kept what=%r", what)


def _batch_signer(wallets: Wallets, name: str) -> Signer | None:
    """Open the batch account's key; None where its file is damaged: it stops no relayer.

    Raises Failure and KeystoreError.
    """
    import logging

    from offchain.keys import KeystoreCorrupt

    try:
        return wallets.signer(name)
    except KeystoreCorrupt as error:
        logging.getLogger("paystream.relay").error(  # noqa: TRY400
            "event=batch-key-unusable why=%r",
            f"{error}. Until the next start with a whole file every order takes the free lane",
        )
        return None


_OF_MEDIA: Final = (
    "socket",
    "ice_host",
    "udp_ports",
    "server_id",
    "connections_max",
    "joins_per_minute",
    "half_open_per_address",
    "half_open_per_stream",
    "pauses_per_second",
    "nacks_per_second",
)


def _refuse_media_options(context: typer.Context) -> None:
    """Raise Failure where the command line says of media what the community alone has not.

    What stands in a settings file or in the environment may be meant for another process, and is
    not used.
    """
    for name in _OF_MEDIA:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise Failure(
                f"--{name.replace('_', '-')} is of media, which --only community has not: give it "
                "to the server with --only media, or leave it away",
                Exit.USAGE,
                "usage",
            )


def serve(
    out: Output,
    ctx: typer.Context,
    *,
    listen: Annotated[
        str, options.option("--listen", "Where to listen; port 0 takes a free one.", "HOST:PORT")
    ] = options.LISTEN_DEFAULT,
    socket: Annotated[
        list[Path] | None,
        options.option(
            "--socket",
            "Local socket of the relayer; repeat it for each of several on one journal.",
            "PATH",
            show_default="relay.sock in the state directory",
        ),
    ] = None,
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
    server_id: Annotated[
        str,
        options.option(
            "--server-id",
            "Name of this media server at its relayer: each of several needs one of its own.",
            "NAME",
        ),
    ] = "paystream-serve",
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
    nacks_per_second: Annotated[
        int,
        _limit("--nacks-per-second", "NACKs a second and viewer that are answered."),
    ] = 100,
    request_timeout: Annotated[
        int,
        options.option(
            "--request-timeout",
            "Seconds for a request's header to arrive, and as long for its body; 0 for ever.",
            "SECONDS",
            min=0,
        ),
    ] = 10,
    community_database: Annotated[
        Path | None,
        options.option(
            "--community-database",
            "File (SQLite) for accounts, profiles and chat; it is made where it is not there.",
            "PATH",
            show_default="none: there are no accounts",
        ),
    ] = None,
    community_url_file: Annotated[
        Path | None,
        options.option(
            "--community-url-file",
            "File whose first line is the URL of a PostgreSQL database for them instead.",
            "FILE",
        ),
    ] = None,
    only: Annotated[
        str | None,
        options.option(
            "--only",
            "Serve one half: media, or community (accounts, cards and chat); the other one is "
            "another process, perhaps on another machine.",
            "HALF",
            show_default="both",
        ),
    ] = None,
    community_origin: Annotated[
        str | None,
        options.option(
            "--community-origin",
            "Public address of the community, with --only media: pages ask it.",
            "URL",
        ),
    ] = None,
    media_origin: Annotated[
        str | None,
        options.option(
            "--media-origin",
            "Public address of the media server, with --only community: pages ask it, and so does "
            "the community who owns which stream.",
            "URL",
        ),
    ] = None,
    community_operator: Annotated[
        list[str] | None,
        options.option(
            "--community-operator",
            "Account that moderates every stream's chat and sees all reports; repeatable.",
            "ADDRESS",
        ),
    ] = None,
    metrics_port: options.MetricsPort = None,
    otlp_endpoint: OtlpEndpoint = None,
    log_level: LogLevel = "info",
    log_format: LogFormat = "text",
    state_dir: options.StateDir = None,
) -> None:
    """Run the media server: WHIP in, WHEP out, pages and API. It holds no keys.

    With --only community it is people alone: no media, no UDP and no relayer's socket.

    Prints one line of JSON when it is ready: {"event":"ready","url":...}, with "metrics_port" where
    there is one. SIGTERM ends it. A limit of 0 is no limit; who connects from this machine has
    none, unless a trusted proxy speaks for somebody else.
    """
    import asyncio

    from offchain.cli import traces

    log_to_stderr(log_level, log_format)
    if only == "community":
        _refuse_media_options(ctx)
    host, port = parse_listen(listen)
    media_ports = parse_udp_ports(udp_ports)
    from streaming.cli import Limits, ServeConfig, half, run_serve

    def ready(url: str, metrics: int | None) -> None:
        more = {} if metrics is None else {"metrics_port": metrics}
        out.event({"event": "ready", "url": url, **more})
        if not out.json_mode:
            out.note(f"Serving on {url}. Ctrl-C ends it.")

    config = ServeConfig(
        socket=options.socket_path(socket[0] if socket else None, state_dir),
        more_sockets=tuple(socket[1:] if socket else ()),
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
        server_id=server_id,
        limits=Limits(
            requests_per_second=requests_per_second,
            joins_per_minute=joins_per_minute,
            half_open_per_address=half_open_per_address,
            half_open_per_stream=half_open_per_stream,
            http_connections_per_address=http_connections_per_address,
            pauses_per_second=pauses_per_second,
            nacks_per_second=nacks_per_second,
            request_timeout_s=request_timeout,
        ),
        community_database=community_database,
        community_url_file=community_url_file,
        only=half(only),
        media_origin=media_origin,
        community_origin=community_origin,
        community_operators=tuple(community_operator or ()),
        metrics_port=metrics_port,
        on_ready=ready,
    )
    config.check()
    refuse_taken_port(host, port, "--listen")
    if metrics_port is not None:
        refuse_taken_port("127.0.0.1", metrics_port, "--metrics-port")
    with traces.told(otlp_endpoint, "paystream-serve"):
        asyncio.run(run_serve(config))


def relay(
    out: Output,
    *,
    chain: options.Chains = None,
    chain_wait: Annotated[
        int,
        options.option(
            "--chain-wait",
            "Seconds that the start waits for a node that is there and synced; then it ends.",
            "SECONDS",
            min=0,
            max=86_400,
        ),
    ] = 480,
    socket: options.Socket = None,
    credit_seconds: Annotated[
        int,
        options.option(
            "--credit-seconds",
            "Seconds that one viewer may be sent before a block charges them: what a creator can "
            "lose to a viewer.",
            "SECONDS",
            min=1,
        ),
    ] = 20,
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
    metrics_port: options.MetricsPort = None,
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
    server_user: Annotated[
        str | None,
        options.option(
            "--server-user",
            "User that runs `paystream serve`; its group may open the socket.",
            "USER",
            show_default="the relayer's own",
        ),
    ] = None,
    development_accounts: Annotated[
        bool,
        options.option(
            "--development-accounts",
            "Let pages sign as //Alice and the others, without a wallet. On a development chain "
            "only: every other one is refused.",
        ),
    ] = False,
    batch_password_file: Annotated[
        Path | None,
        options.option(
            "--batch-password-file",
            "File whose first line is the password of that key alone.",
            "FILE",
            show_default="the keystore's password",
        ),
    ] = None,
    delegates_dir: options.DelegatesDir = None,
    signer: Annotated[
        Path | None,
        options.option(
            "--signer",
            "Socket of the `paystream signer` that holds the delegates' keys.",
            "PATH",
            show_default="none: they are in this process",
        ),
    ] = None,
    chain_signer: Annotated[
        list[str] | None,
        options.option(
            "--chain-signer",
            "The same of another chain that is followed, with the chain's name in front; repeat it "
            "for each.",
            "NAME=PATH",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        options.option(
            "--dry-run",
            "Check all that a start needs and tell what would be sent first and adopted; make, "
            "sign and send nothing.",
        ),
    ] = False,
    otlp_endpoint: OtlpEndpoint = None,
    relayer_id: draining.RelayerId = None,
    log_level: LogLevel = "info",
    log_format: LogFormat = "text",
    journal_url_file: options.JournalUrlFile = None,
    state_dir: options.StateDir = None,
    keys_dir: options.KeysDir = None,
    password_file: options.PasswordFile = None,
) -> None:
    """Run the relayer: it holds the delegates' keys and the journal, and signs what is owed.

    Prints one line of JSON when it is ready: {"event":"ready","socket":...}. SIGTERM ends it. The
    password file opens the delegates' keys, and the batch account's unless that has its own. With
    a signer, this process holds no delegate's key and needs no password for them.

    With --dry-run it checks and exits: 0 where it would start, 1 where something is in the way.
    What the relayer that runs now holds (journal, socket, port) is a warning alone, so that new
    settings can be tried beside it.
    """
    import trio

    from offchain.cli import traces
    from offchain.cli.checks.relaying import Rehearsed
    from offchain.cli.rehearsal import rehearse
    from offchain.relayer.run import run_relayer
    from offchain.relayer.settings import RelayerConfig, chains_by_name, signers_by_name

    log_to_stderr(log_level, log_format)
    state = options.state_dir(state_dir)
    delegates = delegates_dir or state / "delegates"
    wallets = Wallets(delegates, password_file)
    batch_wallets = Wallets.from_options(state_dir, keys_dir, batch_password_file or password_file)

    def configured(password: str, batch_signer: Signer | None) -> RelayerConfig:
        chains = chains_by_name(chain or [options.CHAIN_DEFAULT])
        return RelayerConfig(
            chain_urls=chains.pop("", ()),
            more_chains=chains,
            chain_wait_s=chain_wait,
            state_dir=state,
            password=password,
            password_again=wallets.password_again,
            signer=signer,
            more_signers=signers_by_name(chain_signer or []),
            socket=options.socket_path(socket, state_dir),
            keys_dir=delegates,
            cadence_ms=cadence_ms,
            credit_ms=credit_seconds * 1000,
            metrics_port=metrics_port,
            batch_signer=batch_signer,
            server_user=server_user,
            journal=options.journal_url(journal_url_file),
            relayer_id=relayer_id,
            development_accounts=development_accounts,
        )

    if dry_run:
        rehearse(
            out,
            Rehearsed(
                chains=chains_by_name(chain or []).get("", (options.CHAIN_DEFAULT,)),
                state=state,
                socket=options.socket_path(socket, state_dir),
                delegates=delegates,
                password_file=password_file,
                signer=signer,
                batch_account=batch_account,
                batch_wallets=batch_wallets,
                metrics_port=metrics_port,
                journal=options.journal_place(state_dir, journal_url_file),
                cadence_ms=cadence_ms,
                development_accounts=development_accounts,
                configured=lambda: configured("not opened yet", None),
            ),
        )
        return
    if metrics_port is not None:
        refuse_taken_port("127.0.0.1", metrics_port, "--metrics-port")
    keep_memory()
    password = ""
    if signer is None:
        question = f"Password of the delegates' keys in {delegates}"
        first_time = not delegates.exists()
        password = wallets.password(question, confirm=first_time)
    batch_signer = None if batch_account is None else _batch_signer(batch_wallets, batch_account)
    config = configured(password, batch_signer)
    if not out.json_mode:
        out.note(f"Relayer of {config.shown_chain}, state in {state}. Ctrl-C ends it.")
    with traces.told(otlp_endpoint, "paystream-relay"):
        trio.run(run_relayer, config)
