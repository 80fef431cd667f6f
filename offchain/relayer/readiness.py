"""Whether a relayer can take money now, and if not, what is in the way.

Alive is who answers. Ready is who could admit a viewer: the chain is there, synced and moving to
finality, the journal can be written, its leases last and it is not drained, its keys can sign, and
a media server is linked.
"""

from __future__ import annotations

from typing import Final

from offchain.relayer.core import Core

BEHIND_MAX_MS: Final = 60_000
"""A best block that is older than this by the machine's clock comes from a node that is syncing."""
UNFINAL_BLOCKS_MAX: Final = 64
"""So far may finality be behind the best block."""
CHECKS: Final = ("chain", "finality", "journal", "keys", "leases", "drain", "link")


def failing(core: Core, *, linked: bool) -> dict[str, str]:
    """Name each check that fails, with what is so and what helps. Empty when it is ready."""
    view = core.view
    found: dict[str, str] = {}
    if not view.usable and view.why is not None:
        found["chain"] = f"no block is followed: {view.why}"
    elif view.best is None:
        found["chain"] = "no block was seen yet: see whether the node of --chain runs"
    elif not view.usable:
        found["chain"] = (
            f"the node has told of no new block for {int(view.silent_s)} s: see whether it runs "
            "and has peers"
        )
    else:
        behind_ms = core.unix_ms() - view.best_time_ms
        if behind_ms > BEHIND_MAX_MS:
            found["chain"] = (
                f"the best block is {behind_ms // 1000} s old: the node is syncing, or this "
                "machine's clock is ahead"
            )
    if view.best is not None and "chain" not in found:
        final = view.finalized.number if view.finalized is not None else 0
        if view.best.number - final > UNFINAL_BLOCKS_MAX:
            found["finality"] = (
                f"{view.best.number - final} blocks are not final: the chain's validators do not "
                "agree, or the node has too few peers"
            )
    if not core.journal.healthy:
        found["journal"] = core.journal.failure or "the journal cannot be written"
    if core.keyring.unavailable is not None:
        found["keys"] = core.keyring.unavailable
    if not core.tenure.lasts:
        found["leases"] = (
            "this relayer has not renewed its leases in time: see whether it reaches the journal's "
            "database"
        )
    if core.tenure.draining:
        # apart from the leases: this one was asked for, and wakes nobody
        found["drain"] = "this relayer is drained, and takes no viewer until it is started anew"
    if not linked:
        found["link"] = "no media server is connected: see whether `paystream serve` runs"
    return found
