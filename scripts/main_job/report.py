"""The result: one JSON object from finalized state, and the table that people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from main_job.chain_facts import ChainFacts
from main_job.options import PathOptions
from offchain.amounts import format_amount
from offchain.cli import audit
from offchain.cli.audit import SessionName
from offchain.ledger.client import Ledger
from offchain.ledger.types import Stream
from offchain.reconcile import judge


@dataclass(frozen=True, kw_only=True)
class ViewerAccount:
    """One viewer and what its own process saw."""

    account: str
    watched_ms: int
    freezes_ms: int
    """For how long the picture stood still."""
    frames_decoded: int


class ReportFailed(Exception):
    """The chain lacks something without which there is nothing to report. Says what."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that the report rests on, read at the last finalized block."""

    facts: ChainFacts
    stream: Stream
    delivered_ms: Mapping[SessionName, int]
    """By session, as the relayer's journal has it."""


async def build(
    ledger: Ledger,
    facts: ChainFacts,
    viewers: Sequence[ViewerAccount],
    *,
    delivered_ms: Mapping[SessionName, int],
    payees_before: Mapping[str, int],
    relayer_restarts: int,
    path: PathOptions | None = None,
) -> tuple[dict[str, Any], Findings]:
    """Give the report in its documented shape, and what it rests on.

    `payees_before` are the payees' free balances of the stream's asset before the first session.
    Raises ReportFailed.
    """
    at = facts.finalized_hash
    number = facts.history.stream
    stream = await ledger.stream(number, at=at)
    if stream is None:
        raise ReportFailed(f"stream {number} is not in finalized block {facts.finalized}")
    findings = Findings(facts=facts, stream=stream, delivered_ms=delivered_ms)
    rows = [await _viewer(ledger, findings, viewer) for viewer in viewers]
    payees = [
        {
            "account": account,
            "received": await ledger.balance(account, asset=stream.asset, at=at) - before,
        }
        for account, before in payees_before.items()
    ]
    report = {
        "genesis_hash": ledger.genesis_hash,
        "stream": {
            "id": number,
            "rate_per_second": stream.rate_per_second,
            "earned": stream.earned_total,
            "claimed": facts.history.claimed_total,
            "treasury": facts.history.treasury,
            "unclaimed": stream.earned,
        },
        "viewers": rows,
        "payees": payees,
        "claim_block": facts.claim_block,
        "finalized_block": facts.finalized,
        "relayer_restarts": relayer_restarts,
        "path": None if path is None else asdict(path),
    }
    return report, findings


async def _viewer(ledger: Ledger, findings: Findings, viewer: ViewerAccount) -> dict[str, Any]:
    facts = findings.facts
    sessions = {
        name: session
        for name, session in facts.sessions.items()
        if session.viewer == viewer.account
    }
    if not sessions:
        raise ReportFailed(f"no session of {viewer.account} is in a finalized block")
    each = list(sessions.values())
    opening = facts.openings[next(iter(sessions))]
    asset = findings.stream.asset
    vault_before = await ledger.vault(viewer.account, asset=asset, at=opening.before_hash)
    vault_after = await ledger.vault(viewer.account, asset=asset, at=facts.finalized_hash)
    return {
        "account": viewer.account,
        "delegate": opening.delegate,
        "session": "+".join(f"{grant}-{index}" for grant, index in sessions),
        "watched_ms": viewer.watched_ms,
        "freezes_ms": viewer.freezes_ms,
        "frames_decoded": viewer.frames_decoded,
        "delivered_ms": sum(findings.delivered_ms.get(name, 0) for name in sessions),
        "ticks": sum(session.ticks for session in each),
        "paid_seconds": sum(session.charged_seconds for session in each),
        "rate_per_second": each[0].rate_per_second,
        "paid": sum(session.charged for session in each),
        "fees": sum(session.fees for session in each),
        "vault_before": vault_before,
        "vault_after": vault_after,
        "close_reason": each[-1].close_reason,
        "blocks": {
            "opened": each[0].opened_block,
            "last_tick": each[-1].last_tick_block,
            "closed": each[-1].closed_block,
        },
    }


def disagreements(
    report: Mapping[str, Any], findings: Findings, killed_at_block: int | None
) -> list[str]:
    """Give everything that does not fit, in words; empty where all agrees.

    `killed_at_block` is the chain's height when the relayer was killed, if it was.
    """
    facts = findings.facts
    found = judge(report, killed=killed_at_block is not None)
    found += audit.disagreements(facts.history, None, findings.stream, {}, findings.delivered_ms)
    if killed_at_block is None:
        return found
    for name, session in facts.sessions.items():
        first, last = facts.first_tick_blocks.get(name), session.last_tick_block
        if first is None or first > killed_at_block:
            found.append(f"session {name[0]}-{name[1]}: no tick before the relayer was killed")
        if last is None or last <= killed_at_block:
            found.append(f"session {name[0]}-{name[1]}: no tick after the relayer was killed")
    return found


def table(report: Mapping[str, Any], problems: Sequence[str], unit: str, digits: int) -> Group:
    """Draw the reconciliation for people; fits 80 columns. `unit` and `digits` are the asset's."""

    def money(value: int) -> str:
        return format_amount(value, unit, digits).removesuffix(f" {unit}")

    parts: list[RenderableType] = [
        Text(f"Reconciliation at finalized block {report['finalized_block']}", style="bold"),
        _viewer_table(report, money),
        _picture_lines(report),
        _money_table(report, money, unit),
    ]
    if problems:
        parts.append(Text("NOT RECONCILED", style="bold red"))
        parts += [Text(f"  - {problem}", style="red") for problem in problems]
    else:
        parts.append(Text(_agreement(report, money, unit), style="bold green"))
    return Group(*parts)


def _agreement(report: Mapping[str, Any], money: Any, unit: str) -> str:
    viewers, treasury = report["viewers"], report["stream"]["treasury"]
    seconds = sum(viewer["paid_seconds"] for viewer in viewers)
    left_vaults = sum(viewer["paid"] + viewer["fees"] for viewer in viewers)
    whom = "payees and the operator" if treasury else "payees"
    return (
        f"Reconciled: {seconds} s watched and paid, {money(left_vaults)} {unit} "
        f"from vaults to {whom}, to the smallest unit."
    )


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


def _picture_lines(report: Mapping[str, Any]) -> Text:
    """For how long pictures stood still, and the path that they came over, if one was made."""
    freezes_ms = [viewer["freezes_ms"] for viewer in report["viewers"]]
    still = Text(f"pictures stood still for {sum(freezes_ms) / 1000:.2f} s", style="dim")
    if len(freezes_ms) > 1:
        still.append(f" in all, at most {max(freezes_ms) / 1000:.2f} s for one viewer")
    path = report["path"]
    if path is None:
        return still
    does = [f"{path['loss']:g} % lost", f"{path['delay_ms']:g} ms"]
    if path["jitter_ms"]:
        does.append(f"jitter {path['jitter_ms']:g} ms")
    if path["rate_kbps"] is not None:
        does.append(f"{path['rate_kbps']:g} kbit/s")
    if path["loss_in"]:
        does.append(f"{path['loss_in']:g} % lost on the way in")
    return still.append(f"\npath, each way: {', '.join(does)} (seed {path['seed']})")


def _money_table(report: Mapping[str, Any], money: Any, unit: str) -> Table:
    stream, viewers = report["stream"], report["viewers"]
    fees = sum(viewer["fees"] for viewer in viewers)
    flow = Table.grid(padding=(0, 2))
    flow.add_column(style="dim")
    flow.add_column(justify="right")
    flow.add_row(f"paid by viewers ({unit})", money(sum(viewer["paid"] for viewer in viewers)))
    if fees:
        flow.add_row("and the operator's tick prices", money(fees))
    flow.add_row("earned by the stream", money(stream["earned"]))
    flow.add_row("claimed", money(stream["claimed"]))
    for payee in report["payees"]:
        flow.add_row(f"received by {payee['account'][:8]}…", money(payee["received"]))
    if stream["treasury"]:
        flow.add_row("received by the operator", money(stream["treasury"]))
    if stream["unclaimed"]:
        flow.add_row("left in the stream", money(stream["unclaimed"]))
    return flow
