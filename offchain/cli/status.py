"""`paystream status`: chain, server and relayer at a glance."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import typer

from offchain.cli import options
from offchain.cli.chain import with_ledger
from offchain.cli.command import command
from offchain.cli.exits import Exit
from offchain.cli.failure import failure_of
from offchain.cli.output import Output, Row, facts, short
from offchain.cli.rest import API, ask

if TYPE_CHECKING:
    from offchain.ledger.client import Ledger

TIMEOUT_S = 4.0


def add_to(app: typer.Typer, panel: str) -> None:
    """Register the command."""
    command(app, "status", "paystream status", "paystream status --json", panel=panel)(status)


def status(
    out: Output,
    chain: options.Chain = options.CHAIN_DEFAULT,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Show the chain's height, the media server and the relayer; fails if one is missing."""
    data = {"chain": _chain(chain), **_server_and_relayer(server)}
    if out.json_mode:
        out.json(data)
    else:
        _show(out, chain, server, data)
    if not data["chain"]["ok"]:
        raise typer.Exit(Exit.CHAIN)
    if not (data["server"]["ok"] and data["relayer"]["ok"]):
        raise typer.Exit(Exit.SERVER)


def _chain(url: str) -> dict[str, Any]:
    async def work(ledger: Ledger) -> dict[str, Any]:
        best, final = await ledger.best_head(), await ledger.finalized_head()
        return {
            "ok": True,
            "chain": ledger.chain,
            "genesis_hash": ledger.genesis_hash,
            "spec_name": ledger.spec_name,
            "spec_version": ledger.spec_version,
            "best_block": best.number,
            "finalized_block": final.number,
            "behind_ms": int(time.time() * 1000) - await ledger.now_ms(at=best.hash),
        }

    try:
        return with_ledger(url, work, timeout_s=TIMEOUT_S)
    except Exception as error:
        return _missing(error)


def _server_and_relayer(server: str) -> dict[str, Any]:
    """Ask the server about itself, and through it about its relayer."""
    unasked = {"ok": False, "code": "server-unreachable", "error": "not asked: no server"}
    try:
        answer = ask(server, "GET", f"{API}/status")
        about = {"ok": True, **answer["server"]}
    except (KeyError, TypeError):
        strange = {
            "ok": False,
            "code": "not-paystream",
            "error": f"{server} is no `paystream serve`",
        }
        return {"server": strange, "relayer": unasked}
    except Exception as error:
        return {"server": _missing(error), "relayer": unasked}
    if answer.get("relayer") is None:
        problem = (
            answer.get("relayer_problem") or "the server has no relayer: start `paystream relay`"
        )
        return {
            "server": about,
            "relayer": {"ok": False, "code": "relayer-unreachable", "error": problem},
        }
    return {"server": about, "relayer": {"ok": True, **answer["relayer"]}}


def _missing(error: Exception) -> dict[str, Any]:
    """Tell an expected error as data; let a defect through."""
    known = failure_of(error)
    if known is None:
        raise error
    return {"ok": False, "code": known.code, "error": known.message}


def _show(out: Output, chain: str, server: str, data: dict[str, Any]) -> None:
    from rich.text import Text

    def state(ok: bool) -> Text:
        return Text("ok", style="bold green") if ok else Text("missing", style="bold red")

    here, there, relayer = data["chain"], data["server"], data["relayer"]
    rows: list[Row] = [("Chain", Text.assemble(state(here["ok"]), f"  {chain}"))]
    if here["ok"]:
        rows += [
            ("  runtime", f"{here['spec_name']} {here['spec_version']} ({here['chain']})"),
            ("  genesis", short(here["genesis_hash"], 10)),
            ("  height", f"{here['best_block']}, final {here['finalized_block']}"),
            ("  last block", f"{max(0, here['behind_ms']) / 1000:.1f} s ago"),
        ]
    rows.append(("Server", Text.assemble(state(there["ok"]), f"  {server}")))
    if there["ok"]:
        rows += [
            ("  connections", there.get("connections", "-")),
            ("  publishers", there.get("publishers", "-")),
        ]
    rows.append(("Relayer", state(relayer["ok"])))
    if relayer["ok"]:
        phases = relayer.get("sessions") or {}
        sessions = ", ".join(f"{count} {phase}" for phase, count in phases.items())
        rows += [
            ("  chain", "reached" if relayer.get("chain_reachable") else "not reached"),
            ("  journal", relayer.get("journal", "-")),
            ("  sessions", sessions or "none"),
            ("  unpaid at most", f"{relayer.get('unpaid_seconds_max', 0)} s"),
        ]
    out.show(facts(rows))
    for part in (here, there) if not there["ok"] else (here, there, relayer):
        if not part["ok"]:
            out.warn(str(part["error"]))
