"""How the relayer does, for people and metrics."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from offchain.journal.records import Phase
from offchain.relayer.core import Core

PHASES: Final[tuple[Phase, ...]] = ("opening", "open", "closing")
"""Of sessions that have not ended for good."""


def health(core: Core) -> dict[str, Any]:
    """Give the relayer's figures by name, as JSON takes them."""
    census = core.book.census
    view = core.view
    return {
        "journal": "ok" if core.journal.healthy else core.journal.failure,
        "journal_commits": core.journal.commits,
        "chain_reachable": view.usable,
        "chain_silent_ms": int(view.silent_s * 1000) if view.best else None,
        "chain_why": view.why,
        "chain_nodes": [msgspec.to_builtins(node) for node in core.chain.endpoints],
        "best_block": view.best.number if view.best else None,
        "finalized_block": view.finalized.number if view.finalized else None,
        "sessions": {phase: census.phases[phase] for phase in PHASES},
        "connections": census.connections,
        "unpaid_seconds_max": census.unpaid_seconds_max,
        "server_boot_id": core.book.boot_id,
        "counters": dict(sorted(core.counters.items())),
    }
