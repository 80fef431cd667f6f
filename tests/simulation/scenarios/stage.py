"""Plays a scenario in a world of its own, and holds it against the judges."""

from __future__ import annotations

import trio

from tests.simulation.media_server import Watching, now_ms
from tests.simulation.oracles import Bounds
from tests.simulation.world import Told, World, told

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


async def lapsed(w: World, lost_ms: int) -> Watching:
    """Let a session lapse, while its viewer is there and nothing comes from the publisher.

    Of what was forwarded before, `lost_ms` never arrived, and are out of the credit.
    """
    viewer = await w.viewer().ready(gap_ms=30_000)
    watching = await viewer.watch()
    watching.lost_ms = lost_ms
    await trio.sleep(20)
    watching.advance(now_ms())
    watching.frozen = True
    while w.judges.open_sessions():
        await w.blocks(1)
    await w.blocks(3)
    return watching
