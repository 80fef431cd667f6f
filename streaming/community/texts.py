"""Texts that people give: bounded, and without characters that lie about what is written.

A text is kept in Unicode's composed form (NFC), as it was written otherwise: it is data, which each
page and program shows as text, never as markup.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from streaming.community.refusal import Refused

MARKS_MAX: Final = 4
"""So many combining marks on one letter are a language; more are a prank."""
LANGUAGES_MAX: Final = 8
LINKS_MAX: Final = 8
LINK_LABEL_CHARS_MAX: Final = 40
LINK_URL_CHARS_MAX: Final = 300
_BIDI: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They reorder what stands around them, and so make one text look like another."""
_INVISIBLE: Final = frozenset("\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060\ufeff")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


def only(
    body: Mapping[str, Any], required: Collection[str], optional: Collection[str] = ()
) -> None:
    """Refuse a body that lacks a field or has one that there is not. Raises `Refused` (400)."""
    for name in required:
        if name not in body:
            raise Refused(400, "field-missing", f"the field {name} is missing", field=name)
    for name in body:
        if name not in required and name not in optional:
            known = ", ".join((*required, *optional))
            raise Refused(
                400,
                "field-unknown",
                f"{name[:40]!r} is no field; there are {known}",
                field=name[:40],
            )


def line(value: object, field: str, *, chars_max: int, chars_min: int = 0) -> str:
    """Give a text of one line. Raises `Refused` (400, or 413 where it is too long)."""
    text = _text(value, field, chars_max)
    if any(unicodedata.category(c) == "Cc" or c in "\u2028\u2029" for c in text):
        raise _invalid(field, "is one line: remove line breaks and control characters")
    return _long_enough(" ".join(text.split()), field, chars_min)


def lines(value: object, field: str, *, chars_max: int, chars_min: int = 0) -> str:
    """Give a text of several lines. Raises `Refused` (400, or 413 where it is too long)."""
    text = _text(value, field, chars_max).replace("\r\n", "\n").replace("\r", "\n")
    if any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in text):
        raise _invalid(field, "has control characters: remove them")
    return _long_enough(text.strip(), field, chars_min)


def _text(value: object, field: str, chars_max: int) -> str:
    if not isinstance(value, str):
        raise _invalid(field, "is a text: write it in quotation marks")
    if len(value) > chars_max:
        raise Refused(
            413,
            "too-long",
            f"{field} has {len(value)} characters and may have {chars_max}: shorten it",
            field=field,
        )
    text = unicodedata.normalize("NFC", value)
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        if category in ("Cs", "Co") or character in _BIDI or character in _INVISIBLE:
            raise _invalid(
                field,
                f"has the character U+{ord(character):04X}, which nobody sees or which reorders "
                "the text: remove it",
            )
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks > MARKS_MAX:
            raise _invalid(field, f"has more than {MARKS_MAX} marks on one letter: remove some")
    return text


def _long_enough(text: str, field: str, chars_min: int) -> str:
    seen = [c for c in text if unicodedata.category(c) not in ("Cf", "Mn", "Me", "Zs")]
    if len(text) < chars_min or (chars_min and not seen):
        least = "is empty" if chars_min == 1 else f"needs at least {chars_min} characters"
        raise _invalid(field, f"{least}: write something")
    return text


def _invalid(field: str, what: str) -> Refused:
    return Refused(400, "field-invalid", f"{field} {what}", field=field)


def whole(value: object, field: str, *, least: int, most: int) -> int:
    """Give a whole number between two. Raises `Refused` (400)."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _invalid(field, f"is a whole number from {least} to {most}")
    return value


def several(value: object, field: str, most: int) -> list[Any]:
    """Give a list of a bounded length. Raises `Refused` (400, or 413 where it is too long)."""
    if not isinstance(value, list):
        raise _invalid(field, "is a list: write [...]")
    if len(value) > most:
        raise Refused(
            413,
            "too-long",
            f"{field} has {len(value)} entries and may have {most}: leave some out",
            field=field,
        )
    return value


def language(value: object, field: str) -> str:
    """Give a language's tag (BCP 47, such as `en` or `pt-BR`). Raises `Refused` (400)."""
    if not isinstance(value, str) or not _LANGUAGE.fullmatch(value):
        raise _invalid(field, "is a language's tag, such as en or pt-BR")
    return value


def languages(value: object, field: str) -> list[str]:
    """Give languages, each once. Raises `Refused`."""
    return list(dict.fromkeys(language(one, field) for one in several(value, field, LANGUAGES_MAX)))


def links(value: object, field: str) -> list[dict[str, str]]:
    """Give links, each with a label and a URL of the web. Raises `Refused`."""
    found = []
    for one in several(value, field, LINKS_MAX):
        if not isinstance(one, dict) or set(one) != {"label", "url"}:
            raise _invalid(field, 'is a list of {"label": ..., "url": ...}')
        label = line(one["label"], field, chars_max=LINK_LABEL_CHARS_MAX, chars_min=1)
        found.append({"label": label, "url": _web_url(one["url"], field)})
    return found


def _web_url(value: object, field: str) -> str:
    url = line(value, field, chars_max=LINK_URL_CHARS_MAX, chars_min=1)
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
        has_user = parts.username is not None
    except ValueError:
        is_web, has_user = False, False
    if not is_web or has_user or any(c in ' "<>\\^`{|}' for c in url) or not url.isascii():
        raise _invalid(
            field, "has a URL that is none of the web: write https://... in plain letters"
        )
    return url
