"""What characters look like, by Unicode's list (Technical Standard 39, section 4).

For handles a text has a *skeleton*: texts that look alike have the same. For words that are looked
for in what people say it is *folded*: to small letters, each character that imitates a letter of
ASCII to that letter, without what nobody sees, with one space between words. The letters of ASCII
stay what they are there; by their skeletons `corn` and `com` would be one word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from confusable_homoglyphs import confusables

FOLDED_TIMES_MAX: Final = 24
"""A folded text has at most so many times the characters of the text."""
_REMEMBERED_MAX: Final = 16_384
_ASCII: Final = frozenset("abcdefghijklmnopqrstuvwxyz")
_ACCENTS: Final = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f"
    "\U000e0100-\U000e01ef]"
)
"""Marks that stand on letters of many scripts, and variants; those of one script are its own."""
_UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u3164\uffa0")
_LEET: Final = {
    "0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i",
    "|": "i", "+": "t", "м": "m", "т": "t", "к": "k", "н": "h", "в": "b",
}  # fmt: skip
"""Figures, signs and letters of others that are read as letters, on purpose."""
_SINGLE: Final = re.compile(r"(?<![^ ])[^ ](?: [^ ]){2,}(?![^ ])")
"""Three letters or more that stand alone, one after the other."""
_RUN: Final = re.compile(r"([^ ])\1{2,}")


def skeleton(text: str) -> str:
    """Give what texts that look alike have in common."""
    shown = unicodedata.normalize("NFKD", text)
    return _prototypes(_prototypes(shown).casefold())


def _prototypes(text: str) -> str:
    return unicodedata.normalize("NFD", "".join(_prototype(character) for character in text))


def _prototype(character: str) -> str:
    """Give the character or characters that one is listed as looking like.

    The list goes both ways: what others look like has many entries, what looks like another has
    that one. Of two that have only each other, the lesser stands for both.
    """
    alike = confusables.confusables_data.get(character, ())
    if len(alike) != 1:
        return character
    other = str(alike[0]["c"])
    if len(confusables.confusables_data.get(other, ())) > 1:
        return other
    return min(character, other)


# --- folding -------------------------------------------------------------------------------


def folded(text: str) -> str:
    """Fold a text: its words in small letters of the plainest kind, with one space between."""
    return _words(text.translate(_SPACED))


def readings(text: str) -> frozenset[str]:
    """Fold a text in each of the ways in which a word can be written so that it is still read.

    As it is; with letters that stand alone put together (`s p a m`); without the signs inside of
    words (`sp.am`); with figures and signs read as letters (`5p@m`); and each with letters that
    are repeated more than twice written once or twice (`spaaaam`). At most 24.
    """
    ways = {_words(text.translate(table)) for table in (_SPACED, _TIGHT, _LEET_SPACED, _LEET_TIGHT)}
    ways |= {_SINGLE.sub(lambda found: found[0].replace(" ", ""), way) for way in ways}
    for times in (r"\1", r"\1\1"):
        ways |= {_RUN.sub(times, way) for way in tuple(ways)}
    return frozenset(ways)


def _words(text: str) -> str:
    return " ".join(text.split())


class _Table(dict[int, str]):
    """What each character is folded to, found out when it is first met."""

    def __init__(self, between: str, letters: Mapping[str, str]) -> None:
        """`between`: what a sign that is neither letter, figure nor picture becomes."""
        super().__init__()
        self._between = between
        self._letters = letters

    def __missing__(self, code: int) -> str:
        if len(self) >= _REMEMBERED_MAX:
            self.clear()
        self[code] = found = self._folded(chr(code))
        return found

    def _folded(self, character: str) -> str:
        small = character.casefold()
        if small in self._letters:
            return self._letters[small]
        if unicodedata.category(character) == "So" and not _is_spelled(character):
            return f" {character} "
        return "".join(map(self._letter, unicodedata.normalize("NFKD", character)))

    def _letter(self, character: str) -> str:
        small = character.casefold()
        if small in _ASCII:
            return small
        if character in _UNSEEN or _ACCENTS.fullmatch(character):
            return ""
        kind = unicodedata.category(character)
        if kind == "Cf":
            return ""
        if kind[0] == "Z" or kind == "Cc":
            return " "
        if kind[0] in "PSC":
            return self._between
        # a capital looks like other letters than its small one does
        alike = _prototype(character).casefold()
        plain = alike if alike in _ASCII else "".join(map(_prototype, small)).casefold()
        shown = unicodedata.normalize("NFKD", plain)
        return "".join(
            one
            for one in shown
            if unicodedata.category(one)[0] in "LNM" and not _ACCENTS.fullmatch(one)
        )


def _is_spelled(character: str) -> bool:
    """Tell whether a picture stands for letters, such as a circled one."""
    return unicodedata.normalize("NFKD", character) != character


_SPACED: Final = _Table(" ", {})
_TIGHT: Final = _Table("", {})
_LEET_SPACED: Final = _Table(" ", _LEET)
_LEET_TIGHT: Final = _Table("", _LEET)
