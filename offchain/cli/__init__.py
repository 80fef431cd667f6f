"""The `paystream` command."""

from __future__ import annotations

from typing import Annotated

import typer

from offchain.cli import (
    asset,
    chain_spec,
    claim,
    community,
    conformance,
    doctor,
    grant,
    handover,
    journal,
    keyless,
    keys,
    media,
    moderation,
    node,
    operator,
    people,
    publish_token,
    reconcile,
    services,
    session,
    settle,
    signer,
    status,
    stream,
    subscription,
    tiers,
    tip,
    up,
    vault,
)
from offchain.cli.command import PaystreamGroup
from offchain.cli.exits import Exit

__all__ = ["app", "main"]


def _epilog() -> str:
    codes = "\n".join(f"  {int(code):>3}  {code.meaning}" for code in Exit)
    return (
        "[bold]Exit codes[/bold]\n" + codes + "\n\n"
        "[bold]Settings[/bold]\n"
        "  An option comes before its variable (PAYSTREAM_CHAIN for --chain), a variable before\n"
        "  the TOML file that --config names. PAYSTREAM_DEBUG=1 shows tracebacks."
    )


app = typer.Typer(
    name="paystream",
    cls=PaystreamGroup,
    help="Pay for exactly the seconds of live video that were delivered.",
    epilog=_epilog(),
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
RUNNING, MONEY, MEDIA, HEALTH = "Run the parts", "Streams and money", "Media", "Health"
PEOPLE = "People"
OPERATOR = "The operator of a chain"
# they add their commands to `stream`, `session`, `profile` and `chat`
_OF_GROUPS = (handover, people, publish_token, tiers, settle)
up.add_to(app, RUNNING)
node.add_to(app, RUNNING)
services.add_to(app, RUNNING)
app.add_typer(journal.app, name="journal", rich_help_panel=RUNNING)
signer.add_to(app, RUNNING)
app.add_typer(keys.app, name="keys", rich_help_panel=MONEY)
app.add_typer(stream.app, name="stream", rich_help_panel=MONEY)
app.add_typer(vault.app, name="vault", rich_help_panel=MONEY)
app.add_typer(grant.app, name="grant", rich_help_panel=MONEY)
app.add_typer(session.app, name="session", rich_help_panel=MONEY)
claim.add_to(app, MONEY)
tip.add_to(app, MONEY)
app.add_typer(subscription.app, name="subscription", rich_help_panel=MONEY)
app.add_typer(chain_spec.app, name="chain", rich_help_panel=OPERATOR)
app.add_typer(asset.app, name="asset", rich_help_panel=OPERATOR)
app.add_typer(operator.app, name="operator", rich_help_panel=OPERATOR)
media.add_to(app, MEDIA)
app.add_typer(community.profile, name="profile", rich_help_panel=PEOPLE)
app.add_typer(community.chat, name="chat", rich_help_panel=PEOPLE)
app.add_typer(moderation.app, name="community", rich_help_panel=PEOPLE)
status.add_to(app, HEALTH)
doctor.add_to(app, HEALTH)
reconcile.add_to(app, HEALTH)
app.add_typer(conformance.app, name="conformance", rich_help_panel=HEALTH)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"paystream {version('paystream')}")
        raise typer.Exit


@app.callback()
def _everywhere(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and end.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Hold what stands before every command."""


def main() -> None:
    """Run the command line of this process."""
    keyless.may_be_replaced()
    app()
