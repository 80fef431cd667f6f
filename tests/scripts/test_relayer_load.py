"""A relayer with many sessions, measured on the model with a few: what the report says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from trio.testing import MockClock

from relayer_load import __main__ as bench
from relayer_load.host import Host
from relayer_load.lag_figures import p99_ms
from relayer_load.weighing import bytes_of

SESSIONS, CADENCE_S, SECONDS, VISITS = 40, 6.0, 12.0, 2.0


async def measured(directory: Path, seconds: float, visits: float) -> dict[str, Any]:
    host = Host(directory, "model", "simulated", SESSIONS, visits)
    await host.run(CADENCE_S, seconds, None)
    return host.figures


async def test_all_that_is_due_is_ordered_and_paid(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    figures = await measured(tmp_path, SECONDS, 0.0)
    assert set(bench.SHOWN) - {"rival_orders_per_second"} <= figures.keys()
    assert figures["seconds"] == SECONDS
    assert figures["orders_due_per_second"] == pytest.approx(SESSIONS / CADENCE_S, abs=0.1)
    assert figures["orders_per_second"] == figures["orders_due_per_second"]
    assert figures["media_server"]["stopped_seconds"] == 0
    assert figures["media_server"]["denied"] == {}
    assert figures["cpu_cores"] > 0
    assert CADENCE_S * 1000 <= figures["lag_included_ms_p99"] + 1000 <= 2 * CADENCE_S * 1000
    assert figures["lag_durable_ms_p99"] <= 1_500
    # an unpaid second a session would be 40 too few
    assert figures["counters"]["seconds_paid"] > SESSIONS * CADENCE_S
    assert "joins_per_second" not in figures


async def test_a_session_stays_small(tmp_path: Path, autojump_clock: MockClock) -> None:
    figures = await measured(tmp_path, 600.0, 0.0)
    before, after = figures["bytes_per_session_before"], figures["bytes_per_session"]
    assert 1_000 < after < 4_000
    assert after < 1.1 * before  # what is paid has come to be noted


async def test_viewers_come_and_go_beside_them(tmp_path: Path, autojump_clock: MockClock) -> None:
    figures = await measured(tmp_path, 30.0, VISITS)
    assert figures["joins_refused"] == {}
    assert figures["joins_per_second"] == pytest.approx(VISITS, abs=0.1)
    assert figures["leaves_per_second"] == pytest.approx(VISITS, abs=0.2)
    assert figures["counters"]["sessions_closed"] > 20
    assert figures["orders_per_second"] >= figures["orders_due_per_second"]


def test_what_structs_hold_is_weighed() -> None:
    class Held(msgspec.Struct, gc=False):
        text: str
        shared: bytes

    shared = bytes(10_000)
    small, large = Held("a", shared), Held("a" * 5_000, shared)
    assert bytes_of([large], [shared]) - bytes_of([small], [shared]) == 4_999
    assert bytes_of([small, large], []) > 15_000


def test_one_in_a_hundred_is_longer() -> None:
    assert p99_ms([number / 1000 for number in range(1, 201)]) == 199
    assert p99_ms([]) is None


def test_the_report_has_its_names_and_the_whole_basis(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures: dict[str, Any] = dict.fromkeys(bench.SHOWN[:-1], 1.0)
    figures |= {"orders_due_per_second": 1.0, "restart_cpu_s": 0.1, "chain": "model"}
    figures |= {"clock": "simulated", "joins_per_second": 2.0, "leaves_per_second": 1.5}
    asked: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, f"a line\n{json.dumps(figures)}\n", "")

    monkeypatch.setattr(bench.subprocess, "run", run)
    assert bench.main(["--quick", "--json", "--only", "crowd", "--sessions", "7"]) == 0
    told = json.loads(capsys.readouterr().out)["crowd"]
    assert set(told) == {*bench.SHOWN, "basis"}
    assert told["rival_orders_per_second"] is None
    assert told["basis"]["orders_due_per_second"] == 1.0
    sessions, visits = asked[0][-4], asked[0][-1]
    assert (sessions, visits) == ("7", str(bench.QUICK["crowd"][1]))
    assert bench.main(["--quick", "--only", "crowd"]) == 0
    assert "2.0 joins and 1.5 leaves a second" in capsys.readouterr().out


def test_a_part_that_fails_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "no room on the disk")

    monkeypatch.setattr(bench.subprocess, "run", run)
    assert bench.main(["--quick", "--json", "--only", "town"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {}
    assert "town: no room on the disk" in captured.err
