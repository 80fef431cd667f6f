"""Words that a stream's chat, or every chat, refuses or holds back for a moderator.

A word is looked for as people read it (`lookalikes.readings`), so letters of other alphabets,
spaces between, signs and repetitions do not hide it. Of a stream's words, and of the operator's,
one automaton each is made when they are first needed and kept until they change.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ahocorasick_rs import AhoCorasick, MatchKind

from streaming.community.audit import ALL_STREAMS
from streaming.community.database.migrations import Execute
from streaming.community.ledger import StreamKey
from streaming.community.lookalikes import folded, readings
from streaming.community.profiles import names_of
from streaming.community.refusal import Refused
from streaming.community.texts import line

REFUSE: Final = "refuse"
HOLD: Final = "hold"
FILTERS_MAX: Final = 200
"""Of one stream; of the operator's, five times as many."""
PATTERN_CHARS_MAX: Final = 60
WITHIN_CHARS_MIN: Final = 3
"""What is looked for inside of words, too, has so many letters: one or two are in every other."""
COMPILED_MAX: Final = 256
"""Streams whose automaton is kept."""
NUMBER_BELOW: Final = 1 << 52
"""Numbers that JavaScript has exactly."""


@dataclass(frozen=True)
class Filter:
    """A word or some, what is done with a message that has it, and whether inside of words, too."""

    pattern: str
    action: str
    within_words: bool = False

    @property
    def wanted(self) -> str:
        """What is looked for in a text with a space at each end."""
        words = folded(self.pattern)
        return words if self.within_words else f" {words} "


def read_filter(pattern: object, action: object, within_words: object) -> Filter:
    """Check a filter as it was sent. Raises `Refused`."""
    text = line(pattern, "pattern", chars_max=PATTERN_CHARS_MAX, chars_min=1)
    if action not in (REFUSE, HOLD):
        raise Refused(400, "field-invalid", f"action is {REFUSE} or {HOLD}", field="action")
    if not isinstance(within_words, bool):
        raise Refused(400, "field-invalid", "within_words is true or false", field="within_words")
    words = folded(text)
    if len(words) < (WITHIN_CHARS_MIN if within_words else 1):
        raise Refused(
            400,
            "filter-too-short",
            "pattern has too few letters and figures: most of what people say would have it",
            field="pattern",
        )
    return Filter(text, str(action), within_words)


# --- looking -------------------------------------------------------------------------------


class Compiled:
    """Filters made ready to look for all of them at once."""

    def __init__(self, filters: Sequence[Filter]) -> None:
        self._filters = tuple(filters)
        self._automaton = AhoCorasick(
            [one.wanted for one in self._filters], matchkind=MatchKind.Standard
        )

    def first(self, texts: frozenset[str]) -> Filter | None:
        """Give the filter that one of the readings of a text has; one that refuses, if any does."""
        found = {
            index
            for text in texts
            for index, _, _ in self._automaton.find_matches_as_indexes(
                f" {text} ", overlapping=True
            )
        }
        matches = sorted((self._filters[index] for index in found), key=_strictness)
        return matches[0] if matches else None


def _strictness(one: Filter) -> tuple[bool, str]:
    return one.action != REFUSE, one.pattern


class Filters:
    """The filters in the tables. Used by the thread that writes, which alone changes them."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[StreamKey, Compiled] = OrderedDict()

    def first(self, execute: Execute, key: StreamKey, text: str) -> Filter | None:
        """Give the filter of a stream, or of the operator, that a text meets."""
        texts = readings(text)
        matches = [
            match
            for match in (self._of(execute, where).first(texts) for where in (ALL_STREAMS, key))
            if match is not None
        ]
        return min(matches, key=_strictness) if matches else None

    def _of(self, execute: Execute, key: StreamKey) -> Compiled:
        known = self._compiled.get(key)
        if known is None:
            rows = execute(
                "SELECT pattern, action, within_words FROM filters WHERE chain = ? AND stream = ?",
                key,
            )
            known = Compiled([Filter(row[0], row[1], bool(row[2])) for row in rows])
            self._compiled[key] = known
            if len(self._compiled) > COMPILED_MAX:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        return known

    # --- changing --------------------------------------------------------------------------

    def add(self, execute: Execute, key: StreamKey, one: Filter, *, by: bytes, at_ms: int) -> int:
        """Keep a filter and give its number. Raises `Refused` (409)."""
        count = execute("SELECT COUNT(*) FROM filters WHERE chain = ? AND stream = ?", key)
        most = FILTERS_MAX * 5 if key == ALL_STREAMS else FILTERS_MAX
        if count[0][0] >= most:
            raise Refused(409, "filters-too-many", f"there are {most} filters: remove one first")
        number = secrets.randbelow(NUMBER_BELOW)
        added = execute(
            "INSERT INTO filters (number, chain, stream, wanted, pattern, action, within_words, "
            "made_by, made_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING "
            "RETURNING number",
            (
                number,
                *key,
                one.wanted,
                one.pattern,
                one.action,
                int(one.within_words),
                by,
                at_ms,
            ),
        )
        if not added:
            raise Refused(
                409,
                "filter-there",
                "a filter that reads the same is there: remove it to set another",
                field="pattern",
            )
        self._compiled.pop(key, None)
        return number

    def remove(self, execute: Execute, key: StreamKey, number: int) -> str:
        """Remove a filter and give what it looked for. Raises `Refused` (404)."""
        rows = execute(
            "DELETE FROM filters WHERE number = ? AND chain = ? AND stream = ? RETURNING pattern",
            (number, *key),
        )
        if not rows:
            raise Refused(404, "filter-not-found", "there is no filter of this number here")
        self._compiled.pop(key, None)
        return str(rows[0][0])


def listed(execute: Execute, key: StreamKey) -> list[dict[str, Any]]:
    """List filters, the latest first."""
    rows = execute(
        "SELECT number, pattern, action, within_words, made_by, made_at_ms FROM filters "
        "WHERE chain = ? AND stream = ? ORDER BY made_at_ms DESC, number",
        key,
    )
    names = names_of(execute, (bytes(row[4]) for row in rows if row[4] is not None))
    return [
        {
            "number": number,
            "pattern": pattern,
            "action": action,
            "within_words": bool(within_words),
            "made_by": None if made_by is None else names[bytes(made_by)],
            "made_at_ms": made_at_ms,
        }
        for number, pattern, action, within_words, made_by, made_at_ms in rows
    ]


def exported(execute: Execute, public: bytes) -> dict[str, Any]:
    """The filters that an account has made."""
    rows = execute(
        "SELECT chain, stream, pattern, action, made_at_ms FROM filters WHERE made_by = ? "
        "ORDER BY made_at_ms, number",
        (public,),
    )
    return {
        "filters": [
            {
                "chain": chain or None,
                "stream": stream if chain else None,
                "pattern": pattern,
                "action": action,
                "made_at_ms": made_at_ms,
            }
            for chain, stream, pattern, action, made_at_ms in rows
        ]
    }
