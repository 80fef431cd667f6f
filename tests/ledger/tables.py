"""Entries that are read together, for chains in memory that read them one by one."""

from __future__ import annotations

from typing import Any

from offchain.ledger.tables import Names, Tables


async def read_tables(chain: Any, names: Names, at: str | None) -> Tables:
    """Read as `Ledger.tables` does. Raises what the chain's reads raise."""
    found = Tables()
    entries = await chain.sessions_of(sorted(names.sessions), at=at)
    found.sessions = {name: entries.get(name) for name in sorted(names.sessions)}
    for grant in sorted(names.grants):
        found.grants[grant] = await chain.grant(grant, at=at)
    for stream in sorted(names.streams):
        found.streams[stream] = await chain.stream(stream, at=at)
    for who, asset in sorted(names.vaults, key=str):
        found.vaults[who, asset] = await chain.vault(who, asset=asset, at=at)
    for stream, viewer in sorted(names.subscriptions):
        found.subscriptions[stream, viewer] = await chain.subscription(stream, viewer, at=at)
    return found
