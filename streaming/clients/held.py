"""Why a viewer is sent nothing, or no picture, in words: what the server says of its connection."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

WHY: Final = {
    "budget:money": "the balance pays no further: deposit, or grant more",
    "budget:report": "the server waits for reports of what has come",
    "budget:refill": "too much was lost on the way: a second comes back each minute",
    "budget:block": "the server waits for the chain's next block",
    "wait": "the server waits for the chain: it goes on when the payment is confirmed",
    "lease": "the server has lost touch with its relayer: it goes on when that is back",
    "untimed": "the stream's timestamps stand still",
    "sound-alone": "the path cannot carry the picture, and no more sound alone is free",
    "path": "the path cannot carry the picture: sound alone is free for a while",
    "picture-broken": "the picture was damaged on its way: it comes with the next keyframe",
    "paused": "it is paused",
}
"""What a person is told; the first that applies. Nothing of all that is charged, but sound alone
that was chosen."""
CHOSEN: Final = "the path cannot carry the picture: the sound goes on, and is paid"
CHOICES: Final = ("sound-alone", "wait")
NOT_TOLD: Final = frozenset({"admission", "connecting", "ended", "unconfirmed"})
"""No word that media waits: it begins, it ends, or the server hears nothing of us, and then the
path itself may be gone."""


def told_reasons(state: Mapping[str, Any]) -> list[str]:
    """For what media waits, by the server's own word; empty where it says nothing of the kind."""
    reasons = state.get("reasons")
    if not isinstance(reasons, list) or "unconfirmed" in reasons:
        return []
    return [each for each in map(str, reasons) if each not in NOT_TOLD]


def sound_flows(reasons: Collection[str]) -> bool:
    """Whether the sound is to come although the picture does not."""
    return "path" in reasons and "sound-alone" not in reasons


def event_of(state: Mapping[str, Any], reasons: Collection[str]) -> dict[str, Any]:
    """What is told of it: the reasons, a sentence, and what may be chosen."""
    chosen = bool(state.get("sound_alone"))
    names = [*reasons, *(reason.partition(":")[0] for reason in reasons)]
    why = next((words for name, words in WHY.items() if name in names), ", ".join(reasons))
    told: dict[str, Any] = {"reasons": list(reasons), "why": why}
    if "path" in reasons:
        told["why"] = CHOSEN if chosen else why
        told["choice"] = "sound-alone" if chosen else "wait"
        told["choices"] = list(CHOICES)
        told["sound_free_ms"] = state.get("sound_free_ms")
    return told
