"""`paystream reconcile`: does the finalized chain agree with itself and with what was watched?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offchain.cli import options
from offchain.cli.chain import with_ledger
from offchain.cli.command import command
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.money import Money, money_of
from offchain.cli.output import Output, facts, short, table
from offchain.cli.rest import API, ask, obtain_token
from offchain.cli.wallets import Wallets

if TYPE_CHECKING:
    from offchain.cli.audit import History, SessionHistory
    from offchain.ledger.client import Ledger
    from offchain.ledger.types import Stream

REPORT_BYTES_MAX = 64 << 20
PRUNED_WHILE_READING = 16
SessionName = tuple[int, int]


@dataclass(frozen=True)
class Result:
    """What was read and what disagrees."""

    history: History
    entry: Stream | None
    delivered_ms: Mapping[SessionName, int]
    from_block: int
    finalized_block: int
    found: list[str]


def add_to(app: typer.Typer, panel: str) -> None:
    """Register the command."""
    command(
        app,
        "reconcile",
        "paystream reconcile --stream 1",
        "paystream reconcile --stream 1 --delivered --key creator --json",
        "paystream reconcile --report demo.json",
        panel=panel,
    )(reconcile)


def reconcile(
    out: Output,
    wallets: Wallets,
    *,
    stream: Annotated[
        int | None, options.option("--stream", "Number of the stream.", "STREAM", min=0)
    ] = None,
    from_block: Annotated[
        int | None,
        options.option(
            "--from-block",
            "First finalized block to read.",
            "N",
            min=1,
            show_default="the first that the node still has",
        ),
    ] = None,
    delivered: Annotated[
        bool,
        options.option(
            "--delivered", "Ask the server too what it delivered (needs the owner's --key)."
        ),
    ] = False,
    report: Annotated[
        Path | None,
        options.option("--report", "Judge this report of scripts/demo --json instead.", "FILE"),
    ] = None,
    key: options.Key = None,
    chain: options.Chain = options.CHAIN_DEFAULT,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Hold a stream's finalized events, entries and deliveries against each other.

    Exits with 1 if anything disagrees. A node keeps the state of its last 256 blocks unless it
    runs with --state-pruning archive; what came before is then taken from the entries.
    """
    if report is not None:
        _judge_report(out, report)
        return
    if stream is None:
        raise Failure("give --stream or --report", Exit.USAGE, "usage")
    delivered_ms: dict[SessionName, int] = {}
    if delivered:
        token = obtain_token(server, wallets.signer(key), "publish", stream)
        answer = ask(server, "GET", f"{API}/sessions", token=token)
        delivered_ms = {
            (int(each["grant"]), int(each["index"])): int(each["delivered_ms"])
            for each in answer["sessions"]
        }
    _reconcile_chain(out, chain, stream, from_block, delivered_ms)


def _reconcile_chain(
    out: Output,
    chain: str,
    stream: int,
    from_block: int | None,
    delivered_ms: dict[SessionName, int],
) -> None:
    from offchain.cli.audit import History, disagreements

    async def work(ledger: Ledger) -> list[str]:
        final = await ledger.finalized_head()
        after = await ledger.stream(stream, at=final.hash)
        history = History(stream)
        first = from_block or await _first_block(ledger, stream, final.number)
        if first > 1 and from_block is None:
            out.note(f"The node has no state before block {first - 1}: reconciling from there on.")
        before = await _read_history(out, ledger, history, first, final.number)
        if after is None and before is None and history.created_block is None:
            raise Failure(
                f"there is no stream {stream} in the finalized blocks: `paystream stream list` "
                "shows them",
                Exit.REFUSED,
                "stream-not-found",
            )
        names = [name for name, each in history.sessions.items() if each.closed_block is None]
        still_open = await ledger.sessions_of(names, at=final.hash)
        found = list(disagreements(history, before, after, still_open, delivered_ms))
        result = Result(history, after, delivered_ms, first, final.number, found)
        if out.json_mode:
            out.json(_data(result))
        else:
            known = after or before
            money = await money_of(ledger, None if known is None else known.asset)
            _show(out, money, result)
        return found

    if with_ledger(chain, work):
        raise typer.Exit(Exit.FAILED)


async def _first_block(ledger: Ledger, stream: int, last: int) -> int:
    """Find the first block that can be read with the one before it: the node prunes old state."""
    low, high = 0, last
    while low < high:
        middle = (low + high) // 2
        if await _is_readable(ledger, stream, middle):
            high = middle
        else:
            low = middle + 1
    # some more may be pruned while the rest is read
    return 1 if low == 0 else min(last, low + PRUNED_WHILE_READING)


async def _is_readable(ledger: Ledger, stream: int, number: int) -> bool:
    from offchain.ledger.errors import BlockUnknown, RpcError

    block_hash = await ledger.block_hash(number)
    if block_hash is None:
        return False
    try:
        await ledger.stream(stream, at=block_hash)
    except BlockUnknown:
        return False
    except RpcError as error:
        if is_pruned(error):
            return False
        raise
    return True


def is_pruned(error: Exception) -> bool:
    """Tell whether a node's refusal means that it no longer has the block's state."""
    return "discarded" in str(error) or "unknown Block" in str(error)


async def _read_history(
    out: Output, ledger: Ledger, history: History, first: int, last: int
) -> Stream | None:
    """Read the events of the blocks; give the stream's entry before them. Raises Failure."""
    from offchain.ledger.errors import BlockUnknown, RpcError

    try:
        before = None
        if first > 1:
            before_hash = await ledger.block_hash(first - 1)
            before = await ledger.stream(history.stream, at=before_hash)
        with out.working(f"Reading blocks {first} to {last}"):
            for number in range(first, last + 1):
                block_hash = await ledger.block_hash(number)
                if block_hash is not None:
                    history.read(number, await ledger.events(block_hash))
    except (BlockUnknown, RpcError) as error:
        if isinstance(error, RpcError) and not is_pruned(error):
            raise
        raise Failure(
            f"the node no longer has the state of block {first}: leave --from-block away, or use "
            "a node that runs with --state-pruning archive",
            Exit.REFUSED,
            "block-pruned",
        ) from None
    return before


def _judge_report(out: Output, path: Path) -> None:
    from offchain.reconcile import judge

    try:
        with path.open("rb") as file:
            report = json.loads(file.read(REPORT_BYTES_MAX))
        found = judge(report)
    except OSError as error:
        raise Failure(
            f"{path} cannot be read ({error.strerror}): check its path", Exit.USAGE, "report"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Failure(
            f"{path} is no report of `scripts/demo --json`: make one with that",
            Exit.USAGE,
            "report-invalid",
        ) from None
    if out.json_mode:
        out.json({"report": str(path), "reconciled": not found, "disagreements": found})
    else:
        _verdict(out, found)
    if found:
        raise typer.Exit(Exit.FAILED)


def _data(result: Result) -> dict[str, Any]:
    history, entry = result.history, result.entry
    sessions = [
        {
            "session": f"{name[0]}-{name[1]}",
            "viewer": each.viewer,
            "delivered_ms": result.delivered_ms.get(name),
            "ticks": each.ticks,
            "paid_seconds": each.seconds,
            "rate_per_second": each.rate_per_second,
            "paid": each.charged + each.fees,
            "funds": each.funds,
            "refunded": each.refunded,
            "close_reason": each.close_reason,
            "blocks": {
                "opened": each.opened_block,
                "last_tick": each.last_tick_block,
                "closed": each.closed_block,
            },
        }
        for name, each in sorted(history.sessions.items())
    ]
    return {
        "stream": history.stream,
        "from_block": result.from_block,
        "finalized_block": result.finalized_block,
        "earned_total": None if entry is None else entry.earned_total,
        "unclaimed": None if entry is None else entry.earned,
        "charged": history.charged,
        "tipped": history.tipped,
        "subscribed": history.subscribed,
        "refunded": history.refunded,
        "treasury": history.treasury,
        "claimed": history.claimed_total,
        "payees": [{"account": who, "claimed": sum_} for who, sum_ in history.claimed.items()],
        "sessions": sessions,
        "reconciled": not result.found,
        "disagreements": result.found,
    }


def _show(out: Output, money: Money, result: Result) -> None:
    history, entry = result.history, result.entry
    rows = [
        _row(money, name, each, result.delivered_ms.get(name))
        for name, each in sorted(history.sessions.items())
    ]
    columns = ("Session", "Viewer", "Delivered>", "Paid time>", "Ticks>", "Paid>", "Closed by")
    out.show(table(columns, rows, f"No sessions of stream {history.stream}."))
    totals = [
        ("Finalized blocks", f"{result.from_block} to {result.finalized_block}"),
        ("Charged in them", money.write(history.charged)),
        *(
            (f"{what} in them", money.write(amount))
            for what, amount in (
                ("Tipped", history.tipped),
                ("Subscribed", history.subscribed),
                ("Refunded", history.refunded),
                ("The operator's", history.treasury),
            )
            if amount
        ),
        ("Earned in all", "-" if entry is None else money.write(entry.earned_total)),
        ("Claimed in them", money.write(history.claimed_total)),
        ("Unclaimed", "-" if entry is None else money.write(entry.earned)),
    ]
    out.show("", facts(totals), "")
    _verdict(out, result.found)


def _row(
    money: Money, name: SessionName, session: SessionHistory, delivered_ms: int | None
) -> tuple[object, ...]:
    return (
        f"{name[0]}-{name[1]}",
        short(session.viewer) or "opened before",
        "-" if delivered_ms is None else f"{delivered_ms / 1000:.1f} s",
        f"{session.seconds} s",
        session.ticks,
        money.write(session.charged + session.fees),
        session.close_reason or "open",
    )


def _verdict(out: Output, found: list[str]) -> None:
    from rich.text import Text

    if not found:
        out.show(Text("Everything agrees.", style="bold green"))
        return
    for each in found:
        out.show(Text.assemble(("Disagrees: ", "bold red"), each))
