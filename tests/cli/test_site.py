"""The supervised group: what dies comes back, what cannot start ends it, nothing stays behind."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from offchain import site as site_module
from offchain.processes import ProcessFailed, Supervisor
from offchain.site import PAUSE_MAX_S, Part, Site, pause_s, says_ready

READY = 'import json; print(json.dumps({"event": "ready", "pid": __import__("os").getpid()}), flush=True)'  # noqa: E501
WAITS = f"{READY}; import time; time.sleep(600)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


class Group:
    def __init__(self, site: Site, nursery: trio.Nursery, told: list[Mapping[str, Any]]) -> None:
        self.site, self.nursery, self.told = site, nursery, told

    async def add(self, name: str, code: str = WAITS) -> Part:
        part = Part(name, python(code), says_ready)
        await self.site.add(self.nursery, part)
        return part

    async def until(self, event: str, count: int = 1) -> None:
        with trio.fail_after(20):
            while sum(one["event"] == event for one in self.told) < count:  # noqa: ASYNC110
                await trio.sleep(0.02)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_module, "PAUSE_FIRST_S", 0.05)


@asynccontextmanager
async def group(tmp_path: Path) -> AsyncIterator[Group]:
    told: list[Mapping[str, Any]] = []
    supervisor = Supervisor(tmp_path / "logs", dict(os.environ))
    site = Site(supervisor, told.append)
    try:
        async with trio.open_nursery() as nursery:
            with supervisor.within(nursery):
                yield Group(site, nursery, told)
                nursery.cancel_scope.cancel()
    finally:
        supervisor.end_all()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_what_dies_is_started_again(tmp_path: Path) -> None:
    async with group(tmp_path) as g:
        part = await g.add("relay")
        other = await g.add("serve")
        assert part.child is not None
        first = part.child.pid
        assert part.said["pid"] == first
        os.kill(first, signal.SIGKILL)
        await g.until("restarted")
        assert part.said["pid"] == part.child.pid != first
        assert g.told[0]["event"] == "ended"
        assert g.told[0]["exit_code"] == -signal.SIGKILL
        assert g.told[1] == {"event": "restarted", "part": "relay", "count": 1}
        assert other.started == 1


async def test_what_keeps_dying_is_tried_on(tmp_path: Path) -> None:
    flag = tmp_path / "fails"
    code = f"import os, sys; os.path.exists({str(flag)!r}) and sys.exit(7); {WAITS}"
    async with group(tmp_path) as g:
        part = await g.add("relay", code)
        assert part.child is not None
        flag.touch()
        os.kill(part.child.pid, signal.SIGKILL)
        await g.until("ended", 3)
        assert [one["exit_code"] for one in g.told if one["event"] == "ended"][1:3] == [7, 7]
        waits = [one["again_in_s"] for one in g.told if one["event"] == "ended"]
        assert waits == sorted(waits)
        assert waits[0] < waits[2]
        flag.unlink()
        await g.until("restarted")


async def test_what_cannot_start_at_all_ends_it(tmp_path: Path) -> None:
    async with group(tmp_path) as g:
        with pytest.raises(ProcessFailed, match="no such setting"):
            await g.add("relay", "import sys; sys.exit('no such setting')")


async def test_the_last_started_ends_first(tmp_path: Path) -> None:
    order = tmp_path / "order"
    async with group(tmp_path) as g:
        pids = []
        for name in ("node", "relay", "serve"):
            ends = f"open({str(order)!r}, 'a').write({name!r} + ' ')"
            handler = f"import signal, sys; signal.signal(15, lambda *_: ({ends}, sys.exit(0)))"
            part = await g.add(name, f"{handler}; {WAITS}")
            assert part.child is not None
            pids.append(part.child.pid)
        await g.site.end()
        assert order.read_text() == "serve relay node "
        assert all(gone(pid) for pid in pids)


async def test_an_end_after_ctrl_c_takes_no_longer_than_the_parts_do(tmp_path: Path) -> None:
    async with group(tmp_path) as g:
        for name in ("node", "relay", "serve"):
            await g.add(name)
        g.nursery.cancel_scope.cancel()  # nobody reads their output any more
        with trio.CancelScope(shield=True):
            began = trio.current_time()
            await g.site.end()
            assert trio.current_time() - began < site_module.END_WITHIN_S
        assert all(part.child is not None and gone(part.child.pid) for part in g.site.parts)


def test_pauses_grow_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    pauses = [pause_s(deaths) for deaths in range(1, 12)]
    assert pauses[:4] == [0.5, 1, 2, 4]
    assert pauses[-1] == pause_s(10_000) == PAUSE_MAX_S
