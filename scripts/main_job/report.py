"""The result: one JSON object from finalized state, and the table that people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from main_job.chain_facts import ChainFacts, SessionFacts
from offchain.amounts import format_amount
from offchain.ledger.client import Ledger
from offchain.ledger.types import NATIVE
from offchain.reconcile import judge


@dataclass(frozen=True, kw_only=True)
class ViewerAccount:
    """One viewer and what its own process saw."""

    account: str
    watched_ms: int
    frames_decoded: int


class ReportFailed(Exception):
    """The chain lacks something without which there is nothing to report. Says what."""


async def build(
    ledger: Ledger,
    facts: ChainFacts,
    viewers: Sequence[ViewerAccount],
    *,
    delivered_ms: Mapping[str, int],
    payees_before: Mapping[str, int],
    relayer_restarts: int,
) -> dict[str, Any]:
    """Give the report in its documented shape, read at the last finalized block.

    `delivered_ms` is by session (`grant-index`), as the relayer's journal has it;
    `payees_before` the payees' free balances before the first session. Raises ReportFailed.
    """
    at = facts.finalized_hash
    stream = await ledger.stream(facts.stream, at=at)
    if stream is None:
        raise ReportFailed(f"stream {facts.stream} is not in finalized block {facts.finalized}")
    rows = [await _viewer(ledger, facts, viewer, delivered_ms, at) for viewer in viewers]
    payees = [
        {"account": account, "received": await ledger.free_balance(account, at=at) - before}
        for account, before in payees_before.items()
    ]
    return {
        "genesis_hash": ledger.genesis_hash,
        "stream": {
            "id": facts.stream,
            "rate_per_second": stream.rate_per_second,
            "earned": stream.earned_total,
            "claimed": facts.claimed,
        },
        "viewers": rows,
        "payees": payees,
        "claim_block": facts.claim_block,
        "finalized_block": facts.finalized,
        "relayer_restarts": relayer_restarts,
    }


async def _viewer(
    ledger: Ledger,
    facts: ChainFacts,
    viewer: ViewerAccount,
    delivered_ms: Mapping[str, int],
    at: str,
) -> dict[str, Any]:
    sessions = [each for each in facts.sessions.values() if each.viewer == viewer.account]
    if not sessions:
        raise ReportFailed(f"no session of {viewer.account} is in a finalized block")
    first, last = sessions[0], sessions[-1]
    return {
        "account": viewer.account,
        "delegate": first.delegate,
        "session": "+".join(str(each.ref) for each in sessions),
        "watched_ms": viewer.watched_ms,
        "frames_decoded": viewer.frames_decoded,
        "delivered_ms": sum(delivered_ms.get(str(each.ref), 0) for each in sessions),
        "ticks": sum(len(each.ticks) for each in sessions),
        "paid_seconds": sum(each.paid_seconds for each in sessions),
        "rate_per_second": first.rate_per_second,
        "paid": sum(each.paid for each in sessions),
        "vault_before": await ledger.vault(viewer.account, asset=NATIVE, at=first.before_hash),
        "vault_after": await ledger.vault(viewer.account, asset=NATIVE, at=at),
        "close_reason": last.close_reason,
        "blocks": {
            "opened": first.opened_block,
            "last_tick": last.last_tick_block,
            "closed": last.closed_block,
        },
    }


def disagreements(
    report: Mapping[str, Any], facts: ChainFacts, killed_at_block: int | None
) -> list[str]:
    """Give everything that does not fit, in words; empty where all agrees.

    `killed_at_block` is the chain's height when the relayer was killed, if it was.
    """
    found = list(judge(report, killed=killed_at_block is not None))
    for session in facts.sessions.values():
        found += _close_disagreements(session)
        if killed_at_block is None:
            continue
        blocks = [block for block, _, _ in session.ticks]
        if not any(block <= killed_at_block for block in blocks):
            found.append(f"session {session.ref}: no tick before the relayer was killed")
        if not any(block > killed_at_block for block in blocks):
            found.append(f"session {session.ref}: no tick after the relayer was killed")
    return found


def _close_disagreements(session: SessionFacts) -> list[str]:
    if session.closed_block is None:
        return [f"session {session.ref} is not closed in finalized state"]
    if (session.closed_seconds, session.closed_paid) != (session.paid_seconds, session.paid):
        ticks = f"its ticks charged {session.paid_seconds} s and {session.paid}"
        close = f"its close says {session.closed_seconds} s and {session.closed_paid}"
        return [f"session {session.ref}: {ticks}, {close}"]
    return []


def table(report: Mapping[str, Any], problems: Sequence[str], unit: str, digits: int) -> Group:
    """Draw the reconciliation for people; fits 80 columns. `unit` and `digits` are the asset's."""

    def money(value: int) -> str:
        return format_amount(value, unit, digits).removesuffix(f" {unit}")

    stream = report["stream"]
    parts: list[RenderableType] = [
        Text(f"Reconciliation at finalized block {report['finalized_block']}", style="bold"),
        _viewer_table(report, money),
        _money_table(report, money, unit),
    ]
    if problems:
        parts.append(Text("NOT RECONCILED", style="bold red"))
        parts += [Text(f"  - {problem}", style="red") for problem in problems]
    else:
        seconds = sum(viewer["paid_seconds"] for viewer in report["viewers"])
        parts.append(
            Text(
                f"Reconciled: {seconds} s watched and paid, {money(stream['earned'])} {unit} "
                "from vaults to payees, to the smallest unit.",
                style="bold green",
            )
        )
    return Group(*parts)


def _viewer_table(report: Mapping[str, Any], money: Any) -> Table:
    seen = Table(box=None, pad_edge=False, header_style="dim")
    seen.add_column("session", no_wrap=True)
    for column in ("watched", "delivered", "paid", "ticks", "paid", "vault before", "after"):
        seen.add_column(column, justify="right", no_wrap=True)
    for viewer in report["viewers"]:
        seen.add_row(
            viewer["session"],
            f"{viewer['watched_ms'] / 1000:.2f} s",
            f"{viewer['delivered_ms'] / 1000:.2f} s",
            f"{viewer['paid_seconds']} s",
            str(viewer["ticks"]),
            money(viewer["paid"]),
            money(viewer["vault_before"]),
            money(viewer["vault_after"]),
        )
    return seen


def _money_table(report: Mapping[str, Any], money: Any, unit: str) -> Table:
    stream, payees = report["stream"], report["payees"]
    flow = Table.grid(padding=(0, 2))
    flow.add_column(style="dim")
    flow.add_column(justify="right")
    flow.add_row(f"paid by viewers ({unit})", money(sum(v["paid"] for v in report["viewers"])))
    flow.add_row("earned by the stream", money(stream["earned"]))
    flow.add_row("claimed", money(stream["claimed"]))
    for payee in payees:
        flow.add_row(f"received by {payee['account'][:8]}…", money(payee["received"]))
    return flow
