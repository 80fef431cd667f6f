"""What the demo shows: every figure that was promised, within the terminal's width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from main_job.state import JobState, ViewerState
from main_job.view import View, render

MILLI = 10**9


def job(viewers: int) -> JobState:
    """A job in the middle of watching."""
    state = JobState(seconds=30, rate_per_second=MILLI, stream=7, phase="watching")
    state.best_block, state.finalized_block = 31, 29
    state.earned, state.claimed = 33 * MILLI, 0
    for number in range(viewers):
        state.viewers.append(
            ViewerState(
                f"viewer-{number + 1}",
                "5F",
                phase="watching",
                session=f"{number}-0",
                delivered_ms=12_345,
                paid_seconds=11,
                paid=11 * MILLI,
                runway_seconds=3_725,
            )
        )
    return state


def drawn(state: JobState, width: int) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO(), force_terminal=True)
    console.print(render(state))
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("viewers", [1, 3, 100])
def test_every_promised_figure_is_there_and_fits(width: int, viewers: int) -> None:
    lines = drawn(job(viewers), width)
    text = "\n".join(lines)
    assert max(len(line) for line in lines) <= width
    for figure in (
        "12.3 s",
        "11 s",
        "0.011000",
        "1 h 2 min",
        "0.033000",
        "31",
        "29",
        "0.001 UNIT/s",
    ):
        assert figure in text, figure
    assert "…" not in text


def test_many_viewers_are_summed_up_and_not_left_out() -> None:
    text = "\n".join(drawn(job(100), 80))
    assert "+ 88 more" in text
    assert f"{88 * 11} s" in text


def test_without_a_terminal_there_are_plain_lines() -> None:
    file = io.StringIO()
    view = View(job(3), Console(file=file, width=80))
    with view.shown():
        view.refresh()
        view.refresh()
    text = file.getvalue()
    assert text.count("\n") == 1, "a line for each phase, not for each refresh"
    assert "3 of 3 watching" in text
    assert "paid 33 s" in text
    assert "\x1b" not in text
