"""Plays a scenario in a world of its own, and holds it against the judges."""

from __future__ import annotations

from tests.simulation.oracles import Bounds
from tests.simulation.world import Told, told

EVERY = ("charged", "credit", "ends", "bounded", "written", "paid")


def play(
    tale: Told, *, judged: tuple[str, ...] = EVERY, bounds: Bounds | None = None, seed: int = 0
) -> None:
    """Let a story take place; what it asserts and what the judges say must be in order.

    `judged` names the judges that are asked: a scenario shows one thing.
    """
    story, judges, _ = told(tale, seed=seed, bounds=bounds)
    found = [each for each in judges.failures if each.oracle in judged]
    text = "\n".join(f"{each.oracle}: {each.what}" for each in found)
    assert not found, f"{text}\n" + "\n".join(story.lines[-60:])
