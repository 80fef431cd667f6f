"""`paystream claim`: pay a stream's earnings to its payees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from offchain.amounts import AMOUNT_MAX
from offchain.cli import options
from offchain.cli.chain import (
    Outcome,
    Plan,
    Sending,
    found_stream,
    is_signed,
    planned,
    transact,
    transact_unsigned,
    with_ledger,
)
from offchain.cli.command import command
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.money import Money, money_of
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
    *,
    ctx: typer.Context,
    stream: Annotated[int, options.option("--stream", "Number of the stream.", "STREAM", min=0)],
) -> None:
    """Pay what a stream has earned to its payees. Anyone may do this; the payees receive it.

    The last claim of an ended stream, without sessions and subscriptions, needs neither a key nor a
    fee; with --key that account signs it, and pays.
    """

    async def plan(ledger: Ledger, _native: Money, account: str) -> Plan:
        del account
        entry = await found_stream(ledger, stream)
        money, share = await money_of(ledger, entry.asset), await ledger.treasury_share()
        if entry.earned + entry.fees == 0 and not is_over(entry):
            raise Failure(
                f"stream {stream} has nothing to claim: it earned "
                f"{money.write(entry.earned_total)}, and all of it is claimed",
                Exit.REFUSED,
                "nothing-to-claim",
            )
        parts = division(entry, share)
        effect = [("Claims", money.write(entry.earned + entry.fees)), *planned_rows(parts, money)]
        data = {
            "stream": stream,
            "asset": money.name,
            "earned": entry.earned,
            "treasury": parts.treasury,
            "payees": parts.listed,
        }
        return await planned(ledger, "PayStream", "claim", {"stream": stream}, effect, data=data)

    async def tell(ledger: Ledger, _native: Money, receipt: Receipt) -> Outcome:
        before = await ledger.stream(stream, at=await parent_of(ledger, receipt))
        money = await money_of(ledger, None if before is None else before.asset)
        rows, paid = paid_out(receipt, money)
        return Outcome(rows, {"stream": stream, "asset": money.name, **paid})

    async def needs_nobody(ledger: Ledger) -> bool:
        return is_over(await found_stream(ledger, stream))

    unsigned = not is_signed(ctx) and with_ledger(sending.chain, needs_nobody)
    send = transact_unsigned if unsigned else transact
    send(out, sending, plan, tell)


def is_over(entry: Stream) -> bool:
    """Tell whether a stream's next claim is its last, for which the ledger asks no signature."""
    return entry.status == "Ended" and not entry.sessions_open and not entry.subscriptions_open


async def parent_of(ledger: Ledger, receipt: Receipt) -> str | None:
    """Name the block before a receipt's: the last claim of a stream deletes it."""
    return await ledger.block_hash(receipt.block_number - 1)


class Division(NamedTuple):
    """How a stream's earnings are shared out, in the asset's smallest units."""

    treasury: int
    payees: dict[str, tuple[int, int]]
    """By account, the share (parts per million) and the amount."""
    left: int

    @property
    def listed(self) -> list[dict[str, object]]:
        """The payees as JSON has them."""
        return [{"account": who, "amount": amount} for who, (_, amount) in self.payees.items()]

    def of(self, account: str) -> int:
        """Tell what an account gets as a payee."""
        return self.payees.get(account, (0, 0))[1]

    def without(self, account: str, amount: int) -> Division:
        """Take an amount from an account's part."""
        share, part = self.payees[account]
        return self._replace(payees={**self.payees, account: (share, part - amount)})


def division(entry: Stream, treasury_share: int) -> Division:
    """Share out what a stream has earned; an account may be named several times.

    Shares follow the running total that was distributed since payees and the operator's share
    changed last: see `docs/ledger.md`.
    """
    goes_on = entry.treasury_share == treasury_share
    old_total = entry.shared_total if goes_on else 0
    old = _parts(entry, treasury_share, old_total)
    new_total = old_total + entry.earned - old.left
    if new_total > AMOUNT_MAX:
        old, new_total = _parts(entry, treasury_share, 0), entry.earned
    new = _parts(entry, treasury_share, new_total)
    payees = {
        who: (share, amount - old.payees[who][1]) for who, (share, amount) in new.payees.items()
    }
    return Division(entry.fees + new.treasury - old.treasury, payees, new.left)


def _parts(entry: Stream, treasury_share: int, total: int) -> Division:
    """Divide a total, each part rounded down."""
    cut = total * treasury_share // PERMILL
    rest = total - cut
    payees: dict[str, tuple[int, int]] = {}
    for each in entry.payees:
        share, amount = payees.get(each.account, (0, 0))
        payees[each.account] = (share + each.share, amount + rest * each.share // PERMILL)
    return Division(cut, payees, rest - sum(part for _, part in payees.values()))


def planned_rows(parts: Division, money: Money) -> list[Row]:
    """Show who will be paid what, and what stays."""
    rows: list[Row] = []
    if parts.treasury:
        rows.append(("  to the operator", money.write(parts.treasury)))
    for who, (share, amount) in parts.payees.items():
        rows.append((f"  to {short(who)}", f"{money.write(amount)} ({share_text(share)})"))
    if parts.left:
        rows.append(("Stays", f"{money.write(parts.left)}, too little to share"))
    return rows


def paid_out(receipt: Receipt, money: Money) -> tuple[list[Row], dict[str, Any]]:
    """Give what a distribution has paid to whom, as rows and as JSON has it."""
    ours = [each for each in receipt.events if each.pallet == "PayStream"]
    payees: list[dict[str, Any]] = [
        {
            "account": str(each.fields["payee"]),
            "amount": int(each.fields["amount"]),
            "credited": bool(each.fields["credited"]),
        }
        for each in ours
        if each.name == "Claimed"
    ]
    treasury = sum(int(each.fields["amount"]) for each in ours if each.name == "TreasuryPaid")
    claimed = sum(each["amount"] for each in payees)
    rows: list[Row] = [("Claimed", money.write(claimed))]
    for each in payees:
        where = " (into the vault)" if each["credited"] else ""
        rows.append((f"  to {short(each['account'])}", f"{money.write(each['amount'])}{where}"))
    if treasury:
        rows.append(("  to the operator", money.write(treasury)))
    return rows, {"claimed": claimed, "payees": payees, "treasury": treasury}
