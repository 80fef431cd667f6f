"""`paystream session`: who is watching, and what it has cost so far."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offchain.amounts import asset_name, format_duration
from offchain.cli import options
from offchain.cli.chain import with_ledger
from offchain.cli.command import command, group
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.money import Money, money_of, money_of_all
from offchain.cli.output import Output, Row, facts, moment, short, table
from offchain.cli.rest import API, ask, obtain_token
from offchain.cli.wallets import Wallets

if TYPE_CHECKING:
    from offchain.keys import LocalKey
    from offchain.ledger.client import Ledger
    from offchain.ledger.types import Session

app = group("Sessions: one viewer watching one stream under a grant.")

CLOSE_WITHIN_S = 40.0
CLOSE_LOOK_S = 0.5

SessionName = Annotated[str, typer.Argument(metavar="SESSION", help="GRANT-INDEX, such as 3-0.")]


@command(
    app,
    "list",
    "paystream session list --account viewer",
    "paystream session list --stream 1",
    "paystream session list --history --key viewer",
)
def list_sessions(
    out: Output,
    wallets: Wallets,
    *,
    account: options.Account = None,
    stream: Annotated[
        int | None,
        options.option(
            "--stream", "The sessions of this stream, whoever watches.", "STREAM", min=0
        ),
    ] = None,
    history: Annotated[
        bool,
        options.option("--history", "Ask the server: closed sessions too, and what was delivered."),
    ] = False,
    key: options.Key = None,
    chain: options.Chain = options.CHAIN_DEFAULT,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """List a viewer's or a stream's open sessions from the chain.

    With --history, all that the server knows of the viewer's.
    """
    if stream is not None and history:
        raise Failure(
            "--history is a viewer's, and --stream lists whoever watches: leave out one of them",
            Exit.USAGE,
            "usage",
        )
    if history:
        _list_history(out, wallets, key or account, server)
        return
    who = None if stream is not None else wallets.address(account or key)

    async def work(ledger: Ledger) -> None:
        found = await _open_sessions(ledger, who, stream)
        if out.json_mode:
            about = {"account": who} if who is not None else {"stream": stream}
            out.json({**about, "sessions": [_data(*each) for each in found]})
            return
        monies = await money_of_all(ledger, (each.asset for _, _, each in found))
        rows = [
            (
                f"{grant}-{index}",
                each.stream,
                f"{monies[each.asset].write(each.rate_per_second)}/s",
                format_duration(each.seconds),
                monies[each.asset].write(each.paid),
                monies[each.asset].write(each.funds - each.paid),
                moment(each.ticked_at),
            )
            for grant, index, each in found
        ]
        columns = ("Session", "Stream>", "Price>", "Paid time>", "Paid>", "Left>", "Last tick|")
        of_whom = who if who is not None else f"stream {stream}"
        out.show(table(columns, rows, f"No open sessions of {of_whom}."))

    with_ledger(chain, work)


async def _open_sessions(
    ledger: Ledger, who: str | None, stream: int | None
) -> list[tuple[int, int, Session]]:
    """Read a viewer's open sessions, or a stream's, by grant and index."""
    if stream is not None:
        watched = await ledger.sessions_of_stream(stream)
        return [(grant, index, each) for (grant, index), each in watched.items()]
    return [
        (grant, index, each)
        for grant in sorted(await ledger.grants_of(who or ""))
        for index, each in sorted((await ledger.sessions(grant)).items())
    ]


@command(app, "show", "paystream session show 3-0")
def show(out: Output, session: SessionName, chain: options.Chain = options.CHAIN_DEFAULT) -> None:
    """Show an open session as the chain has it. A closed one is in `session list --history`."""
    grant, index = parse_session(session)

    async def work(ledger: Ledger) -> None:
        entry = await ledger.session(grant, index)
        if entry is None:
            raise Failure(
                f"session {session} is not open: it has closed, or never was; see `paystream "
                "session list --history`",
                Exit.REFUSED,
                "session-not-found",
            )
        money, now = await money_of(ledger, entry.asset), await ledger.now_ms()
        if out.json_mode:
            out.json({**_data(grant, index, entry), "now": now})
            return
        left = entry.funds - entry.paid
        lasts = format_duration(left // entry.rate_per_second) if entry.rate_per_second else "-"
        ends = f"{moment(entry.ended_at)}{' (over)' if entry.ended_at <= now else ''}"
        rows: list[Row] = [
            ("Session", session),
            ("Stream", entry.stream),
            ("Viewer", entry.viewer),
            ("Delegate", f"0x{entry.key.public.hex()}"),
            ("Price", f"{money.write(entry.rate_per_second)}/s"),
            ("Paid", f"{money.write(entry.paid)} for {format_duration(entry.seconds)}"),
            ("  to the operator", f"{money.write(entry.fees)} ({_each_tick(money, entry)})"),
            ("Reserved", f"{money.write(entry.funds)}, {money.write(left)} left ({lasts})"),
            ("Started", moment(entry.started_at)),
            ("Last tick", moment(entry.ticked_at)),
            ("Ends at the latest", ends),
        ]
        out.show(facts(rows))

    with_ledger(chain, work)


def _each_tick(money: Money, entry: Session) -> str:
    return f"{money.write(entry.tick_price)} a tick" if entry.tick_price else "ticks are free"


@command(app, "close", "paystream session close 3-0 --key viewer")
def close(
    out: Output,
    wallets: Wallets,
    session: SessionName,
    *,
    key: options.Key = None,
    dry_run: options.DryRun = False,
    wait: Annotated[
        bool, options.option("--wait/--no-wait", "Wait until the closing is in a block.")
    ] = True,
    chain: options.Chain = options.CHAIN_DEFAULT,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Ask the relayer to close a session: what was delivered is paid, the rest returns."""
    grant, index = parse_session(session)
    session = f"{grant}-{index}"
    if dry_run:
        _preview_close(out, chain, session, wallets.address(key))
        return
    with out.working("Waiting for the block with the last total"):
        told = close_by_relayer(
            server, wallets.signer(key), session, within_s=CLOSE_WITHIN_S if wait else 0
        )
    told = _with_integers(told)
    if out.json_mode:
        out.json({**told, "session": session, "dry_run": False})
    else:
        _show_closed(out, server, session, told)
    if wait and told.get("status") != "closed":
        raise Failure(
            f"session {session} is {told.get('status')} and not closed after {CLOSE_WITHIN_S:g} s: "
            "see `paystream status`; after its window anyone may end it by "
            f"`paystream session settle --grant {grant} --index {index}`",
            Exit.FAILED,
            "not-closed",
        )


def close_by_relayer(
    server: str, signer: LocalKey, session: str, *, within_s: float = CLOSE_WITHIN_S
) -> dict[str, Any]:
    """Ask the relayer to close a session of the signer's; give what it says of it then.

    Waits until it is over, at most `within_s`. Raises ClientError and Failure.
    """
    token = obtain_token(server, signer, "watch")
    path = f"{API}/sessions/{session}"
    told: dict[str, Any] = ask(server, "DELETE", path, token=token)
    until = time.monotonic() + within_s
    while told.get("status") not in {"closed", "failed"} and time.monotonic() < until:
        time.sleep(CLOSE_LOOK_S)
        told = ask(server, "GET", path, token=token)
    return told


def _show_closed(out: Output, server: str, session: str, told: dict[str, Any]) -> None:
    rows: list[Row] = [("Session", session), ("Status", told.get("status", "closing"))]
    if told.get("paid") is not None:
        info = ask(server, "GET", f"{API}/info")
        money = Money.from_json(told, info)
        rows += [
            ("Delivered", f"{told.get('delivered_ms', 0) / 1000:.1f} s"),
            ("Paid", f"{money.write(told['paid'])} for {told.get('paid_seconds', 0)} s"),
        ]
    out.show(facts(rows))


def _preview_close(out: Output, chain: str, session: str, account: str) -> None:
    """Show what a close would leave, as far as the chain knows now."""
    grant, index = parse_session(session)

    async def work(ledger: Ledger) -> None:
        entry = await ledger.session(grant, index)
        if entry is None or entry.viewer != account:
            raise Failure(
                f"session {session} is not an open session of {account}: `paystream session list` "
                "shows those",
                Exit.REFUSED,
                "session-not-found",
            )
        money = await money_of(ledger, entry.asset)
        if out.json_mode:
            out.json({**_data(grant, index, entry), "dry_run": True, "fee": 0})
            return
        left = money.write(entry.funds - entry.paid)
        rows: list[Row] = [
            ("Order", f"close session {session} with its last total"),
            ("Fee", f"{Money.of(ledger).write(0)} (orders of the delegate are free)"),
            ("Paid so far", money.write(entry.paid)),
            ("Back to the vault", f"{left}, less what is delivered and not yet paid"),
        ]
        out.show(facts(rows, "Dry run: nothing was signed or sent"))

    with_ledger(chain, work)


def parse_session(text: str) -> tuple[int, int]:
    """Read `GRANT-INDEX`. Raises Failure."""
    found = re.fullmatch(r"([0-9]{1,20})-([0-9]{1,10})", text.strip())
    if found is None:
        raise Failure(
            f"{text!r} names no session: write GRANT-INDEX, such as 3-0", Exit.USAGE, "usage"
        )
    return int(found[1]), int(found[2])


def _list_history(out: Output, wallets: Wallets, key: str | None, server: str) -> None:
    signer = wallets.signer(key)
    token = obtain_token(server, signer, "watch")
    answer = ask(server, "GET", f"{API}/sessions", token=token)
    info = ask(server, "GET", f"{API}/info")
    sessions = [_with_integers(each) for each in answer["sessions"]]
    if out.json_mode:
        out.json({"account": signer.address, "sessions": sessions})
        return
    rows = [
        (
            f"{each['grant']}-{each['index']}",
            each["stream"],
            each["status"],
            f"{each.get('delivered_ms', 0) / 1000:.1f} s",
            f"{each['paid_seconds']} s",
            Money.from_json(each, info).write(each["paid"]),
            each.get("close_reason") or "",
        )
        for each in sessions
    ]
    columns = ("Session", "Stream>", "Status", "Delivered>", "Paid time>", "Paid>", "Closed by")
    out.show(table(columns, rows, f"No sessions of {short(signer.address)} at {server}."))


def _with_integers(session: dict[str, Any]) -> dict[str, Any]:
    """Turn the API's decimal texts into integers, which JSON of the command line has."""
    amounts = {"paid", "funds", "vault", "rate_per_second"}
    return {
        name: int(value) if name in amounts and isinstance(value, str) else value
        for name, value in session.items()
    }


def _data(grant: int, index: int, entry: Session) -> dict[str, Any]:
    return {
        "session": f"{grant}-{index}",
        "viewer": entry.viewer,
        "delegate": "0x" + entry.key.public.hex(),
        "stream": entry.stream,
        "asset": asset_name(entry.asset),
        "rate_per_second": entry.rate_per_second,
        "tick_price": entry.tick_price,
        "gap_ms": entry.gap_ms,
        "funds": entry.funds,
        "seconds": entry.seconds,
        "paid": entry.paid,
        "fees": entry.fees,
        "started_at": entry.started_at,
        "opened_at": entry.opened_at,
        "billed_until": entry.billed_until,
        "ticked_at": entry.ticked_at,
        "ended_at": entry.ended_at,
    }
