"""Bans of addresses, beside those of accounts: whoever makes another account is still at one.

No address is kept. What is, is a keyed digest, and the keys are in the same database: whoever has
that could try all addresses of IPv4 against it. So a key makes digests for a week and is deleted,
with everything under it, when the longest ban under it has ended; nobody can tell anything of the
digests after that, not even from an old copy of the other tables.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

from streaming.community.database.migrations import Execute
from streaming.community.ledger import StreamKey
from streaming.community.refusal import Refused

DAY_MS: Final = 24 * 3_600_000
KEY_FOR_MS: Final = 7 * DAY_MS
"""A key makes digests for so long."""
BAN_MAX_MS: Final = 30 * DAY_MS
SEEN_MAX: Final = 5
"""Of one account the latest so many addresses are known, by their digests."""
BANS_MAX: Final = 10_000
"""Of one stream."""


def saw(execute: Execute, public: bytes, address: str, at_ms: int) -> None:
    """Remember from where an account has spoken."""
    key, digest = _digest_now(execute, address, at_ms)
    execute(
        "INSERT INTO addresses_seen (public, key, address, seen_at_ms) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (public, key, address) DO UPDATE SET seen_at_ms = excluded.seen_at_ms",
        (public, key, digest, at_ms),
    )
    execute(
        "DELETE FROM addresses_seen WHERE public = ? AND seen_at_ms < (SELECT MIN(seen_at_ms) "
        "FROM (SELECT seen_at_ms FROM addresses_seen WHERE public = ? "
        "ORDER BY seen_at_ms DESC LIMIT ?) AS latest)",
        (public, public, SEEN_MAX),
    )


def ban(
    execute: Execute, key: StreamKey, public: bytes, *, until_ms: int | None, at_ms: int
) -> int:
    """Ban the addresses that an account has spoken from, for 30 days at most; tells how many.

    Raises `Refused` (409).
    """
    _forget_old(execute, at_ms)
    count = execute("SELECT COUNT(*) FROM address_bans WHERE chain = ? AND stream = ?", key)
    if count[0][0] >= BANS_MAX:
        raise Refused(409, "bans-too-many", f"{BANS_MAX} addresses are banned here: wait for some")
    longest_ms = at_ms + BAN_MAX_MS
    ends_ms = longest_ms if until_ms is None else min(until_ms, longest_ms)
    found = execute(
        "SELECT key, address FROM addresses_seen WHERE public = ? ORDER BY seen_at_ms DESC LIMIT ?",
        (public, SEEN_MAX),
    )
    for number, address in found:
        execute(
            "INSERT INTO address_bans (chain, stream, key, address, until_ms) "
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT (chain, stream, key, address) DO UPDATE SET "
            "until_ms = excluded.until_ms",
            (*key, number, bytes(address), ends_ms),
        )
    return len(found)


def lift(execute: Execute, key: StreamKey, public: bytes) -> None:
    """End the bans of the addresses that an account is known to have spoken from."""
    for number, address in execute(
        "SELECT key, address FROM addresses_seen WHERE public = ?", (public,)
    ):
        execute(
            "DELETE FROM address_bans WHERE chain = ? AND stream = ? AND key = ? AND address = ?",
            (*key, number, bytes(address)),
        )


def refuse_banned(execute: Execute, key: StreamKey, address: str, at_ms: int) -> None:
    """Raise `Refused` (403) where nobody may speak from an address."""
    keys = execute(
        "SELECT number, secret FROM address_keys WHERE number IN "
        "(SELECT key FROM address_bans WHERE chain = ? AND stream = ?)",
        key,
    )
    for number, secret in keys:
        banned = execute(
            "SELECT until_ms FROM address_bans WHERE chain = ? AND stream = ? AND key = ? "
            "AND address = ? AND until_ms > ?",
            (*key, number, _digest(bytes(secret), address), at_ms),
        )
        if banned:
            raise Refused(
                403,
                "address-banned",
                "nobody speaks in this chat from your address for a while: it was banned with an "
                "account",
                wait_s=(banned[0][0] - at_ms) / 1000,
            )


# --- keys ----------------------------------------------------------------------------------


def _digest_now(execute: Execute, address: str, at_ms: int) -> tuple[int, bytes]:
    """Give an address's digest under the key of these days, and that key's number."""
    rows = execute(
        "SELECT number, secret FROM address_keys WHERE made_at_ms > ? ORDER BY made_at_ms DESC "
        "LIMIT 1",
        (at_ms - KEY_FOR_MS,),
    )
    if not rows:
        _forget_old(execute, at_ms)
        rows = execute(
            "INSERT INTO address_keys (number, secret, made_at_ms) "
            "SELECT COALESCE(MAX(number), 0) + 1, ?, ? FROM address_keys RETURNING number, secret",
            (secrets.token_bytes(32), at_ms),
        )
    return int(rows[0][0]), _digest(bytes(rows[0][1]), address)


def _digest(secret: bytes, address: str) -> bytes:
    return hmac.digest(secret, address.encode(), hashlib.sha256)


def _forget_old(execute: Execute, at_ms: int) -> None:
    """End bans that are over, and keys under which none can be any more, with what is theirs."""
    execute("DELETE FROM address_bans WHERE until_ms <= ?", (at_ms,))
    execute("DELETE FROM address_keys WHERE made_at_ms <= ?", (at_ms - KEY_FOR_MS - BAN_MAX_MS,))
