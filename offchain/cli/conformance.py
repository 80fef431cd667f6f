"""`paystream conformance`: whether a server, of whoever's make, keeps a specification of ours."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from offchain.cli import options
from offchain.cli.checks import Check, failed, ok, skipped
from offchain.cli.checks.telling import all_well, as_data, show_sum, told
from offchain.cli.command import command, group
from offchain.cli.exits import Exit
from offchain.cli.output import Output
from offchain.cli.rest import obtain_token
from offchain.cli.wallets import Wallets

if TYPE_CHECKING:
    from streaming.cli import Finding

app = group("Whether a server keeps a specification of PayStream's.")


@command(
    app,
    "whep-402",
    "paystream conformance whep-402 https://live.example/whep/7",
    "paystream conformance whep-402 http://127.0.0.1:8080/whep/7 --key viewer",
)
def whep_402(
    out: Output,
    wallets: Wallets,
    *,
    url: Annotated[
        str, typer.Argument(metavar="URL", help="A WHEP resource of a stream that is live.")
    ],
    key: options.Key = None,
) -> None:
    """Judge how a WHEP server asks for payment, by the rules of docs/whep-402.md.

    With --key its account signs in at the server and opens one session, which is ended at once;
    what is watched in it costs nothing. Exits with 1 if a rule is broken.
    """
    token = None
    if key is not None:
        token = obtain_token(_server_of(url), wallets.signer(key), "watch")
    found = told(out, (_check(each) for each in asyncio.run(_examined(url, token))))
    if out.json_mode:
        out.json(as_data(found))
    else:
        show_sum(out, found)
    if not all_well(found):
        raise typer.Exit(Exit.FAILED)


async def _examined(url: str, token: str | None) -> list[Finding]:
    from streaming.cli import examine_whep

    return [finding async for finding in examine_whep(url, token)]


def _server_of(url: str) -> str:
    """The server, with the place of the chain, of which `url` is a WHEP resource."""
    return url.rpartition("/whep/")[0]


def _check(finding: Finding) -> Check:
    if finding.kept is None:
        return skipped(finding.name, finding.found)
    if finding.kept:
        return ok(finding.name, finding.found)
    return failed(finding.name, finding.found, finding.remedy)
