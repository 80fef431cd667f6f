"""`paystream signer`: the process that holds the delegates' keys and judges what it signs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from offchain.cli import options
from offchain.cli.command import command
from offchain.cli.output import Output
from offchain.cli.services import LogFormat, LogLevel, keep_memory, log_to_stderr
from offchain.cli.wallets import Wallets


def add_to(app: typer.Typer, panel: str) -> None:
    """Register the command."""
    command(
        app,
        "signer",
        "paystream signer --policy /etc/paystream/policy.toml",
        "paystream signer --signer /run/paystream/signer.sock",
        panel=panel,
    )(signer)


def signer(
    out: Output,
    *,
    signer_socket: Annotated[
        Path | None,
        options.option(
            "--signer",
            "Local socket to listen on.",
            "PATH",
            show_default="signer.sock in the state directory",
        ),
    ] = None,
    policy: Annotated[
        Path | None,
        options.option(
            "--policy",
            "What may be signed, in TOML; see docs/security.md.",
            "FILE",
            show_default="safe defaults",
        ),
    ] = None,
    delegates_dir: options.DelegatesDir = None,
    log_level: LogLevel = "info",
    log_format: LogFormat = "text",
    state_dir: options.StateDir = None,
    password_file: options.PasswordFile = None,
) -> None:
    """Hold the delegates' keys for `paystream relay --signer`, and sign what the policy allows.

    Prints one line of JSON when it is ready: {"event":"ready","socket":...}. SIGTERM ends it. It
    signs typed orders alone: totals only rise, and never faster than its own clock.
    """
    import trio

    from offchain.signer.server import SignerConfig, run_signer
    from offchain.signer.settings import read_settings

    log_to_stderr(log_level, log_format)
    keep_memory()
    state = options.state_dir(state_dir)
    settings = read_settings(policy)
    delegates = delegates_dir or state / "delegates"
    question = f"Password of the delegates' keys in {delegates}"
    wallets = Wallets(delegates, password_file)
    password = wallets.password(question, confirm=not delegates.exists())
    config = SignerConfig(
        state_dir=state,
        keys_dir=delegates,
        socket=signer_socket or state / "signer.sock",
        password=password,
        password_again=wallets.password_again,
        settings=settings,
    )
    if not out.json_mode:
        out.note(f"Signer of the keys in {delegates}. Ctrl-C ends it.")
    trio.run(run_signer, config)
