"""Handles: names of one's own that nobody else can have, nor one that looks like it.

A handle is of one script, in small letters, with digits and underscores. Two that look alike have
the same *skeleton* (`lookalikes.py`), with the case folded, too, so `b0b` and `bob` are alike.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from confusable_homoglyphs import categories

from streaming.community.lookalikes import skeleton
from streaming.community.refusal import Refused
from streaming.community.texts import line

HANDLE_CHARS_MIN: Final = 3
HANDLE_CHARS_MAX: Final = 24
_UNDERSCORES: Final = re.compile(r"_{2,}|^_|_$")
_LETTERS: Final = frozenset({"Ll", "Lo", "Lm"})
_MARKS: Final = frozenset({"Mn", "Mc"})
_TOGETHER: Final = (
    frozenset({"HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"HAN", "HANGUL"}),
    frozenset({"HAN", "BOPOMOFO"}),
)
"""Scripts that one language writes together (UTS 39, section 5.2)."""
_RESERVED: Final = (
    "admin",
    "administrator",
    "mod",
    "moderator",
    "official",
    "operator",
    "owner",
    "paystream",
    "root",
    "security",
    "staff",
    "support",
    "system",
)


def read_handle(value: object) -> tuple[str, str]:
    """Give a handle as it is kept, and its skeleton. Raises `Refused` (400 or 413)."""
    text = line(value, "handle", chars_max=HANDLE_CHARS_MAX).removeprefix("@")
    handle = unicodedata.normalize("NFKC", text.casefold())
    kinds = {unicodedata.category(c) for c in handle if c != "_" and c not in "0123456789"}
    if not HANDLE_CHARS_MIN <= len(handle) <= HANDLE_CHARS_MAX:
        raise _invalid(f"has {HANDLE_CHARS_MIN} to {HANDLE_CHARS_MAX} characters")
    if not kinds & _LETTERS or kinds - _LETTERS - _MARKS:
        raise _invalid("is of letters, digits from 0 to 9 and underscores, with a letter at least")
    if _UNDERSCORES.search(handle):
        raise _invalid("has underscores between other characters only, one at a time")
    scripts = categories.unique_aliases(handle) - {"COMMON", "INHERITED"}
    if len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER):
        mixed = ", ".join(sorted(script.capitalize() for script in scripts))
        raise _invalid(f"mixes scripts ({mixed}), so that it could pass for another: use one")
    found = skeleton(handle)
    if found in _RESERVED_SKELETONS:
        raise Refused(
            409,
            "handle-taken",
            "this handle is kept for the operator: choose another",
            field="handle",
        )
    return handle, found


def _invalid(what: str) -> Refused:
    return Refused(400, "field-invalid", f"handle {what}", field="handle")


_RESERVED_SKELETONS: Final = frozenset(skeleton(name) for name in _RESERVED)
