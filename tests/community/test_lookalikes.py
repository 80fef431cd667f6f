"""Folding: what is read as a word is found, and nothing that anybody can write breaks it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.community.lookalikes import FOLDED_TIMES_MAX, folded, readings


@pytest.mark.parametrize(
    "written",
    [
        "spam",
        "SPAM",
        "ｓｐａｍ",
        "\U0001d42c\U0001d429\U0001d41a\U0001d426",  # bold mathematical letters
        "ⓢⓟⓐⓜ",
        "ѕра\u043c",  # Cyrillic
        "s\u200bp\u200da\u2060m",
        "s\u00adpam",
        "spa\u034fm",
        "spa\ufe0fm",
        "s\u0301p\u0308a\u0327m",
        "s p a m",
        "s.p.a.m",
        "s - p - a - m",
        "s_p_a_m",
        "sp.am",
        "sp\u00a0am".replace("\u00a0", "*"),
        "5p4m",
        "$p@m",
        "spaaaaam",
        "sssspam",
        "S\u2003P\u2003A\u2003M",
    ],
)
def test_a_word_is_read_however_it_is_written(written: str) -> None:
    assert any(f" {reading} ".find(" spam ") >= 0 for reading in readings(written)), written


@pytest.mark.parametrize(
    ("one", "other"),
    [("com", "corn"), ("god", "good"), ("ill", "lil"), ("año", "fan"), ("pass pam", "spam")],
)
def test_other_words_stay_others(one: str, other: str) -> None:
    assert not any(f" {other} " in f" {reading} " for reading in readings(one))


def test_people_s_own_scripts_are_left_alone() -> None:
    for text in ("नमस्ते", "สวัสดี", "こんにちは", "한국어".casefold(), "שלום", "привет"):
        assert folded(text)
    assert folded("दिन") != folded("दान"), "vowel signs are letters, not ornaments"


@given(st.text(max_size=60))
def test_no_text_breaks_it_nor_grows_without_bound(text: str) -> None:
    once = folded(text)
    assert len(once) <= FOLDED_TIMES_MAX * len(text)
    assert "  " not in once
    assert once == once.strip(" ")
    for reading in readings(text):
        assert len(reading) <= FOLDED_TIMES_MAX * len(text)
    assert len(readings(text)) <= 24


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz ", max_size=40))
def test_plain_words_are_themselves(text: str) -> None:
    assert folded(text) == " ".join(text.split())


def test_the_longest_of_all_characters_is_within_the_bound() -> None:
    assert 1 < len(folded("\ufdfa" * 500)) <= FOLDED_TIMES_MAX * 500
