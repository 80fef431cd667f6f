"""The community's tables, in numbered steps, the same for SQLite and PostgreSQL.

A new database takes every step as an old one does, so both end the same. A step is one transaction:
a crash in its middle leaves the version before, whole. Steps that were released never change.

Everything that is about an account names it in a column that refers to `accounts`, so that deleting
the account deletes it, too; `tests/community/test_deletion.py` looks into every table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

from streaming.community.database.errors import DatabaseUnreadable

Rows: TypeAlias = list[tuple[Any, ...]]
VERSION_KEY: Final = "schema_version"


class Execute(Protocol):
    """Runs one statement inside of a transaction and gives its rows."""

    def __call__(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        """Run it; `?` stands for each of the values, and no value stands in the text."""


_ACCOUNTS: Final = """
CREATE TABLE accounts (public {bytes} PRIMARY KEY, created_at_ms {integer} NOT NULL) {table};
CREATE TABLE sessions (
    digest {bytes} PRIMARY KEY, id TEXT NOT NULL UNIQUE,
    public {bytes} NOT NULL REFERENCES accounts ON DELETE CASCADE, device TEXT NOT NULL,
    created_at_ms {integer} NOT NULL, seen_at_ms {integer} NOT NULL,
    expires_at_ms {integer} NOT NULL
) {table};
CREATE INDEX sessions_by_account ON sessions (public);
CREATE INDEX sessions_by_expiry ON sessions (expires_at_ms);
CREATE TABLE used_challenges (nonce TEXT PRIMARY KEY, expires_at_ms {integer} NOT NULL) {table}
"""

_PROFILES: Final = """
CREATE TABLE profiles (
    public {bytes} PRIMARY KEY REFERENCES accounts ON DELETE CASCADE, name TEXT NOT NULL,
    handle TEXT UNIQUE, skeleton TEXT UNIQUE, about TEXT NOT NULL, links TEXT NOT NULL,
    languages TEXT NOT NULL, updated_at_ms {integer} NOT NULL
) {table};
CREATE TABLE follows (
    follower {bytes} NOT NULL REFERENCES accounts ON DELETE CASCADE,
    followed {bytes} NOT NULL REFERENCES accounts ON DELETE CASCADE,
    since_ms {integer} NOT NULL,
    PRIMARY KEY (follower, followed)
) {table};
CREATE INDEX follows_by_followed ON follows (followed)
"""

_CARDS: Final = """
CREATE TABLE cards (
    chain TEXT NOT NULL, stream {integer} NOT NULL,
    public {bytes} NOT NULL REFERENCES accounts ON DELETE CASCADE, content TEXT NOT NULL,
    version {integer} NOT NULL, signature {bytes} NOT NULL,
    PRIMARY KEY (chain, stream)
) {table};
CREATE INDEX cards_by_account ON cards (public)
"""

_CHAT: Final = """
CREATE TABLE rooms (
    chain TEXT NOT NULL, stream {integer} NOT NULL, last_number {integer} NOT NULL,
    slow_mode_s {integer} NOT NULL,
    PRIMARY KEY (chain, stream)
) {table};
CREATE TABLE messages (
    chain TEXT NOT NULL, stream {integer} NOT NULL, number {integer} NOT NULL,
    public {bytes} NOT NULL REFERENCES accounts ON DELETE CASCADE, client_id TEXT NOT NULL,
    role TEXT NOT NULL, sent_at_ms {integer} NOT NULL, text TEXT NOT NULL,
    deleted {integer} NOT NULL,
    PRIMARY KEY (chain, stream, number), UNIQUE (public, chain, stream, client_id)
) {table};
CREATE INDEX messages_by_account ON messages (public, chain, stream, sent_at_ms);
CREATE TABLE moderators (
    chain TEXT NOT NULL, stream {integer} NOT NULL,
    public {bytes} NOT NULL REFERENCES accounts ON DELETE CASCADE,
    owner {bytes} NOT NULL REFERENCES accounts ON DELETE CASCADE, since_ms {integer} NOT NULL,
    PRIMARY KEY (chain, stream, public)
) {table};
CREATE INDEX moderators_by_account ON moderators (public);
CREATE INDEX moderators_by_owner ON moderators (owner);
CREATE TABLE mutes (
    chain TEXT NOT NULL, stream {integer} NOT NULL, subject {bytes} NOT NULL,
    public {bytes} REFERENCES accounts ON DELETE SET NULL, until_ms {integer},
    made_at_ms {integer} NOT NULL,
    PRIMARY KEY (chain, stream, subject)
) {table};
CREATE INDEX mutes_by_account ON mutes (public)
"""

_AUDIT: Final = """
CREATE TABLE audit (
    number {integer} PRIMARY KEY, at_ms {integer} NOT NULL, chain TEXT NOT NULL,
    stream {integer} NOT NULL, actor TEXT NOT NULL, act TEXT NOT NULL, subject TEXT NOT NULL,
    detail TEXT NOT NULL, reason {bytes} NOT NULL, previous {bytes} NOT NULL,
    digest {bytes} NOT NULL
) {table};
CREATE INDEX audit_by_stream ON audit (chain, stream, number);
CREATE INDEX audit_by_actor ON audit (actor, number);
CREATE INDEX audit_by_subject ON audit (subject, number);
CREATE TABLE pseudonyms (
    pseudonym TEXT PRIMARY KEY, public {bytes} NOT NULL UNIQUE REFERENCES accounts ON DELETE CASCADE
) {table};
CREATE TABLE audit_reasons (
    number {integer} PRIMARY KEY, actor {bytes} NOT NULL REFERENCES accounts ON DELETE CASCADE,
    subject {bytes} REFERENCES accounts ON DELETE CASCADE, salt {bytes} NOT NULL, text TEXT NOT NULL
) {table};
CREATE INDEX audit_reasons_by_actor ON audit_reasons (actor);
CREATE INDEX audit_reasons_by_subject ON audit_reasons (subject);
{audit_guards}
"""

_FILTERS: Final = """
ALTER TABLE rooms ADD COLUMN speakers TEXT NOT NULL DEFAULT 'everybody';
ALTER TABLE rooms ADD COLUMN links_held {integer} NOT NULL DEFAULT 0;
ALTER TABLE rooms ADD COLUMN links_days {integer} NOT NULL DEFAULT 0;
CREATE TABLE filters (
    number {integer} PRIMARY KEY, chain TEXT NOT NULL, stream {integer} NOT NULL,
    wanted TEXT NOT NULL, pattern TEXT NOT NULL, action TEXT NOT NULL,
    within_words {integer} NOT NULL, made_by {bytes} REFERENCES accounts ON DELETE SET NULL,
    made_at_ms {integer} NOT NULL,
    UNIQUE (chain, stream, wanted)
) {table};
CREATE INDEX filters_by_account ON filters (made_by);
CREATE TABLE held (
    number {integer} PRIMARY KEY, chain TEXT NOT NULL, stream {integer} NOT NULL,
    public {bytes} NOT NULL REFERENCES accounts ON DELETE CASCADE, client_id TEXT NOT NULL,
    text TEXT NOT NULL, why TEXT NOT NULL, pattern TEXT, held_at_ms {integer} NOT NULL,
    UNIQUE (public, chain, stream, client_id)
) {table};
CREATE INDEX held_by_stream ON held (chain, stream, held_at_ms);
CREATE INDEX held_by_time ON held (held_at_ms)
"""

_REPORTS: Final = """
CREATE TABLE reports (
    number {integer} PRIMARY KEY, chain TEXT NOT NULL, stream {integer} NOT NULL,
    reporter {bytes} NOT NULL REFERENCES accounts ON DELETE CASCADE,
    subject {bytes} NOT NULL REFERENCES accounts ON DELETE CASCADE, message {integer} NOT NULL,
    reason TEXT NOT NULL, text TEXT NOT NULL, made_at_ms {integer} NOT NULL,
    answer TEXT, answered_at_ms {integer}
) {table};
CREATE UNIQUE INDEX reports_open ON reports (chain, stream, subject, message, reporter)
WHERE answer IS NULL;
CREATE INDEX reports_by_reporter ON reports (reporter, made_at_ms);
CREATE INDEX reports_by_subject ON reports (subject);
CREATE INDEX reports_by_answer ON reports (answered_at_ms)
"""

_ADDRESSES: Final = """
CREATE TABLE address_keys (
    number {integer} PRIMARY KEY, secret {bytes} NOT NULL, made_at_ms {integer} NOT NULL
) {table};
CREATE TABLE addresses_seen (
    public {bytes} NOT NULL REFERENCES accounts ON DELETE CASCADE,
    key {integer} NOT NULL REFERENCES address_keys ON DELETE CASCADE, address {bytes} NOT NULL,
    seen_at_ms {integer} NOT NULL,
    PRIMARY KEY (public, key, address)
) {table};
CREATE INDEX addresses_seen_by_key ON addresses_seen (key);
CREATE TABLE address_bans (
    chain TEXT NOT NULL, stream {integer} NOT NULL,
    key {integer} NOT NULL REFERENCES address_keys ON DELETE CASCADE, address {bytes} NOT NULL,
    until_ms {integer} NOT NULL,
    PRIMARY KEY (chain, stream, key, address)
) {table};
CREATE INDEX address_bans_by_key ON address_bans (key);
CREATE INDEX address_bans_by_end ON address_bans (until_ms)
"""

_REPLIES: Final = """
ALTER TABLE messages ADD COLUMN reply_to {integer};
ALTER TABLE held ADD COLUMN reply_to {integer}
"""

STEPS: Final[Mapping[int, str]] = {
    1: _ACCOUNTS,
    2: _PROFILES,
    3: _CARDS,
    4: _CHAT,
    5: _AUDIT,
    6: _FILTERS,
    7: _REPORTS,
    8: _ADDRESSES,
    9: _REPLIES,
}
SCHEMA_VERSION: Final = max(STEPS)


_META: Final = "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) {table}"


def version(execute: Execute, types: Mapping[str, str]) -> int:
    """Give the number of the last step that was taken; 0 for a new database."""
    execute(_META.format_map(types))
    rows = execute("SELECT value FROM meta WHERE key = ?", (VERSION_KEY,))
    return int(rows[0][0]) if rows else 0


def take(number: int, execute: Execute, types: Mapping[str, str]) -> None:
    """Take one step, inside of the caller's transaction."""
    # at a line's end: what a trigger does has a semicolon of its own
    for statement in STEPS[number].format_map(types).split(";\n"):
        if statement.strip():
            execute(statement.strip())
    execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (VERSION_KEY, str(number)),
    )


def refuse_newer(found: int, place: str) -> None:
    """Raise DatabaseUnreadable where a later release has written the database."""
    if found > SCHEMA_VERSION:
        raise DatabaseUnreadable(
            f"the community's database {place} has version {found}, and this release reads up to "
            f"{SCHEMA_VERSION}: use the release that wrote it, or restore the backup from before it"
        )
