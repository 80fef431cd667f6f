"""What vaults and caps have for sessions, beside what the relayer has reserved of them.

All amounts are the asset's smallest units, as the best block has them.
"""

from __future__ import annotations

from offchain.ledger.types import Asset
from offchain.relayer import cadence
from offchain.relayer.core import Core
from offchain.relayer.live_session import LiveSession
from offchain.relayer.places import Place


def waiting(
    core: Core, viewer: str, asset: Asset, grant: int | None = None, *, but: Place | None = None
) -> int:
    """Sum what a viewer's sessions that no block has yet will take of the asset's vault.

    Admissions that wait are among them, `but` excepted. With `grant`, only that grant's: what
    they will take of its cap.
    """
    kept = core.waiting.funds(viewer, asset, grant, but)
    if not core.book.census.opening:
        return kept
    return kept + sum(
        session.record.funds
        for session in core.book.of_viewer(viewer)
        if session.record.phase == "opening"
        and session.record.asset == asset
        and not core.on_chain(session)
        and (grant is None or session.record.grant == grant)
    )


def returning(core: Core, viewer: str, asset: Asset) -> dict[int, int]:
    """Sum by grant what a viewer's sessions that are being closed will give back of an asset.

    That is what the best block still holds for them, less what was delivered and is to be
    charged: it is in vault and cap when their closes are in a block.
    """
    found: dict[int, int] = {}
    for session in core.book.of_viewer(viewer):
        entry = core.view.sessions.get(session.ref)
        if entry is None or not session.ending or session.record.asset != asset:
            continue
        owed_seconds = max(0, session.total_seconds - entry.seconds)
        owed = owed_seconds * entry.rate_per_second + entry.tick_price
        back = max(0, entry.funds - entry.paid - owed)
        grant = session.record.grant
        found[grant] = found.get(grant, 0) + back
    return found


def free(core: Core, session: LiveSession) -> tuple[int, int]:
    """Give what vault and cap still have for a session, beside others' reservations."""
    record = session.record
    vault = core.view.vaults.get((record.viewer, record.asset), 0)
    grant = core.view.grants.get(record.grant)
    cap_left = grant.cap_left if grant is not None else 0
    own = 0
    if record.phase == "opening" and not core.on_chain(session):
        own = record.funds
    return (
        max(0, vault - waiting(core, record.viewer, record.asset) + own),
        max(0, cap_left - waiting(core, record.viewer, record.asset, record.grant) + own),
    )


def runway_seconds(core: Core, session: LiveSession) -> int:
    """Tell how long funds, vault and cap last from the last delivered second."""
    record = session.record
    entry = core.view.sessions.get(session.ref)
    vault, cap_left = free(core, session)
    money, paid_seconds = min(vault, cap_left), 0
    rate, tick_price = record.rate_per_second, record.tick_price
    if entry is not None:
        money += entry.funds - entry.paid
        rate, tick_price, paid_seconds = entry.rate_per_second, entry.tick_price, entry.seconds
    lasts = cadence.lasts_seconds(money, rate, tick_price, core.cadence_ms)
    return max(0, lasts - max(0, session.total_seconds - paid_seconds))
