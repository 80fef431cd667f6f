"""`paystream grant`: what a viewer allows a relayer's key to spend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from offchain.amounts import asset_name
from offchain.cli import options
from offchain.cli.chain import (
    Outcome,
    Plan,
    Sending,
    found_stream,
    planned,
    transact,
    with_ledger,
)
from offchain.cli.command import command, group
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.money import Money, money_of, money_of_all, named_money
from offchain.cli.output import Output, moment, table
from offchain.cli.payment import (
    EXPIRES_IN_DEFAULT,
    GAP_MS_DEFAULT,
    Allowance,
    Delegate,
    plan_grant,
    tell_grant,
)
from offchain.cli.rest import API, ask, obtain_token
from offchain.cli.spans import parse_span
from offchain.cli.wallets import Names

if TYPE_CHECKING:
    from offchain.ledger.client import Ledger
    from offchain.ledger.types import DelegateKey, Grant, Receipt

app = group("What viewers allow a relayer's key to spend for them.")


@command(
    app,
    "give",
    'paystream grant give --stream 1 --cap "5 UNIT" --deposit "10 UNIT" --key viewer',
    'paystream grant give --stream 1 --cap "5 UNIT" --tips "1 UNIT" --renewals 3',
    'paystream grant give --stream 1 --cap "5 UNIT" --key viewer --dry-run',
)
def give(
    out: Output,
    sending: Sending,
    *,
    cap: Annotated[str, options.option("--cap", "Most that the grant may ever cost.", "AMOUNT")],
    stream: Annotated[
        int | None,
        options.option(
            "--stream", "Stream to watch: its price is the highest allowed.", "STREAM", min=0
        ),
    ] = None,
    deposit: Annotated[
        str | None,
        options.option(
            "--deposit", 'Move this (or "all") into the vault, in the same step.', "AMOUNT"
        ),
    ] = None,
    rate_max: Annotated[
        str | None,
        options.option(
            "--rate-max",
            "Highest price of a second.",
            "AMOUNT",
            show_default="the stream's",
        ),
    ] = None,
    sessions_max: Annotated[
        int, options.option("--sessions-max", "Sessions at a time.", "N", min=1)
    ] = 1,
    gap_ms: Annotated[
        int,
        options.option(
            "--gap-ms", "How long the relayer may be silent, in milliseconds.", "MS", min=1
        ),
    ] = GAP_MS_DEFAULT,
    expires_in: Annotated[
        str, options.option("--expires-in", "How long it lasts, such as 12h or 30d.", "TIME")
    ] = EXPIRES_IN_DEFAULT,
    tips: Annotated[
        str | None,
        options.option("--tips", "Most that the key may tip, beside the cap.", "AMOUNT"),
    ] = None,
    renewals: Annotated[
        int,
        options.option(
            "--renewals", "Periods of subscriptions that the key may renew.", "N", min=0
        ),
    ] = 0,
    asset: Annotated[
        str | None,
        options.option(
            "--asset",
            "What it pays in: `native`, an asset's number, or its symbol.",
            "ASSET",
            show_default="the stream's",
        ),
    ] = None,
    delegate: Annotated[
        str | None,
        options.option(
            "--delegate",
            "Public key to grant (0x and 64 digits).",
            "HEX",
            show_default="the one that --server's relayer made",
        ),
    ] = None,
    proof: Annotated[
        str | None,
        options.option("--proof", "The delegate's proof for this account (0x...).", "HEX"),
    ] = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Allow a relayer's key to pay for seconds from the vault, within bounds.

    The key can pay streams and nothing else. Without --delegate it comes from the server.
    """
    allowance = Allowance(
        cap=cap,
        deposit=deposit,
        rate_max=rate_max,
        sessions_max=sessions_max,
        gap_ms=gap_ms,
        expires_in_s=parse_span(expires_in, "--expires-in"),
        tips=tips,
        renewals=renewals,
    )
    if (delegate is None) != (proof is None):
        raise Failure("--delegate and --proof go together: give both", Exit.USAGE, "usage")
    if delegate is not None and proof is not None:
        granted = Delegate.read(delegate, proof)
    else:
        granted, sending = _delegate_of_server(server, sending, stream)

    async def plan(ledger: Ledger, native: Money, account: str) -> Plan:
        rate, money = None, native
        if stream is not None:
            entry = await found_stream(ledger, stream)
            rate, money = entry.rate_per_second, await money_of(ledger, entry.asset)
        if asset is not None:
            money = _same_asset(stream, money, await named_money(ledger, asset))
        return await plan_grant(ledger, money, account, granted, allowance, rate_per_second=rate)

    transact(out, sending, plan, tell_grant)


def _same_asset(stream: int | None, money: Money, named: Money) -> Money:
    """Give the named money. Raises Failure where a stream is paid in another."""
    if stream is not None and named.asset != money.asset:
        raise Failure(
            f"stream {stream} is paid in {money.symbol}, not in {named.symbol}: leave --asset away",
            Exit.USAGE,
            "asset-mismatch",
        )
    return named


def _delegate_of_server(
    server: str, sending: Sending, stream: int | None
) -> tuple[Delegate, Sending]:
    """Ask the server for the key that its relayer made for this viewer."""
    if stream is None:
        raise Failure(
            "give --stream, for which the server names its key, or --delegate and --proof",
            Exit.USAGE,
            "usage",
        )
    opened = sending.open_key()
    token = obtain_token(server, opened.signer(), "watch")
    terms = ask(server, "GET", f"{API}/streams/{stream}/terms", token=token)
    return Delegate.of_terms(terms), opened


@command(
    app,
    "list",
    "paystream grant list --account viewer",
    "paystream grant list --delegate HEX",
)
def list_grants(
    out: Output,
    names: Names,
    *,
    account: options.Account = None,
    delegate: Annotated[
        str | None,
        options.option("--delegate", "The grants of this key instead (0x and 64 digits).", "HEX"),
    ] = None,
    scheme: Annotated[
        str, options.option("--scheme", "The key's scheme: sr25519 or ed25519.", "SCHEME")
    ] = "sr25519",
    chain: options.Chain = options.CHAIN_DEFAULT,
) -> None:
    """List an account's or a key's grants: what is left of each, and until when."""
    key = None if delegate is None else _delegate_key(delegate, scheme)
    who = names.address(account) if key is None else f"the key {delegate}"

    async def work(ledger: Ledger) -> None:
        now = await ledger.now_ms()
        if key is None:
            found = dict(sorted((await ledger.grants_of(who)).items()))
        else:
            found = await ledger.grants_of_key(key)
        if out.json_mode:
            grants = [_data(number, each) for number, each in found.items()]
            about = {"account": who} if key is None else {"delegate": "0x" + key.public.hex()}
            out.json({**about, "now": now, "grants": grants})
            return
        monies = await money_of_all(ledger, (each.asset for each in found.values()))
        rows = [
            (
                number,
                "ended" if each.ended_at <= now else "active",
                monies[each.asset].write(each.cap_left),
                monies[each.asset].write(each.cap),
                f"{monies[each.asset].write(each.rate_max_per_second)}/s",
                f"{len(each.open)}/{each.sessions_max}",
                moment(each.ended_at),
            )
            for number, each in found.items()
        ]
        columns = ("Grant>", "State", "Left>", "Of>", "Highest price>", "Open>", "Ends|")
        empty = f"No grants of {who}. Give one: paystream grant give --stream N --cap AMOUNT"
        out.show(table(columns, rows, empty))

    with_ledger(chain, work)


@command(app, "revoke", "paystream grant revoke 3 --key viewer")
def revoke(
    out: Output,
    sending: Sending,
    grant: Annotated[int, typer.Argument(metavar="GRANT", min=0, help="Number of the grant.")],
) -> None:
    """End a grant at once. Its sessions end too; what they did not use returns to the vault.

    A grant that has ended and has no open session is deleted, and its deposit returns.
    """

    async def plan(ledger: Ledger, native: Money, account: str) -> Plan:
        entry = await ledger.grant(grant)
        if entry is None:
            raise Failure(
                f"there is no grant {grant}: `paystream grant list` shows them",
                Exit.REFUSED,
                "grant-not-found",
            )
        if entry.viewer != account:
            raise Failure(
                f"grant {grant} belongs to {entry.viewer}, not to {account}: sign with its "
                "viewer's key (--key)",
                Exit.REFUSED,
                "not-viewer",
            )
        money = await money_of(ledger, entry.asset)
        return await planned(
            ledger,
            "PayStream",
            "revoke",
            {"grant": grant},
            [
                ("Sessions that end", len(entry.open)),
                ("Spent so far", money.write(entry.spent)),
                ("Never to be spent", money.write(entry.cap_left)),
                ("Deposit returned", native.write(entry.deposit)),
            ],
            data={"grant": grant, "spent": entry.spent, "cap_left": entry.cap_left},
        )

    async def tell(ledger: Ledger, money: Money, receipt: Receipt) -> Outcome:
        del ledger, money
        deleted = any(
            each.pallet == "PayStream" and each.name == "GrantDeleted" for each in receipt.events
        )
        state = "revoked and deleted" if deleted else "revoked; deleted with its last session"
        return Outcome([("Grant", f"{grant}, {state}")], {"grant": grant, "deleted": deleted})

    transact(out, sending, plan, tell)


def _delegate_key(delegate: str, scheme: str) -> DelegateKey:
    """Read a delegate's public key. Raises Failure."""
    from offchain.ledger.types import DelegateKey

    try:
        public = bytes.fromhex(delegate.removeprefix("0x"))
    except ValueError:
        public = b""
    if len(public) != 32 or scheme not in ("sr25519", "ed25519"):
        raise Failure(
            "--delegate is no public key of 0x and 64 digits, or --scheme neither sr25519 nor "
            "ed25519: `paystream grant list` shows an account's grants with their keys in --json",
            Exit.USAGE,
            "delegate-invalid",
        )
    return DelegateKey(scheme=scheme, public=public)  # type: ignore[arg-type]


def _data(number: int, entry: Grant) -> dict[str, Any]:
    return {
        "grant": number,
        "viewer": entry.viewer,
        "delegate": "0x" + entry.key.public.hex(),
        "scheme": entry.key.scheme,
        "asset": asset_name(entry.asset),
        "rate_max_per_second": entry.rate_max_per_second,
        "cap": entry.cap,
        "cap_left": entry.cap_left,
        "spent": entry.spent,
        "gap_ms": entry.gap_ms,
        "created_at": entry.created_at,
        "expires_at": entry.expires_at,
        "ended_at": entry.ended_at,
        "sessions_max": entry.sessions_max,
        "open": list(entry.open),
        "seconds": entry.seconds,
        "deposit": entry.deposit,
        "tips_left": entry.tips_left,
        "tips_total": entry.tips_total,
        "renewals_left": entry.renewals_left,
        "renewals_total": entry.renewals_total,
    }
