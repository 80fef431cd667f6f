"""`scripts/simulate`: its options, its JSON, its exit status, and that a seed is told again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MINUTE = "1/1440"


def simulate(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PAYSTREAM_PYTHON": sys.executable,
        "PYTHONPATH": f"{ROOT / 'scripts'}:{ROOT}",
        "PYTHONHASHSEED": hash_seed,
    }
    command = [sys.executable, "-m", "simulate_faults", *arguments]
    return subprocess.run(
        command, env=environment, cwd=ROOT, check=False, capture_output=True, text=True
    )


def test_json_says_what_was_run_and_found() -> None:
    done = simulate("--seeds", "2", "--days", MINUTE, "--json")
    told = json.loads(done.stdout)
    assert done.returncode == (1 if told["failures"] else 0), done.stderr
    assert told.keys() == {
        "seeds", "rounds", "failures", "days", "simulated_s", "wall_s", "times_real_time",
        "faults",
    }  # fmt: skip
    assert (told["seeds"], round(told["days"] * 1440)) == (2, 1)
    assert told["simulated_s"] > 120
    assert told["times_real_time"] == pytest.approx(told["simulated_s"] / told["wall_s"], rel=0.01)


def test_a_seed_is_told_again_with_the_same_digest() -> None:
    first, second = (simulate("--seed", "5", "--days", MINUTE).stdout for _ in range(2))
    assert first.splitlines()[-1] == second.splitlines()[-1]
    assert first.splitlines()[-1].startswith("digest ")
    assert "relayer-up process=1" in first


def test_several_processes_find_the_same() -> None:
    one, two = (
        [
            line.rsplit(", ", 1)[-1]  # the digest; times differ
            for line in simulate(
                "--seeds", "2", "--days", MINUTE, "--jobs", jobs
            ).stdout.splitlines()
            if line.startswith("seed ")
        ]
        for jobs in ("1", "2")
    )
    assert one == two
    assert len(one) == 2


@pytest.mark.parametrize(
    ("arguments", "what"),
    [(("--seeds", "0"), "at least 1"), (("--days", "0"), "more than 0"), (("--jobs", "-1"), "1")],
)
def test_what_cannot_be_run_is_said(arguments: tuple[str, ...], what: str) -> None:
    done = simulate(*arguments)
    assert done.returncode == 2
    assert what in done.stderr


def test_without_a_fixed_hash_seed_nothing_is_run() -> None:
    done = simulate("--seeds", "1", hash_seed="random")
    assert done.returncode == 2
    assert "scripts/simulate" in done.stderr
