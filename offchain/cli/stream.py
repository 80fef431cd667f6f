"""`paystream stream`: what a creator offers, and at which price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from offchain.amounts import asset_name, format_duration
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
from offchain.cli.output import Output, Row, facts, moment, short, table
from offchain.cli.payees import parse_payee, share_text
from offchain.cli.tier_text import tier_data, tier_text
from offchain.cli.wallets import Names, Wallets

if TYPE_CHECKING:
    from offchain.ledger.client import Ledger
    from offchain.ledger.types import Payee, Receipt, Stream, StreamChange

app = group("Create and manage the streams that viewers pay for.")


@command(
    app,
    "create",
    'paystream stream create --rate "0.001 UNIT" --key creator',
    'paystream stream create --rate "0.001 USD" --asset usd --key creator',
    'paystream stream create --rate "0.001 UNIT" --payee //Alice=60% --payee //Bob=40%',
)
def create(
    out: Output,
    sending: Sending,
    *,
    rate: Annotated[
        str, options.option("--rate", 'Price of a second, such as "0.001 UNIT".', "AMOUNT")
    ],
    payee: Annotated[
        list[str] | None,
        options.option(
            "--payee",
            "Who earns which share; repeat it until the shares are 100%.",
            "ACCOUNT=SHARE",
            show_default="the owner, 100%",
        ),
    ] = None,
    funds_min: Annotated[
        str,
        options.option("--funds-min", "Least that a viewer must reserve to watch.", "AMOUNT"),
    ] = "0",
    gap_min_ms: Annotated[
        int | None,
        options.option(
            "--gap-min-ms",
            "Least silence that a viewer's grant must allow, in milliseconds.",
            "MS",
            min=0,
            show_default="the chain's least",
        ),
    ] = None,
    asset: options.AssetName = options.ASSET_DEFAULT,
) -> None:
    """Create a stream and print its number. Holds a storage deposit until the stream is gone."""
    payees = _payees(sending.wallets, payee or [])

    async def plan(ledger: Ledger, _native: Money, account: str) -> Plan:
        from offchain.ledger.entries import asset_value, payees_value
        from offchain.ledger.outlay import Outlay, stream_deposit

        money = await named_money(ledger, asset)
        price = money.read(rate, "--rate")
        if price == 0:
            raise Failure("--rate is zero: a stream costs something", Exit.USAGE, "rate-zero")
        params = {
            "asset": asset_value(money.asset),
            "rate_per_second": price,
            "payees": payees_value(payees),
            "funds_min": money.read(funds_min, "--funds-min"),
            "gap_min_ms": ledger.constants.gap_min_ms if gap_min_ms is None else gap_min_ms,
        }
        effect: list[Row] = [
            ("A new stream of", account),
            ("Price", _price(money, price)),
            ("Payees", _payees_text(payees) or f"{short(account)} 100%"),
        ]
        return await planned(
            ledger,
            "PayStream",
            "create_stream",
            params,
            effect,
            data={"asset": money.name, "rate_per_second": price},
            outlay=Outlay(storage_deposit=stream_deposit(ledger.constants, len(payees))),
        )

    async def tell(ledger: Ledger, native: Money, receipt: Receipt) -> Outcome:
        number = int(receipt.event("StreamCreated").fields["stream"])
        made = await ledger.stream(number, at=receipt.block_hash)
        rows: list[Row] = [("Stream", number)]
        data: dict[str, Any] = {"stream": number}
        if made is not None:
            money = await money_of(ledger, made.asset)
            rows += [
                ("Price", _price(money, made.rate_per_second)),
                ("Deposit held", native.write(made.deposit)),
            ]
            data |= {
                "asset": money.name,
                "rate_per_second": made.rate_per_second,
                "deposit": made.deposit,
            }
        return Outcome(rows, data)

    transact(out, sending, plan, tell)


@command(app, "list", "paystream stream list --account creator")
def list_streams(
    out: Output,
    names: Names,
    account: Annotated[
        str | None,
        options.option(
            "--account",
            "Only the streams of this owner: an address, a key's name, or //Alice.",
            "ACCOUNT",
            autocompletion=options.complete_key,
        ),
    ] = None,
    chain: options.Chain = options.CHAIN_DEFAULT,
) -> None:
    """List the streams on the chain, or those of one owner."""
    owner = names.address(account) if account else None

    async def work(ledger: Ledger) -> None:
        found = await (ledger.streams() if owner is None else ledger.streams_of(owner))
        if out.json_mode:
            out.json({"streams": [_data(number, each) for number, each in found.items()]})
            return
        monies = await money_of_all(ledger, (each.asset for each in found.values()))
        rows = [
            (
                number,
                each.status,
                _price(monies[each.asset], each.rate_per_second),
                each.sessions_open,
                format_duration(each.seconds),
                monies[each.asset].write(each.earned),
                short(each.owner),
            )
            for number, each in found.items()
        ]
        columns = ("Stream>", "Status|", "Price>", "Open>", "Watched>", "Unclaimed>", "Owner")
        empty = "No streams. Create one: paystream stream create --rate AMOUNT"
        out.show(table(columns, rows, empty))

    with_ledger(chain, work)


@command(app, "show", "paystream stream show 1")
def show(
    out: Output, stream: options.StreamId, chain: options.Chain = options.CHAIN_DEFAULT
) -> None:
    """Show a stream: price, payees, what it has earned and what can be claimed."""

    async def work(ledger: Ledger) -> None:
        entry = await found_stream(ledger, stream)
        tiers = await ledger.tiers(stream)
        money = await money_of(ledger, entry.asset)
        if out.json_mode:
            out.json({**_data(stream, entry), "tiers": [tier_data(tier) for tier in tiers]})
            return
        payees = "\n".join(f"{each.account} {share_text(each.share)}" for each in entry.payees)
        out.show(
            facts(
                [
                    ("Stream", stream),
                    ("Status", entry.status),
                    ("Price", _price(money, entry.rate_per_second)),
                    ("Asset", money.name),
                    ("Tiers", "\n".join(tier_text(money, tier) for tier in tiers) or "none"),
                    ("Owner", entry.owner),
                    ("Payees", payees or f"{entry.owner} 100%"),
                    ("Earned", money.write(entry.earned_total)),
                    ("  by tips", money.write(entry.tips_total)),
                    ("  by subscriptions", money.write(entry.subscribed_total)),
                    ("Refunded", money.write(entry.refunded_total)),
                    ("Unclaimed", money.write(entry.earned)),
                    ("Watched", format_duration(entry.seconds)),
                    ("Open sessions", entry.sessions_open),
                    ("Subscriptions", entry.subscriptions_open),
                    ("Least funds", money.write(entry.funds_min)),
                    ("Least gap", format_duration(entry.gap_min_ms // 1000)),
                    ("Deposit held", Money.of(ledger).write(entry.deposit)),
                    ("Changed", moment(entry.changed_at)),
                ]
            )
        )

    with_ledger(chain, work)


@command(app, "pause", "paystream stream pause 1 --key creator")
def pause(
    out: Output,
    sending: Sending,
    stream: options.StreamId,
) -> None:
    """Pause a stream: its open sessions end, and none can be opened until it is resumed."""
    _set_paused(out, sending, stream, paused=True)


@command(app, "resume", "paystream stream resume 1 --key creator")
def resume(
    out: Output,
    sending: Sending,
    stream: options.StreamId,
) -> None:
    """Resume a paused stream."""
    _set_paused(out, sending, stream, paused=False)


@command(app, "end", "paystream stream end 1 --key creator --yes")
def end(
    out: Output,
    sending: Sending,
    stream: options.StreamId,
    yes: Annotated[bool, options.option("--yes", "Do not ask for confirmation.")] = False,
) -> None:
    """End a stream for good. What it has earned can still be claimed."""
    if not yes and not sending.dry_run:
        typer.confirm(f"End stream {stream} for good?", abort=True, err=True)

    async def plan(ledger: Ledger, _native: Money, account: str) -> Plan:
        entry = await found_stream(ledger, stream)
        money = await money_of(ledger, entry.asset)
        refuse_foreign(entry, stream, account)
        if entry.status == "Ended":
            raise Failure(f"stream {stream} has ended already", Exit.REFUSED, "stream-ended")
        return await planned(
            ledger,
            "PayStream",
            "end_stream",
            {"stream": stream},
            [
                ("Status", f"{entry.status} → Ended, for good"),
                ("Sessions that end", entry.sessions_open),
                ("Left to claim", money.write(entry.earned)),
            ],
            data={"stream": stream, "sessions_open": entry.sessions_open},
        )

    async def tell(ledger: Ledger, money: Money, receipt: Receipt) -> Outcome:
        del ledger, money
        number = int(receipt.event("StreamEnded").fields["stream"])
        return Outcome([("Stream", f"{number}, ended")], {"stream": number, "status": "Ended"})

    transact(out, sending, plan, tell)


def _set_paused(out: Output, sending: Sending, stream: int, *, paused: bool) -> None:
    wanted = "Paused" if paused else "Active"

    async def plan(ledger: Ledger, money: Money, account: str) -> Plan:
        from offchain.ledger.entries import change_value
        from offchain.ledger.types import StreamChange

        del money
        entry = await found_stream(ledger, stream)
        refuse_foreign(entry, stream, account)
        if entry.status in {wanted, "Ended"}:
            state = "has ended" if entry.status == "Ended" else f"is {entry.status.lower()} already"
            raise Failure(f"stream {stream} {state}", Exit.REFUSED, "stream-status")
        change: StreamChange = StreamChange(paused=paused)
        return await planned(
            ledger,
            "PayStream",
            "update_stream",
            {"stream": stream, "change": change_value(change)},
            [
                ("Status", f"{entry.status} → {wanted}"),
                ("Sessions that end", entry.sessions_open if paused else 0),
            ],
            data={"stream": stream, "status": wanted},
        )

    async def tell(ledger: Ledger, money: Money, receipt: Receipt) -> Outcome:
        del ledger, money
        status = str(receipt.event("StreamUpdated").fields["status"])
        text = f"{stream}, {status.lower()}"
        return Outcome([("Stream", text)], {"stream": stream, "status": status})

    transact(out, sending, plan, tell)


def refuse_foreign(entry: Stream, stream: int, account: str) -> None:
    """Raise Failure where a stream is another's."""
    if entry.owner != account:
        raise Failure(
            f"stream {stream} belongs to {entry.owner}, not to {account}: sign with the owner's "
            "key (--key)",
            Exit.REFUSED,
            "not-owner",
        )


def _payees(wallets: Wallets, texts: list[str]) -> list[Payee]:
    from offchain.ledger.types import PERMILL_WHOLE, Payee

    payees = []
    for text in texts:
        who, share = parse_payee(text)
        payees.append(Payee(account=wallets.address(who), share=share))
    whole = sum(each.share for each in payees)
    if payees and whole != PERMILL_WHOLE:
        raise Failure(
            f"the --payee shares make {share_text(whole)}: let them be 100% together",
            Exit.USAGE,
            "shares-not-whole",
        )
    return payees


def _payees_text(payees: list[Payee]) -> str:
    return ", ".join(f"{short(each.account)} {share_text(each.share)}" for each in payees)


def _price(money: Money, rate_per_second: int) -> str:
    return f"{money.write(rate_per_second)}/s"


def _data(number: int, entry: Stream) -> dict[str, Any]:
    return {
        "stream": number,
        "owner": entry.owner,
        "asset": asset_name(entry.asset),
        "status": entry.status,
        "rate_per_second": entry.rate_per_second,
        "payees": [{"account": each.account, "share_ppm": each.share} for each in entry.payees],
        "earned": entry.earned,
        "earned_total": entry.earned_total,
        "tips_total": entry.tips_total,
        "subscribed_total": entry.subscribed_total,
        "refunded_total": entry.refunded_total,
        "fees": entry.fees,
        "subscriptions_open": entry.subscriptions_open,
        "seconds": entry.seconds,
        "sessions_open": entry.sessions_open,
        "funds_min": entry.funds_min,
        "gap_min_ms": entry.gap_min_ms,
        "deposit": entry.deposit,
        "changed_at": entry.changed_at,
        "ended_at": entry.ended_at,
    }
