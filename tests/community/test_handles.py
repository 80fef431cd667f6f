"""Handles: what may be one, and what looks like another."""

from __future__ import annotations

import pytest

from streaming.community.handles import read_handle
from streaming.community.lookalikes import skeleton
from streaming.community.refusal import Refused


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Alice", "alice"),
        ("@bob_99", "bob_99"),
        ("Жанна", "жанна"),
        ("ひらがなカタカナ漢字", "ひらがなカタカナ漢字"),
        ("한국어", "한국어"),
        ("zoë", "zoë"),
        ("zoe\u0308", "zoë"),
        ("שלום", "שלום"),
    ],
)
def test_people_have_handles_in_their_own_script(given: str, kept: str) -> None:
    assert read_handle(given)[0] == kept


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("bob", "b0b"),
        ("paul", "pau1"),
        ("coco", "сосо"),  # Cyrillic
        ("rnary", "mary"),
        ("mary", "ｍary"),
        (
            "alice",
            "\U0001d41a\U0001d425\U0001d422\U0001d41c\U0001d41e",
        ),  # bold mathematical letters
        ("scope", "ѕсоре"),  # Cyrillic
    ],
)
def test_what_looks_alike_has_one_skeleton(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other.casefold())


def test_what_does_not_look_alike_has_others() -> None:
    names = ["alice", "bob", "carol", "dave", "eve", "mallory", "bobo", "bo_b", "жанна", "анна"]
    assert len({skeleton(name) for name in names}) == len(names)


def test_a_skeleton_is_its_own() -> None:
    for name in ("b0b", "mary", "pau1", "сосо", "zoë", "ひらがな"):
        assert skeleton(skeleton(name)) == skeleton(name)


@pytest.mark.parametrize(
    "given",
    [
        "al", "a" * 24 + "ß", "_bob", "bob_", "bo__b", "bo b", "bo-b", "bob!", "123",
        "١٢٣", "bob\u200dby",
        "pаul",  # one Cyrillic letter
        "bob\u202e", "", None, 7, "\U0001f600\U0001f600\U0001f600",
    ],
)  # fmt: skip
def test_what_is_no_handle_is_refused_with_its_field(given: object) -> None:
    with pytest.raises(Refused) as refused:
        read_handle(given)
    assert refused.value.problem.status in (400, 413)
    assert refused.value.problem.field == "handle"


@pytest.mark.parametrize("given", ["admin", "Admin", "m0derat0r", "PAYSTREAM", "rnoderator"])
def test_nobody_passes_for_the_operator(given: str) -> None:
    with pytest.raises(Refused, match="handle-taken"):
        read_handle(given)
