"""Which streams somebody looks for, by what their owners say of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from streaming.community.cards import CATEGORY_CHARS_MAX, TAG_CHARS_MAX
from streaming.community.refusal import Refused
from streaming.community.texts import language, line

TEXT_CHARS_MAX: Final = 100
STARTS_WITHIN_MAX_S: Final = 31 * 86_400
FIELDS: Final = ("category", "language", "tag", "text", "starts_within_s")


@dataclass(frozen=True)
class Wanted:
    """What a card must say; what is empty or None does not matter."""

    category: str = ""
    language: str = ""
    tag: str = ""
    words: tuple[str, ...] = ()
    starts_from_ms: int | None = None
    starts_before_ms: int | None = None

    def fits(self, listed: Mapping[str, Any]) -> bool:
        """Tell whether a stream is meant, by its `card` and `owner_name` as they are listed."""
        card = listed["card"]
        if card is None:
            return False
        return (
            self.category in ("", folded(card["category"]))
            and (self.tag == "" or self.tag in card["tags"])
            and (self.language == "" or _speaks(card["language"], self.language))
            and self._starts(card["schedule"])
            and self._reads(card, listed["owner_name"])
        )

    def _starts(self, schedule: list[dict[str, Any]]) -> bool:
        since, until = self.starts_from_ms, self.starts_before_ms
        if since is None or until is None:
            return True
        return any(since <= one["starts_at_ms"] < until for one in schedule)

    def _reads(self, card: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
        if not self.words:
            return True
        said = (card["title"], card["category"], *card["tags"], owner["name"], owner["handle"])
        text = folded(" ".join(each for each in said if each))
        return all(word in text for word in self.words)


def folded(text: str) -> str:
    """Give a text as it is compared: however its letters are written."""
    return unicodedata.normalize("NFKC", text).casefold()


def _speaks(spoken: str, wanted: str) -> bool:
    """Tell whether a language is one, or a kind of it: `pt-BR` is Portuguese."""
    return spoken.casefold() == wanted or spoken.casefold().startswith(f"{wanted}-")


def read_wanted(query: Mapping[str, str], now_ms: int) -> Wanted | None:
    """Give what a query looks for, None where it looks for nothing. Raises `Refused` (400, 413)."""
    asked = {name: query[name].strip() for name in FIELDS if query.get(name, "").strip()}
    if not asked:
        return None
    spoken = asked.get("language", "")
    within_s = _seconds(asked["starts_within_s"]) if "starts_within_s" in asked else None
    category = line(asked.get("category", ""), "category", chars_max=CATEGORY_CHARS_MAX)
    tag = line(asked.get("tag", ""), "tag", chars_max=TAG_CHARS_MAX + 1)
    text = line(asked.get("text", ""), "text", chars_max=TEXT_CHARS_MAX)
    return Wanted(
        category=folded(category),
        language=language(spoken, "language").casefold() if spoken else "",
        tag=tag.removeprefix("#").casefold(),
        words=tuple(folded(text).split()),
        starts_from_ms=None if within_s is None else now_ms,
        starts_before_ms=None if within_s is None else now_ms + 1_000 * within_s,
    )


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= STARTS_WITHIN_MAX_S):
        raise Refused(
            400,
            "query-invalid",
            f"`starts_within_s` is a whole number from 1 to {STARTS_WITHIN_MAX_S}",
            field="starts_within_s",
        )
    return int(text[:9])
