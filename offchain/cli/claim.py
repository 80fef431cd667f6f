"""`paystream claim`: pay a stream's earnings to its payees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from offchain.cli import options
from offchain.cli.chain import Money, Outcome, Plan, Sending, found_stream, planned, transact
from offchain.cli.command import command
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.output import Output, Row, short
from offchain.cli.payees import share_text

if TYPE_CHECKING:
    from offchain.ledger.client import Ledger
    from offchain.ledger.types import Receipt, Stream

PERMILL = 1_000_000


def add_to(app: typer.Typer, panel: str) -> None:
    """Register the command."""
    command(
        app,
        "claim",
        "paystream claim --stream 1 --key creator",
        "paystream claim --stream 1 --dry-run",
        panel=panel,
    )(claim)


def claim(
    out: Output,
    sending: Sending,
    stream: Annotated[int, options.option("--stream", "Number of the stream.", "STREAM", min=0)],
) -> None:
    """Pay what a stream has earned to its payees. Anyone may do this; the payees receive it."""

    async def plan(ledger: Ledger, money: Money, account: str) -> Plan:
        del account
        entry = await found_stream(ledger, stream)
        if entry.earned == 0:
            raise Failure(
                f"stream {stream} has nothing to claim: it earned "
                f"{money.write(entry.earned_total)}, and all of it is claimed",
                Exit.REFUSED,
                "nothing-to-claim",
            )
        parts = shares(entry)
        effect: list[Row] = [("Claims", money.write(entry.earned))]
        for who, (ppm, amount) in parts.items():
            effect.append((f"  to {short(who)}", f"{money.write(amount)} ({share_text(ppm)})"))
        left = entry.earned - sum(amount for _, amount in parts.values())
        if left:
            effect.append(("Stays", f"{money.write(left)}, too little to share"))
        payees = [{"account": who, "amount": amount} for who, (_, amount) in parts.items()]
        data = {"stream": stream, "earned": entry.earned, "payees": payees}
        return await planned(ledger, "PayStream", "claim", {"stream": stream}, effect, data=data)

    async def tell(ledger: Ledger, money: Money, receipt: Receipt) -> Outcome:
        del ledger
        claimed = [
            each.fields
            for each in receipt.events
            if (each.pallet, each.name) == ("PayStream", "Claimed")
        ]
        total = sum(int(each["amount"]) for each in claimed)
        rows: list[Row] = [("Claimed", money.write(total))]
        for each in claimed:
            where = " (into the vault)" if each["credited"] else ""
            who = short(str(each["payee"]))
            rows.append((f"  to {who}", f"{money.write(int(each['amount']))}{where}"))
        payees = [
            {
                "account": str(each["payee"]),
                "amount": int(each["amount"]),
                "credited": bool(each["credited"]),
            }
            for each in claimed
        ]
        return Outcome(rows, {"stream": stream, "claimed": total, "payees": payees})

    transact(out, sending, plan, tell)


def shares(entry: Stream) -> dict[str, tuple[int, int]]:
    """Give what a claim pays now: by payee, the share (parts per million) and the amount."""
    if not entry.payees:
        return {entry.owner: (PERMILL, entry.earned)}
    return {
        each.account: (each.share, entry.earned * each.share // PERMILL) for each in entry.payees
    }
