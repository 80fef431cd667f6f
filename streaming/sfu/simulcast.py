"""Which layer of a simulcast offer is taken. Pure.

There are no layers towards viewers yet, so one is chosen here and the others are declined. What
publishers do with an answer (RFC 8853, 5.3):

- Chromium, told nothing about simulcast in the answer, goes on with its *first* encoding and
  stops the others. Where that is the smallest (`q;h;f`), viewers would pay for a quarter of the
  picture; told `a=simulcast:recv f` it sends that one alone.
- OBS 32 names its layers `0;1;2`, the whole picture first. It sends all or, in releases that
  look at the answer, none: then it tells its user to send fewer.
- Old pages list sources (`a=ssrc-group:SIM`), the smallest first, and send them all.

So the answer speaks of simulcast only where the best layer is not the first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from streaming.sfu.sdp import Attributes, number_of

RID_URI: Final = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
_RID: Final = re.compile("[A-Za-z0-9_-]{1,64}")
_FAMILIES: Final = (
    ("f", "h", "q"),
    ("h", "m", "l"),
    ("hi", "mid", "lo"),
    ("high", "mid", "low"),
    ("high", "medium", "low"),
    ("full", "half", "quarter"),
)
"""Names in use for layers, the best first. Numbers are not among them: some count up, some down."""


@dataclass(frozen=True)
class Layer:
    """The layer of a simulcast offer that is taken."""

    rid: str
    first: bool
    """Whether the publisher sends it, and it alone, when the answer says nothing about it."""


@dataclass(frozen=True)
class _Rid:
    name: str
    pixels: int
    bits: int


def best_layer(attributes: Attributes) -> Layer | None:
    """The best of the layers that a section offers to send; None where it offers no two."""
    offered = _offered(attributes)
    order = [name for name in _order(attributes) if name in offered] or list(offered)
    if len(order) < 2:
        return None
    best = _best([offered[name] for name in order])
    return Layer(best, first=best == order[0])


def _offered(attributes: Attributes) -> dict[str, _Rid]:
    """The `a=rid` lines that send, with what they say about size and rate (RFC 8851, 5)."""
    found: dict[str, _Rid] = {}
    for line in attributes.get("rid", ()):
        name, direction, restrictions = [*line.value.split(" ", 2), "", ""][:3]
        if direction != "send" or not _RID.fullmatch(name):
            continue
        said = dict(part.strip().partition("=")[::2] for part in restrictions.split(";"))
        width = number_of(said.get("max-width", ""), 1 << 20) or 0
        height = number_of(said.get("max-height", ""), 1 << 20) or 0
        bits = number_of(said.get("max-br", ""), 1 << 32) or 0
        found.setdefault(name, _Rid(name, width * height, bits))
    return found


def _order(attributes: Attributes) -> list[str]:
    """The layers in the order of `a=simulcast`; of alternatives the first, paused ones too."""
    for line in attributes.get("simulcast", ()):
        words = line.value.split()
        for direction, streams in zip(words[::2], words[1::2], strict=False):
            if direction == "send":
                firsts = (layer.partition(",")[0] for layer in streams.split(";"))
                return list(dict.fromkeys(name.removeprefix("~") for name in firsts))
    return []


def _best(layers: Sequence[_Rid]) -> str:
    """By size and rate if all say it, by a known family of names, else the most preferred."""
    for key in ("pixels", "bits"):
        sizes = [getattr(layer, key) for layer in layers]
        if all(sizes) and len(set(sizes)) > 1:
            return layers[sizes.index(max(sizes))].name
    names = [layer.name.lower() for layer in layers]
    for family in _FAMILIES:
        if set(names) <= set(family):
            return layers[names.index(min(names, key=family.index))].name
    return layers[0].name


def sources_of(attributes: Attributes) -> tuple[int, ...]:
    """The source that a section announces for its (best) layer, then its retransmissions'."""
    announced: dict[int, None] = {}
    for line in attributes.get("ssrc", ()):
        number = number_of(line.value.partition(" ")[0], 0xFFFFFFFF)
        if number is not None:
            announced[number] = None
    if not announced:
        return ()
    simulcast: list[int] = []
    repairs: dict[int, int] = {}
    for line in attributes.get("ssrc-group", ()):
        kind, *rest = line.value.split()[:33] or [""]
        numbers = [n for n in (number_of(text, 0xFFFFFFFF) for text in rest) if n in announced]
        if kind == "SIM" and len(numbers) > 1:
            simulcast = [n for n in numbers if n is not None]
        elif kind == "FID" and len(numbers) == 2 and None not in numbers:
            repairs.setdefault(numbers[0] or 0, numbers[1] or 0)
    best = simulcast[-1] if simulcast else next(iter(announced))
    repair = repairs.get(best)
    return (best,) if repair is None or repair == best else (best, repair)
