"""What of Markdown reaches a page, and that nothing else does."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.community import markdown
from streaming.community.markdown import html_of

ALLOWED = markdown._TAGS


def test_a_description_looks_like_one() -> None:
    html = html_of("# Tea\nwith *milk*, **now**\n- [cups](https://a.example/x?y=1&z=2)\n- ~~no~~")
    assert html.split("\n")[:2] == [
        "<h3>Tea</h3>",
        "<p>with <em>milk</em>, <strong>now</strong></p>",
    ]
    assert 'href="https://a.example/x?y=1&amp;z=2"' in html
    assert 'rel="nofollow noopener noreferrer ugc"' in html
    assert "<s>no</s>" in html


class Reader(HTMLParser):
    """Reads HTML and holds each tag and attribute against what may be there."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        for name, value in attrs:
            assert tag == "a"
            assert name in ("href", "rel"), name
            if name == "href":
                assert re.match(r"(https?|mailto):", value or ""), value


def assert_harmless(text: str) -> None:
    reader = Reader()
    reader.feed(html_of(text))
    reader.close()


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](https://evil.example/pixel.png)",
    "![x](x \"a\" onerror=\"alert(1)\")",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\nscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "<javascript:alert(1)>",
    "[x](//evil.example)",
    "[x](https://a.example \"t' onmouseover='alert(1)\")",
    "[x](https://a.example/\"onmouseover=\"alert(1))",
    "<a href='https://a.example' onclick=alert(1)>x</a>",
    "<style>*{display:none}</style>",
    "<iframe src=//evil.example>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "`</code><script>alert(1)</script>`",
    "```html onload=alert(1)\n<script>\n```",
    "[a]: javascript:alert(1)\n[a]",
    "<!-- --!><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_hostile_becomes_markup(text: str) -> None:
    assert_harmless(text)


@given(st.lists(st.sampled_from([*HOSTILE, "[", "](", ")", "<", ">", "&", "\n", "*", "`", "x"])))
def test_nor_do_its_parts_together(parts: list[str]) -> None:
    assert_harmless("".join(parts))


def test_what_the_renderer_let_through_nh3_would_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second wall stands by itself."""
    from markdown_it import MarkdownIt

    monkeypatch.setattr(markdown, "_RENDERER", MarkdownIt("commonmark", {"html": True}))
    html_of.cache_clear()
    for text in HOSTILE:
        assert_harmless(text)
    html_of.cache_clear()


@pytest.mark.parametrize("unit", ["[", "*a ", "`", "> ", "- ", "<", "![", "](", "a_", "\\", "&"])
def test_the_worst_of_the_longest_is_rendered(unit: str) -> None:
    assert_harmless((unit * 5_000)[:5_000])
