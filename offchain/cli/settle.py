"""`paystream session settle`: end a session that nobody closed in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from offchain.amounts import asset_name, format_duration
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
)
from offchain.cli.command import command
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.money import Money, money_of
from offchain.cli.output import Output, Row, moment
from offchain.cli.session import app

if TYPE_CHECKING:
    from offchain.ledger.client import Ledger
    from offchain.ledger.types import Grant, Receipt, Session


@command(
    app,
    "settle",
    "paystream session settle --grant 3 --index 0",
    "paystream session settle --grant 3 --index 0 --dry-run",
)
def settle(
    out: Output,
    sending: Sending,
    *,
    ctx: typer.Context,
    grant: Annotated[int, options.option("--grant", "Number of the grant.", "GRANT", min=0)],
    index: Annotated[
        int, options.option("--index", "Number of the session under it.", "INDEX", min=0)
    ],
) -> None:
    """End a session whose window is over. Anyone may do this; the viewer gets what is left.

    It needs neither a key nor a fee; with --key that account signs it, and pays. It charges nothing
    more. Until the window is over the session's key can still close it, with
    what was delivered: `paystream session close` asks for that.
    """

    async def plan(ledger: Ledger, native: Money, account: str) -> Plan:
        del account
        return await plan_settle(ledger, native, grant, index)

    async def tell(ledger: Ledger, native: Money, receipt: Receipt) -> Outcome:
        closed = receipt.event("SessionClosed").fields
        left = await ledger.grant(grant, at=receipt.block_hash)
        stream, paid, back = (int(closed[name]) for name in ("stream", "paid", "refunded"))
        entry = await ledger.stream(stream, at=receipt.block_hash)
        money = native if entry is None else await money_of(ledger, entry.asset)
        rows: list[Row] = [
            ("Settled", f"{grant}-{index}"),
            ("Stays paid", money.write(paid)),
            ("Back in the vault", money.write(back)),
            ("Grant", "gone, with its deposit returned" if left is None else "its slot is free"),
        ]
        data = {
            "session": f"{grant}-{index}",
            "stream": stream,
            "asset": money.name,
            "seconds": int(closed["seconds"]),
            "paid": paid,
            "refunded": back,
            "grant_ends": left is None,
        }
        return Outcome(rows, data)

    send = transact if is_signed(ctx) else transact_unsigned
    send(out, sending, plan, tell)


async def plan_settle(ledger: Ledger, native: Money, grant: int, index: int) -> Plan:
    """Plan the settlement of a session. Raises Failure where the ledger would refuse it."""
    entry, giver = await ledger.session(grant, index), await ledger.grant(grant)
    if entry is None or giver is None:
        _not_open(grant, index, giver)
    now = await ledger.now_ms()
    await _refuse_early(ledger, f"{grant}-{index}", entry, now)
    money = await money_of(ledger, entry.asset)
    back, is_last = entry.funds - entry.paid, giver.open == (index,) and giver.ended_at <= now
    keeps_dust = is_last and await _leaves_dust(ledger, entry, back)
    is_last = is_last and not keeps_dust
    effect: list[Row] = [
        ("Stays paid", f"{money.write(entry.paid)} for {format_duration(entry.seconds)}"),
        ("Back into the vault", money.write(back)),
        ("  of the viewer", entry.viewer),
        ("Grant", _grant_text(native, grant, giver, is_last=is_last, keeps_dust=keeps_dust)),
    ]
    data = {
        "session": f"{grant}-{index}",
        "stream": entry.stream,
        "viewer": entry.viewer,
        "asset": asset_name(entry.asset),
        "seconds": entry.seconds,
        "paid": entry.paid,
        "refunded": back,
        "grant_ends": is_last,
        "deposit_returned": giver.deposit if is_last else 0,
    }
    params = {"grant": grant, "index": index}
    return await planned(ledger, "PayStream", "settle", params, effect, data=data)


async def _leaves_dust(ledger: Ledger, entry: Session, back: int) -> bool:
    """Tell whether the viewer's vault will hold dust: an ended grant stays to pay for it.

    An asset that is gone from the chain has no minimum any more.
    """
    from offchain.ledger.errors import AssetUnknown

    try:
        minimum = (await ledger.currency(entry.asset)).minimum
    except AssetUnknown:
        return False
    return 0 < back + await ledger.vault(entry.viewer, asset=entry.asset) < minimum


def _grant_text(native: Money, grant: int, giver: Grant, *, is_last: bool, keeps_dust: bool) -> str:
    if keeps_dust:
        return f"{grant} stays until its viewer revokes it: it pays for what little the vault holds"
    if is_last:
        return f"{grant} ends, and its deposit of {native.write(giver.deposit)} returns"
    return f"{grant} has a slot more, and its cap what comes back"


def _not_open(grant: int, index: int, giver: Grant | None) -> NoReturn:
    """Say what became of a session that the ledger does not have. Raises Failure."""
    if giver is None:
        why = f"the ledger has no grant {grant}: it is over with all its sessions, or never was"
    elif index >= giver.next_index:
        why = f"grant {grant} has opened no session {index} yet"
    else:
        why = "it was closed or settled before, and what was left is in its viewer's vault"
    raise Failure(
        f"there is nothing to settle of session {grant}-{index}: {why}; `paystream session list` "
        "shows what is open",
        Exit.REFUSED,
        "session-not-found",
    )


async def _refuse_early(ledger: Ledger, name: str, entry: Session, now: int) -> None:
    """Raise Failure with the time to wait where the ledger would answer `WindowOpen`."""
    from offchain.relayer.cadence import ended_at

    stream = await found_stream(ledger, entry.stream)
    end = ended_at(entry, now, stream.stops)
    has_ended = end <= now
    if not has_ended:
        end = min(end, entry.ticked_at + entry.gap_ms)
    due = end + ledger.constants.settlement_window_ms
    if due <= now:
        return
    wait = format_duration(-(-(due - now) // 1000))
    if has_ended:
        why = (
            f"session {name} has ended, and until {moment(due)} its key may still close it: try "
            f"again in {wait}"
        )
    else:
        why = (
            f"session {name} is running: unless a tick comes it ends at {moment(end)} and can be "
            f"settled in {wait}; its viewer ends it now with `paystream session close {name}`"
        )
    raise Failure(why, Exit.REFUSED, "window-open")
