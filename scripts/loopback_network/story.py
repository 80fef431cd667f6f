"""What happens to a network while it runs: who is held when, and who goes on. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, cast

Verb = Literal["stop", "continue", "end"]
VERBS: Final = ("stop", "continue", "end")
_COMMAND: Final = re.compile(r"(stop|continue) +([0-9]{1,3})|(end)")
_ACT: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) +(.+)")


class StoryInvalid(ValueError):
    """A command or a story cannot be read. Says how they are written."""


@dataclass(frozen=True)
class Command:
    """`stop` holds a validator's process (SIGSTOP), `continue` lets it go on, `end` is for all."""

    verb: Verb
    validator: int | None = None
    """From 1; None for `end`."""


@dataclass(frozen=True)
class Act:
    """A command, and when it comes: in seconds since the network was ready."""

    at_s: float
    command: Command


def read_command(text: str, validators: int) -> Command:
    """Read `stop 2`, `continue 2` or `end`. Raises StoryInvalid."""
    found = _COMMAND.fullmatch(text.strip())
    if found is None:
        raise StoryInvalid(f"{text.strip()!r}: write `stop N`, `continue N` or `end`")
    if found[3]:
        return Command("end")
    number = int(found[2])
    if not 1 <= number <= validators:
        raise StoryInvalid(f"{text.strip()!r}: the validators are 1 to {validators}")
    return Command(cast("Verb", found[1]), number)


def read_story(text: str, validators: int) -> list[Act]:
    """Read `20 stop 3, 50 continue 3, 90 end`, in the order of time. Raises StoryInvalid."""
    acts = []
    for part in text.split(","):
        found = _ACT.fullmatch(part.strip())
        if found is None:
            raise StoryInvalid(f"{part.strip()!r}: write seconds and a command, as in `20 stop 3`")
        acts.append(Act(float(found[1]), read_command(found[2], validators)))
    return sorted(acts, key=lambda act: act.at_s)
