"""The life of a session: its states, the facts that come in, and what follows. Pure.

A session lives on the ledger; this is what the relayer holds about it until a **final** block has
said how it went. Everything else in the relayer only feeds facts in and carries out what follows.

States
    `reserved`  its index is journaled, and no open order has been signed. Where its media has
                begun it counts as opening, and where another index waits behind it, its end makes
                it leaving: that one cannot open before this one has
    `opening`   an open order is signed: any block may hold it from now on
    `leaving`   the same, and nobody waits for it any more
    `open`      the best block has it
    `ending`    it is to be closed, or the ledger has ended it; a final block has not said so yet
    `over`      a final block has decided: closed, settled, or never opened

A fact of the chain is read from three entries of **one** block: the grant's `next_index`, its list
of open indices, and the session's entry (`placed`). Nothing else decides. That an answer is
missing, late or strange is no fact: whoever has not read an entry has nothing to say.

Each state has a way out that needs nobody's goodwill. An open that is out is sent again until a
block holds it or the pool refuses it for good; what a block holds is closed while the ledger takes
closes, and settled after. An index stays reserved until a final block has decided about it,
whatever its viewer did: the next session of the grant takes the next one.

`docs/session-life.md` is drawn from `TABLE`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, Literal, TypeAlias, get_args

import msgspec

State: TypeAlias = Literal["reserved", "opening", "leaving", "open", "ending", "over"]
Place: TypeAlias = Literal["not yet", "open", "over"]
Outcome: TypeAlias = Literal["closed", "settled", "never opened"]
Fact: TypeAlias = Literal[
    "signed",
    "end",
    "refused",
    "best: not yet",
    "best: open",
    "best: expired",
    "best: over",
    "final: not yet",
    "final: open",
    "final: over",
    "final: cannot open",
]
Follow: TypeAlias = Literal[
    "send open", "tick", "close or settle", "stop media", "free index", "release"
]

STATES: Final[tuple[State, ...]] = get_args(State)
FACTS: Final[tuple[Fact, ...]] = get_args(Fact)

FACT_WORDS: Final[MappingProxyType[Fact, str]] = MappingProxyType(
    {
        "signed": "its open order is journaled and about to be sent",
        "end": "the viewer left, or the media must not go on",
        "refused": "the pool refuses the open order for a reason that no block lifts",
        "best: not yet": "the best block's next index is not above this one",
        "best: open": "the best block lists it as open",
        "best: expired": "the same, and its end has passed by that block's clock",
        "best: over": "the best block has had it, and lists it no more",
        "final: not yet": "as above, in a finalized block",
        "final: open": "as above, in a finalized block",
        "final: over": "as above, in a finalized block; or its grant is gone there",
        "final: cannot open": "not yet, and its grant has ended or the pool refused it before",
    }
)


class Step(msgspec.Struct, frozen=True):
    """What a fact leads to: a state, and what is to be done as long as it is in it."""

    state: State
    follows: tuple[Follow, ...] = ()


_STAYS: Final = None

TABLE: Final[MappingProxyType[State, MappingProxyType[Fact, Step | None]]] = MappingProxyType(
    {
        "reserved": MappingProxyType(
            {
                "signed": Step("opening", ("send open",)),
                "end": Step("over", ("free index", "release")),
                "refused": Step("over", ("stop media", "free index", "release")),
                "best: not yet": Step("reserved", ("send open",)),
                "best: open": Step("open", ("tick",)),
                "best: expired": Step("ending", ("stop media", "close or settle")),
                "best: over": Step("ending", ("stop media",)),
                "final: not yet": _STAYS,
                "final: open": _STAYS,
                "final: over": Step("over", ("stop media", "release")),
                "final: cannot open": Step("over", ("stop media", "free index", "release")),
            }
        ),
        "opening": MappingProxyType(
            {
                "signed": _STAYS,
                "end": Step("leaving", ("send open",)),
                "refused": Step("leaving", ("stop media",)),
                "best: not yet": Step("opening", ("send open",)),
                "best: open": Step("open", ("tick",)),
                "best: expired": Step("ending", ("stop media", "close or settle")),
                "best: over": Step("ending", ("stop media",)),
                "final: not yet": _STAYS,
                "final: open": _STAYS,
                "final: over": Step("over", ("stop media", "release")),
                "final: cannot open": Step("over", ("stop media", "free index", "release")),
            }
        ),
        "leaving": MappingProxyType(
            {
                "signed": _STAYS,
                "end": _STAYS,
                "refused": _STAYS,
                "best: not yet": Step("leaving", ("send open",)),
                "best: open": Step("ending", ("close or settle",)),
                "best: expired": Step("ending", ("close or settle",)),
                "best: over": Step("ending"),
                "final: not yet": _STAYS,
                "final: open": _STAYS,
                "final: over": Step("over", ("release",)),
                "final: cannot open": Step("over", ("free index", "release")),
            }
        ),
        "open": MappingProxyType(
            {
                "signed": _STAYS,
                "end": Step("ending", ("close or settle",)),
                "refused": _STAYS,
                "best: not yet": Step("opening", ("send open",)),
                "best: open": Step("open", ("tick",)),
                "best: expired": Step("ending", ("stop media", "close or settle")),
                "best: over": Step("ending", ("stop media",)),
                "final: not yet": _STAYS,
                "final: open": _STAYS,
                "final: over": Step("over", ("stop media", "release")),
                "final: cannot open": _STAYS,
            }
        ),
        "ending": MappingProxyType(
            {
                "signed": _STAYS,
                "end": _STAYS,
                "refused": _STAYS,
                "best: not yet": Step("leaving", ("send open",)),
                "best: open": Step("ending", ("close or settle",)),
                "best: expired": Step("ending", ("close or settle",)),
                "best: over": Step("ending"),
                "final: not yet": _STAYS,
                "final: open": _STAYS,
                "final: over": Step("over", ("release",)),
                "final: cannot open": _STAYS,
            }
        ),
        "over": MappingProxyType(dict.fromkeys(FACTS, _STAYS)),
    }
)
"""Every state and every fact. `None`: the state stays, and what it does goes on."""


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """What one block says about a session: its grant's entry and its own, read at that block.

    `next_index` and `open` are the grant's; None where the block has no such grant. `expired` says
    that the session's end has passed by the block's clock, `grant_over` the same of the grant.
    """

    block: int
    final: bool
    next_index: int | None
    open: tuple[int, ...] = ()
    has_entry: bool = False
    expired: bool = False
    grant_over: bool = False


class Torn(ValueError):
    """Two entries that cannot be of one block: nothing is to be concluded from them."""


def placed(index: int, entries: Entries) -> Place:
    """Tell where an index stands in a block. Raises Torn where its entries contradict each other.

    A grant is deleted with the last slot of its sessions, so those of a missing grant are over.
    """
    if entries.next_index is None:
        listed = False
    elif index >= entries.next_index:
        if entries.has_entry or index in entries.open:
            raise Torn(f"session {index} is there before its grant counts it")
        return "not yet"
    else:
        listed = index in entries.open
    if listed != entries.has_entry:
        raise Torn(f"session {index} is {'' if listed else 'not '}listed, and its entry disagrees")
    return "open" if listed else "over"


def fact_of(index: int, entries: Entries, *, refused_at: int | None = None) -> Fact | None:
    """Tell the fact that a block's entries are. Raises Torn.

    `refused_at` is the best block at which the pool refused the open order for good. A best block
    without the grant says nothing: it may be another branch than the one that made it.
    """
    place = placed(index, entries)
    if not entries.final:
        if entries.next_index is None:
            return None
        if place == "open" and entries.expired:
            return "best: expired"
        return _BEST[place]
    if place == "not yet":
        is_refused = refused_at is not None and entries.block >= refused_at
        return "final: cannot open" if entries.grant_over or is_refused else "final: not yet"
    return _FINAL[place]


_BEST: Final[dict[Place, Fact]] = {
    "not yet": "best: not yet",
    "open": "best: open",
    "over": "best: over",
}
_FINAL: Final[dict[Place, Fact]] = {
    "not yet": "final: not yet",
    "open": "final: open",
    "over": "final: over",
}


def step(state: State, fact: Fact) -> Step | None:
    """Tell what a fact changes in a state; None where it changes nothing."""
    return TABLE[state][fact]


def outcome_of(fact: Fact, *, was_settled: bool) -> Outcome:
    """Name how a session ended that `fact` has brought to `over`."""
    if fact in ("end", "refused", "final: cannot open"):
        return "never opened"
    return "settled" if was_settled else "closed"
