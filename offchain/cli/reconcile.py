"""`paystream reconcile`: does the finalized chain agree with itself and with what was watched?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
    from offchain.cli.mend_sending import Sent
    from offchain.cli.mending import Mend
    from offchain.keys import LocalKey
    from offchain.ledger.client import Ledger
    from offchain.ledger.types import Stream

REPORT_BYTES_MAX = 64 << 20
PRUNED_WHILE_READING = 16
FINAL_WITHIN_S = 60.0
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
    mends: list[Mend]
    money: Money


def add_to(app: typer.Typer, panel: str) -> None:
    """Register the command."""
    command(
        app,
        "reconcile",
        "paystream reconcile --stream 1",
        "paystream reconcile --stream 1 --delivered --key creator --json",
        "paystream reconcile --stream 1 --delivered --mend --key creator",
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
    mend: Annotated[
        bool,
        options.option(
            "--mend", "Send the calls that mend, signed by --key, and say what is left."
        ),
    ] = False,
    yes: Annotated[bool, options.option("--yes", "Do not ask before that.")] = False,
    report: Annotated[
        Path | None,
        options.option("--report", "Judge this report of scripts/demo --json instead.", "FILE"),
    ] = None,
    key: options.Key = None,
    chain: options.Chain = options.CHAIN_DEFAULT,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Hold a stream's finalized events, entries and deliveries against each other.

    Exits with 1 if anything disagrees, and names the call that mends what a call can mend: also of
    sessions in these blocks that have ended and still hold their viewer's money.

    With --mend those calls are tried, their fees told, and those that would succeed are sent; then
    it exits with 0 only where nothing is left, neither a disagreement nor a call. Doing it again
    sends nothing twice: what an owner gave back counts.

    A node keeps the state of its last 256 blocks unless it runs with --state-pruning archive; what
    came before is then taken from the entries.
    """
    if report is not None:
        _judge_report(out, report)
        return
    if stream is None:
        raise Failure("give --stream or --report", Exit.USAGE, "usage")
    signer = wallets.signer(key) if delivered or mend else None
    delivered_ms: dict[SessionName, int] = {}
    if delivered and signer is not None:
        delivered_ms = _delivered(server, signer, stream)
    result = _read(out, chain, stream, from_block, delivered_ms)
    if not out.json_mode:
        _show(out, result)
    sent: list[Sent] | None = None
    if mend and signer is not None:
        sent = []
        if result.mends:
            from offchain.cli.mend_sending import send_mends

            sent = send_mends(out, chain, server, signer, result.mends, yes=yes)
        if any(each.problem is None for each in sent):
            result = _read(out, chain, stream, from_block, delivered_ms, catch_up=True)
            if not out.json_mode:
                _verdict(out, result.found)
                _name_mends(out, result.mends)
    if out.json_mode:
        out.json(_data(result, sent))
    if result.found or (mend and result.mends):
        raise typer.Exit(Exit.FAILED)


def _delivered(server: str, signer: LocalKey, stream: int) -> dict[SessionName, int]:
    """Ask the server what it delivered in each session that it knows. Raises ClientError."""
    token = obtain_token(server, signer, "publish", stream)
    answer = ask(server, "GET", f"{API}/sessions", token=token)
    return {
        (int(each["grant"]), int(each["index"])): int(each["delivered_ms"])
        for each in answer["sessions"]
    }


def _read(
    out: Output,
    chain: str,
    stream: int,
    from_block: int | None,
    delivered_ms: dict[SessionName, int],
    *,
    catch_up: bool = False,
) -> Result:
    """Read the finalized blocks, and hold them against themselves and what was delivered.

    With `catch_up` only when what is in the best block now has become final, a minute at most.
    Raises Failure where there is no such stream.
    """
    from offchain.cli.audit import History, disagreements
    from offchain.cli.mending import mends

    async def work(ledger: Ledger) -> Result:
        if catch_up:
            await _until_final(ledger)
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
        known = after or before
        money = await money_of(ledger, None if known is None else known.asset)
        calls = mends(
            history,
            after,
            still_open,
            delivered_ms,
            now_ms=await ledger.now_ms(at=final.hash),
            window_ms=ledger.constants.settlement_window_ms,
            write=money.write,
        )
        return Result(history, after, delivered_ms, first, final.number, found, list(calls), money)

    return with_ledger(chain, work)


async def _until_final(ledger: Ledger) -> None:
    """Wait until the block that is best now is final, at most `FINAL_WITHIN_S`."""
    import trio

    best = (await ledger.best_head()).number
    with trio.move_on_after(FINAL_WITHIN_S):
        async with ledger.heads("finalized") as heads:
            async for head in heads:
                if head.number >= best:
                    return


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


def _data(result: Result, sent: Sequence[Sent] | None) -> dict[str, Any]:
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
        "mends": [
            {
                "session": each.label,
                "why": each.why,
                "command": each.command,
            }
            for each in result.mends
        ],
        **({} if sent is None else {"sent": [each.data for each in sent]}),
    }


def _show(out: Output, result: Result) -> None:
    history, entry, money = result.history, result.entry, result.money
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
    _name_mends(out, result.mends)


def _name_mends(out: Output, mends: Sequence[Mend]) -> None:
    for each in mends:
        out.text(f"Session {each.label}: {each.why}. Mend it by:")
        out.text(f"  {each.command}")


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
