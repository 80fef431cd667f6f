"""`paystream subscription`: periods paid in advance, in which seconds cost less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from offchain.cli import options
from offchain.cli.chain import Outcome, Plan, Sending, found_stream, planned, transact, with_ledger
from offchain.cli.command import command, group
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.money import Money, money_of
from offchain.cli.output import Output, Row, facts, moment, table
from offchain.cli.tier_text import tier_data, tier_text
from offchain.cli.wallets import Names

if TYPE_CHECKING:
    from offchain.ledger.client import Ledger
    from offchain.ledger.types import Receipt, Stream, Subscription, Tier

app = group("Subscriptions: periods paid in advance, in which a stream's seconds cost less.")

StreamOption = Annotated[int, options.option("--stream", "Number of the stream.", "STREAM", min=0)]


@command(
    app,
    "subscribe",
    "paystream subscription subscribe --stream 1 --key viewer",
    "paystream subscription subscribe --stream 1 --tier 2 --periods 3 --dry-run",
)
def subscribe(
    out: Output,
    sending: Sending,
    *,
    stream: StreamOption,
    tier: Annotated[
        int | None,
        options.option(
            "--tier",
            "Number of the tier, as `stream tiers` lists them.",
            "N",
            min=1,
            show_default="the only one there is",
        ),
    ] = None,
    periods: Annotated[
        int, options.option("--periods", "How many periods to pay for.", "N", min=1)
    ] = 1,
) -> None:
    """Pay periods of a tier from the vault; more of them where a subscription to it runs."""

    async def plan(ledger: Ledger, native: Money, account: str) -> Plan:
        from offchain.ledger.entries import tier_value
        from offchain.ledger.outlay import Outlay

        entry = await found_stream(ledger, stream)
        money = await money_of(ledger, entry.asset)
        chosen = _chosen(stream, await ledger.tiers(stream), tier)
        price, vault = chosen.price * periods, await ledger.vault(account, asset=entry.asset)
        if price > vault:
            raise Failure(
                f"{periods} period(s) cost {money.write(price)}, and the vault of {account} has "
                f"{money.write(vault)}: deposit first",
                Exit.REFUSED,
                "vault-too-low",
            )
        running = await ledger.subscription(stream, account)
        held = 0 if running is not None else ledger.constants.subscription_deposit
        until = await _until(ledger, stream, account, chosen, periods)
        effect: list[Row] = [
            ("Tier", tier_text(money, chosen)),
            ("A second then costs", money.write(chosen.discounted(entry.rate_per_second))),
            ("Costs now", money.write(price)),
            ("Vault", f"{money.write(vault)} → {money.write(vault - price)}"),
            ("Paid until", f"about {moment(until)}"),
            ("Deposit", f"held in {native.symbol} while it lasts, then returned"),
        ]
        return await planned(
            ledger,
            "PayStream",
            "subscribe",
            {"stream": stream, "tier": tier_value(chosen), "periods": periods},
            effect,
            data={
                "stream": stream,
                "asset": money.name,
                "tier": tier_data(chosen),
                "periods": periods,
                "amount": price,
            },
            outlay=Outlay(storage_deposit=held),
        )

    async def tell(ledger: Ledger, _native: Money, receipt: Receipt) -> Outcome:
        del ledger
        until = int(receipt.event("Subscribed").fields["paid_until"])
        data = {"stream": stream, "periods": periods, "paid_until": until}
        return Outcome([("Subscribed to", stream), ("Paid until", moment(until))], data)

    transact(out, sending, plan, tell)


@command(app, "list", "paystream subscription list --account viewer")
def list_subscriptions(
    out: Output,
    names: Names,
    account: options.Account = None,
    chain: options.Chain = options.CHAIN_DEFAULT,
) -> None:
    """List an account's subscriptions, whichever streams they are to."""
    who = names.address(account)

    async def work(ledger: Ledger) -> None:
        now, found = await ledger.now_ms(), await ledger.subscriptions_of(who)
        rows, told = [], []
        for stream, each in found.items():
            entry = await found_stream(ledger, stream)
            money = await money_of(ledger, entry.asset)
            told.append(
                {**_data(stream, who, money, stream=entry, entry=each, now=now), "now": now}
            )
            state = "runs" if _is_running(entry, each, now) else "over"
            rows.append((stream, state, tier_text(money, each.tier), moment(each.paid_until)))
        if out.json_mode:
            out.json({"account": who, "subscriptions": told})
            return
        columns = ("Stream>", "State", "Tier", "Paid until|")
        out.show(table(columns, rows, f"No subscriptions of {who}."))

    with_ledger(chain, work)


@command(app, "show", "paystream subscription show --stream 1 --account viewer")
def show(
    out: Output,
    names: Names,
    stream: StreamOption,
    account: options.Account = None,
    chain: options.Chain = options.CHAIN_DEFAULT,
) -> None:
    """Show an account's subscription to a stream: its tier, and until when it is paid."""
    who = names.address(account)

    async def work(ledger: Ledger) -> None:
        entry, found = await _found(ledger, stream, who)
        money, now = await money_of(ledger, entry.asset), await ledger.now_ms()
        is_running = _is_running(entry, found, now)
        held = _held(found)
        if out.json_mode:
            out.json({**_data(stream, who, money, stream=entry, entry=found, now=now), "now": now})
            return
        rows: list[Row] = [
            ("Stream", stream),
            ("Viewer", who),
            ("Tier", tier_text(money, found.tier)),
            ("State", "runs" if is_running else "over"),
            ("Paid until", moment(found.paid_until)),
            ("Periods", f"{found.periods}, of which {found.periods_earned} are earned"),
            ("Held for the others", money.write(held)),
            ("Deposit held", Money.of(ledger).write(found.deposit)),
        ]
        out.show(facts(rows))

    with_ledger(chain, work)


@command(app, "cancel", "paystream subscription cancel --stream 1 --key viewer")
def cancel(out: Output, sending: Sending, stream: StreamOption) -> None:
    """Take back what is paid for periods that have not begun. The running one is kept."""

    async def plan(ledger: Ledger, _native: Money, account: str) -> Plan:
        entry, found = await _found(ledger, stream, account)
        money = await money_of(ledger, entry.asset)
        begun = found.begun(await ledger.now_ms(), entry.ended_at)
        refunded = (found.periods - begun) * found.tier.price
        until = found.started_at + begun * found.tier.period_ms
        return await planned(
            ledger,
            "PayStream",
            "cancel_subscription",
            {"stream": stream},
            [("Back into the vault", money.write(refunded)), ("Runs until", moment(until))],
            data={"stream": stream, "asset": money.name, "refunded": refunded},
        )

    async def tell(ledger: Ledger, _native: Money, receipt: Receipt) -> Outcome:
        fields = receipt.event("SubscriptionCancelled").fields
        entry = await found_stream(ledger, stream)
        money = await money_of(ledger, entry.asset)
        refunded, until = int(fields["refunded"]), int(fields["paid_until"])
        rows: list[Row] = [
            ("Back in the vault", money.write(refunded)),
            ("Runs until", moment(until)),
        ]
        data = {"stream": stream, "asset": money.name, "refunded": refunded, "paid_until": until}
        return Outcome(rows, data)

    transact(out, sending, plan, tell)


@command(app, "settle", "paystream subscription settle --stream 1 --account ADDRESS --key creator")
def settle(
    out: Output, sending: Sending, stream: StreamOption, account: options.Account = None
) -> None:
    """Collect what a subscription has earned; end it where it is over. Anyone may do this."""
    whose = sending.wallets.address(account or sending.key)

    async def plan(ledger: Ledger, _native: Money, signer: str) -> Plan:
        from offchain.ledger.entries import account_value

        del signer
        entry, found = await _found(ledger, stream, whose)
        money, now = await money_of(ledger, entry.asset), await ledger.now_ms()
        begun = found.begun(now, entry.ended_at)
        is_over = entry.status == "Ended" or now >= found.paid_until
        earned = (begun - found.periods_earned) * found.tier.price
        back = (found.periods - begun) * found.tier.price if is_over else 0
        return await planned(
            ledger,
            "PayStream",
            "settle_subscription",
            {"stream": stream, "viewer": account_value(whose)},
            [
                ("Earned by the stream", money.write(earned)),
                ("Back into the vault", money.write(back)),
                ("Ends", "yes, and its deposit returns" if is_over else "no, it runs"),
            ],
            data={"stream": stream, "account": whose, "asset": money.name, "earned": earned,
                  "refunded": back, "ended": is_over},
        )  # fmt: skip

    async def tell(ledger: Ledger, _native: Money, receipt: Receipt) -> Outcome:
        entry = await ledger.stream(stream, at=receipt.block_hash)
        money = await money_of(ledger, None if entry is None else entry.asset)
        moved = {each.name: each.fields for each in receipt.events if each.pallet == "PayStream"}
        earned = int(moved.get("SubscriptionEarned", {}).get("amount", 0))
        back = int(moved.get("SubscriptionEnded", {}).get("refunded", 0))
        has_ended = "SubscriptionEnded" in moved
        rows: list[Row] = [
            ("Earned by the stream", money.write(earned)),
            ("Back in the vault", money.write(back)),
            ("Subscription", "ended" if has_ended else "runs"),
        ]
        data = {"stream": stream, "account": whose, "asset": money.name, "earned": earned}
        return Outcome(rows, {**data, "refunded": back, "ended": has_ended})

    transact(out, sending, plan, tell)


def _chosen(stream: int, tiers: tuple[Tier, ...], number: int | None) -> Tier:
    """Give the tier of that number, from 1. Raises Failure."""
    if not tiers:
        raise Failure(
            f"stream {stream} offers no tiers: its owner has to set some first",
            Exit.REFUSED,
            "tier-not-offered",
        )
    if number is None and len(tiers) == 1:
        return tiers[0]
    if number is None or number > len(tiers):
        raise Failure(
            f"stream {stream} offers {len(tiers)} tier(s): name one with --tier 1 to {len(tiers)} "
            f"(`paystream stream tiers {stream}` lists them)",
            Exit.USAGE,
            "tier-not-offered",
        )
    return tiers[number - 1]


async def _until(ledger: Ledger, stream: int, account: str, tier: Tier, periods: int) -> int:
    """Tell until when periods that are bought now are paid. Raises Failure."""
    now, running = await ledger.now_ms(), await ledger.subscription(stream, account)
    if running is None or now >= running.paid_until:
        return now + periods * tier.period_ms
    if running.tier != tier:
        raise Failure(
            f"a subscription to another tier of stream {stream} runs until "
            f"{moment(running.paid_until)}: extend that one, or cancel it and wait for its end",
            Exit.REFUSED,
            "subscription-running",
        )
    return running.paid_until + periods * tier.period_ms


async def _found(ledger: Ledger, stream: int, account: str) -> tuple[Stream, Subscription]:
    """Give a stream and an account's subscription to it. Raises Failure."""
    entry = await found_stream(ledger, stream)
    found = await ledger.subscription(stream, account)
    if found is None:
        raise Failure(
            f"{account} has no subscription to stream {stream}: `paystream subscription subscribe` "
            "makes one",
            Exit.REFUSED,
            "not-subscribed",
        )
    return entry, found


def _is_running(stream: Stream, entry: Subscription, now: int) -> bool:
    return now < entry.paid_until and stream.status != "Ended"


def _held(entry: Subscription) -> int:
    """Give what it holds for periods that have not begun, in the stream's asset."""
    return (entry.periods - entry.periods_earned) * entry.tier.price


def _data(
    number: int, who: str, money: Money, *, stream: Stream, entry: Subscription, now: int
) -> dict[str, Any]:
    return {
        "stream": number,
        "account": who,
        "asset": money.name,
        "tier": tier_data(entry.tier),
        "started_at": entry.started_at,
        "periods": entry.periods,
        "periods_earned": entry.periods_earned,
        "paid_until": entry.paid_until,
        "running": _is_running(stream, entry, now),
        "held": _held(entry),
        "deposit": entry.deposit,
    }
