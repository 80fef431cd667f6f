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
GUIDES = (
    "docs/developer.md",
    "docs/relayer-operator.md",
    "docs/creator-viewer.md",
    "docs/chain-operator.md",
    "docs/security.md",
    "README.md",
)
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
        "paystream keys backup /var/backups/paystream/keys",
        f"rm -r {STATE}/journal.sqlite* {STATE}/delegates",
    ),
    "paystream keys backup": (RELAYED, "install -d -m 700 /var/backups/paystream"),
    "paystream signer": (
        "install -d -m 700 /var/lib/paystream-signer /run/paystream-signer",
        "echo adopt = false > /etc/paystream/policy.toml",
    ),
}
"""What a reader has done before: a relayer has run, and perhaps journal and keys are lost; or a
policy is written."""
NOT_TYPED = {
    "db.example": "a machine that is not here",
    "scripts/": "what every other test does first",
    "cargo build": "a build of a quarter of an hour",
    "keys change-password": "passwords are typed at a terminal, and there is none",
    "keys rotate": "the same",
    "ffmpeg": "tests/programs/test_ffmpeg.py gives that line to the programs that it is for",
}
"""Blocks that are read and not typed, by a word of theirs, and why."""
FILLED_IN = {
    "STREAM": "0",
    "https://SERVER": "http://127.0.0.1:8080",
    "--key creator": "--key //Alice",
    ".venv/bin/paystream": "paystream",
}
"""What a reader puts in the place of another's words."""


def before(block: str) -> list[str]:
    """What earlier blocks of the guide have left for this one."""
    done: list[str] = []
    if "/etc/paystream/batch-password" in block:
        done += [line.replace("/password", "/batch-password") for line in PASSWORD]
    given = [step for word, steps in BEFORE.items() if word in block for step in steps]
    if "install -d -m 700 /etc/paystream " not in block and (
        given or "/etc/paystream/password" in block
    ):
        done += PASSWORD
    needs_chain = "paystream relay" in block or "--key //" in block or given
    if "paystream stream token" in block:
        done += ["paystream up", 'paystream stream create --key //Alice --rate "0.001 UNIT"']
    elif needs_chain and not any(f"paystream {way}" in block for way in ("node", "up")):
        done.append("paystream node")
    return done + given


def blocks() -> list[tuple[str, int, str]]:
    found = []
    for guide in GUIDES:
        text = (ROOT / guide).read_text()
        told = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for number, block in enumerate(told):
            filled_in = block
            for words, ours in FILLED_IN.items():
                filled_in = filled_in.replace(words, ours)
            found.append((guide, number, filled_in))
    return found


BLOCKS = [each for each in blocks() if not any(word in each[2] for word in NOT_TYPED)]


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
    for word in NOT_TYPED:
        assert any(word in block for _, _, block in blocks()), word
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
