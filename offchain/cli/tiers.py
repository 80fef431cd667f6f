"""`paystream stream tiers`: what a stream offers to subscribers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from offchain.cli import options
from offchain.cli.chain import Outcome, Plan, Sending, found_stream, planned, transact, with_ledger
from offchain.cli.command import command
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.money import Money, money_of
from offchain.cli.output import Output, Row, facts
from offchain.cli.stream import app, refuse_foreign
from offchain.cli.tier_text import parse_tier, tier_data, tier_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from offchain.ledger.client import Ledger
    from offchain.ledger.types import Receipt, Tier


@command(
    app,
    "tiers",
    "paystream stream tiers 1",
    'paystream stream tiers 1 --offer "5 UNIT/30d=50%" --offer "9 UNIT/30d=100%" --key creator',
    "paystream stream tiers 1 --offer-nothing --key creator",
)
def tiers(
    out: Output,
    sending: Sending,
    stream: options.StreamId,
    offer: Annotated[
        list[str] | None,
        options.option(
            "--offer",
            "A price, a period, and what it takes off the price of a second; repeat it.",
            "AMOUNT/TIME=DISCOUNT",
        ),
    ] = None,
    offer_nothing: Annotated[
        bool, options.option("--offer-nothing", "Offer no tiers any more.")
    ] = False,
) -> None:
    """List a stream's tiers; with --offer, offer those and no others.

    Whoever has subscribed keeps the tier of that day until the paid periods are over.
    """
    if not offer and not offer_nothing:
        _list(out, sending.chain, stream)
        return
    if offer and offer_nothing:
        raise Failure(
            "--offer and --offer-nothing exclude each other: give one", Exit.USAGE, "usage"
        )

    async def plan(ledger: Ledger, _native: Money, account: str) -> Plan:
        from offchain.ledger.entries import tier_value

        entry = await found_stream(ledger, stream)
        refuse_foreign(entry, stream, account)
        money = await money_of(ledger, entry.asset)
        offered = [parse_tier(text, money) for text in offer or ()]
        before = await ledger.tiers(stream)
        return await planned(
            ledger,
            "PayStream",
            "set_tiers",
            {"stream": stream, "tiers": [tier_value(each) for each in offered]},
            [*_rows(money, "Offered until now", before), *_rows(money, "From now on", offered)],
            data={"stream": stream, "tiers": [tier_data(each) for each in offered]},
        )

    async def tell(ledger: Ledger, _native: Money, receipt: Receipt) -> Outcome:
        entry = await found_stream(ledger, stream)
        money = await money_of(ledger, entry.asset)
        offered = await ledger.tiers(stream, at=receipt.block_hash)
        data = {"stream": stream, "tiers": [tier_data(each) for each in offered]}
        return Outcome(_rows(money, "Offered", offered), data)

    transact(out, sending, plan, tell)


def _list(out: Output, chain: str, stream: int) -> None:
    async def work(ledger: Ledger) -> None:
        entry = await found_stream(ledger, stream)
        offered = await ledger.tiers(stream)
        money = await money_of(ledger, entry.asset)
        if out.json_mode:
            tiers = [tier_data(each) for each in offered]
            out.json({"stream": stream, "asset": money.name, "tiers": tiers})
        else:
            out.show(facts(_rows(money, "Offered", offered)))

    with_ledger(chain, work)


def _rows(money: Money, title: str, offered: Sequence[Tier]) -> list[Row]:
    """Number tiers from 1, as `subscription subscribe --tier` names them."""
    if not offered:
        return [(title, "nothing")]
    numbered = [f"{number}: {tier_text(money, each)}" for number, each in enumerate(offered, 1)]
    return [(title, "\n".join(numbered))]
