"""How a stream's chat is set by who moderates it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from streaming.community.database.migrations import Execute
from streaming.community.ledger import StreamKey
from streaming.community.refusal import Refused
from streaming.community.texts import only, whole

SLOW_MODE_MAX_S: Final = 3_600
LINKS_DAYS_MAX: Final = 365
EVERYBODY: Final = "everybody"
FOLLOWERS: Final = "followers"
SPEAKERS: Final = (EVERYBODY, FOLLOWERS)
DEFAULTS: Final[Mapping[str, Any]] = {
    "slow_mode_s": 0,
    "speakers": EVERYBODY,
    "links_held": False,
    "links_days": 0,
}
"""Seconds between two messages of an account; who may speak; whether links wait for a moderator,
and after how many days since it first signed in an account's do not (0: they do for good)."""
_COLUMNS: Final = ", ".join(DEFAULTS)


def read_settings(body: Mapping[str, Any]) -> dict[str, Any]:
    """Check settings as they were sent; what is left out stays as it is. Raises `Refused`."""
    only(body, (), tuple(DEFAULTS))
    if not body:
        raise Refused(400, "field-missing", f"give one of {_COLUMNS}")
    given = dict(body)
    if "slow_mode_s" in given:
        whole(given["slow_mode_s"], "slow_mode_s", least=0, most=SLOW_MODE_MAX_S)
    if "links_days" in given:
        whole(given["links_days"], "links_days", least=0, most=LINKS_DAYS_MAX)
    if not isinstance(given.get("links_held", False), bool):
        raise Refused(400, "field-invalid", "links_held is true or false", field="links_held")
    if given.get("speakers", EVERYBODY) not in SPEAKERS:
        known = " or ".join(SPEAKERS)
        raise Refused(400, "field-invalid", f"speakers is {known}", field="speakers")
    return given


def settings(execute: Execute, key: StreamKey) -> dict[str, Any]:
    """Give how a stream's chat is set."""
    rows = execute(
        f"SELECT {_COLUMNS} FROM rooms WHERE chain = ? AND stream = ?",  # noqa: S608
        key,
    )
    if not rows:
        return dict(DEFAULTS)
    found = dict(zip(DEFAULTS, rows[0], strict=True))
    return {**found, "links_held": bool(found["links_held"])}


def set_settings(execute: Execute, key: StreamKey, given: Mapping[str, Any]) -> dict[str, Any]:
    """Change settings, and give them all."""
    kept = {**settings(execute, key), **given}
    values = [int(value) if isinstance(value, bool) else value for value in kept.values()]
    changed = ", ".join(f"{name} = excluded.{name}" for name in kept)
    execute(
        f"INSERT INTO rooms (chain, stream, last_number, {_COLUMNS}) "  # noqa: S608
        f"VALUES (?, ?, 0, {', '.join('?' * len(kept))}) "
        f"ON CONFLICT (chain, stream) DO UPDATE SET {changed}",
        (*key, *values),
    )
    return kept
