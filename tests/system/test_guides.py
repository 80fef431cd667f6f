"""The guides followed word for word: each block of commands is typed on a fresh machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.guide_terminal import commands, is_open, matches, runs_on
from tests.system.node_process import node_binary

ROOT = Path(__file__).parents[2]
GUIDES = ("docs/developer.md", "docs/relayer-operator.md")
TERMINAL = ROOT / "tests/system/guide_terminal.py"
PASSWORD = (
    "install -d -m 700 /etc/paystream",
    "install -m 600 /dev/null /etc/paystream/password",
    "echo a password > /etc/paystream/password",
)
RELAYED = (
    "timeout --foreground --preserve-status 15 "
    "paystream relay --password-file /etc/paystream/password"
)
BACKUP = "/var/backups/paystream/journal.sqlite"
STATE = "~/.local/share/paystream"
BEFORE = {
    "journal backup": (RELAYED, "install -d -m 700 /var/backups/paystream"),
    "journal restore": (
        RELAYED,
        "install -d -m 700 /var/backups/paystream",
        f"paystream journal backup {BACKUP}",
        f"rm {STATE}/journal.sqlite*",
    ),
}
"""What a reader has done before: a relayer has run, and perhaps its journal is lost."""
ELSEWHERE = "db.example"
"""A machine that is not here: what names it is read, and not typed."""


def before(block: str) -> list[str]:
    """What earlier blocks of the guide have left for this one."""
    done: list[str] = []
    given = [step for word, steps in BEFORE.items() if word in block for step in steps]
    if "install -d -m 700 /etc/paystream " not in block and (
        given or "/etc/paystream/password" in block
    ):
        done += PASSWORD
    if ("paystream relay" in block or given) and "paystream node" not in block:
        done.append("paystream node")
    return done + given


def blocks() -> list[tuple[str, int, str]]:
    found = []
    for guide in GUIDES:
        text = (ROOT / guide).read_text()
        told = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        found += [(guide, number, block) for number, block in enumerate(told)]
    return found


BLOCKS = [each for each in blocks() if ELSEWHERE not in each[2]]


@pytest.mark.system
@pytest.mark.parametrize(
    ("guide", "number", "block"),
    BLOCKS,
    ids=[f"{Path(guide).stem}-{number}" for guide, number, _ in BLOCKS],
)
def test_a_block_works_as_it_stands(guide: str, number: int, block: str, tmp_path: Path) -> None:
    typed = "".join(f"$ {line}\n" for line in before(block)) + block
    path = [str(Path(sys.executable).parent), str(node_binary().parent), os.environ["PATH"]]
    namespaces = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"]
    if os.geteuid() != 0:
        namespaces.append("--map-root-user")
    done = subprocess.run(
        [*namespaces, sys.executable, str(TERMINAL), str(tmp_path)],
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={
            "PATH": ":".join(path),
            "HOME": str(tmp_path / "home"),
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "scripts")]),
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_guide_has_blocks_that_are_tried() -> None:
    assert {guide for guide, _, _ in BLOCKS} == set(GUIDES)
    assert len(BLOCKS) >= 8


def test_a_block_is_read_as_a_reader_types_it() -> None:
    block = '$ one "a\nb" \\\n    more   # said\nout ... put\n$ paystream serve --x\n'
    assert commands(block) == [
        ('one "a\nb" \\\n    more   # said', ["out ... put"]),
        ("paystream serve --x", []),
    ]
    assert is_open("one \\")
    assert is_open("one 'a")
    assert not is_open("one # it's")
    assert runs_on("paystream up --json  # it's")
    assert not runs_on("paystream keys new x")
    assert matches(["out ... put"], "first\nout and put\n")
    assert not matches(["out"], "out and put\n")
