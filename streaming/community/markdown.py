"""Markdown to HTML that a page may show: rendered, then held against a short list of tags.

CommonMark without raw HTML and without pictures (a picture is loaded from wherever its author
says, who then sees each viewer's address). What comes out goes through nh3 all the same, so that
nothing depends on the renderer's being without fault.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import nh3
from markdown_it import MarkdownIt

_TAGS: Final = {
    "a", "blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre",
    "s", "strong", "ul",
}  # fmt: skip
_LOWER: Final = {"h1": "h3", "h2": "h4", "h3": "h5", "h4": "h6", "h5": "h6", "h6": "h6"}
"""The page has the headings above these."""
_REL: Final = "nofollow noopener noreferrer ugc"


def _made() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "typographer": False})
    return made.disable(["image"]).enable(["strikethrough"])


_RENDERER: Final = _made()


def _only_href(_tag: str, name: str, value: str) -> str | None:
    return value if name in ("href", "rel") else None


@lru_cache(maxsize=256)
def html_of(markdown: str) -> str:
    """Render a text whose length is bounded."""
    tokens = _RENDERER.parse(markdown)
    for token in tokens:
        token.tag = _LOWER.get(token.tag, token.tag) if "heading" in token.type else token.tag
    rendered = _RENDERER.renderer.render(tokens, _RENDERER.options, {})
    return nh3.clean(
        rendered,
        tags=_TAGS,
        attributes={"a": {"href"}},
        attribute_filter=_only_href,  # a title is allowed on everything otherwise
        url_schemes={"http", "https", "mailto"},
        link_rel=_REL,
        url_relative="deny",
    )
