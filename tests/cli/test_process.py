"""The command as a process of its own: its streams, its exit code, its end."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from offchain.cli.exits import Exit

ROOT = Path(__file__).resolve().parents[2]


def run(
    tmp_path: Path, *arguments: str, stdin: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "offchain.cli", *arguments],
        cwd=ROOT,
        env=kept | {"XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)} | variables,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_json_alone_is_on_standard_output(tmp_path: Path) -> None:
    ran = run(tmp_path, "keys", "list", "--json")
    assert ran.returncode == 0
    assert json.loads(ran.stdout)["keys"] == []
    assert ran.stderr == ""


def test_no_command_is_help_and_a_usage_error(tmp_path: Path) -> None:
    assert run(tmp_path).returncode == Exit.USAGE
    assert run(tmp_path, "keys").returncode == Exit.USAGE


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["stream", "list", "--chain", "ws://127.0.0.1:1"], Exit.CHAIN),
        (["session", "close", "1-0", "--key", "//Alice", "--server", "http://127.0.0.1:1"],
         Exit.SERVER),
        (["keys", "show", "nobody"], Exit.KEYS),
        (["stream", "lisst"], Exit.USAGE),
        (["serve", "--listen", "nowhere"], Exit.USAGE),
    ],
)  # fmt: skip
def test_an_error_is_one_line_and_its_exit_code(
    tmp_path: Path, arguments: list[str], code: Exit
) -> None:
    ran = run(tmp_path, *arguments)
    assert ran.returncode == code, ran.stderr
    assert ran.stdout == ""
    assert ran.stderr.startswith("Error: ")
    assert len(ran.stderr.splitlines()) == 1


def test_a_traceback_is_for_who_asks(tmp_path: Path) -> None:
    ran = run(tmp_path, "keys", "show", "nobody", PAYSTREAM_DEBUG="1")
    assert "Traceback" in ran.stderr
    assert ran.returncode == Exit.KEYS


def test_a_reader_that_goes_away_is_no_news(tmp_path: Path) -> None:
    ran = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m offchain.cli keys list --json | true"],
        cwd=ROOT,
        env={"XDG_DATA_HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == ""


def test_a_password_is_asked_for_on_the_terminal_and_not_shown(tmp_path: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        command = [sys.executable, "-m", "offchain.cli", "keys", "new", "creator"]
        os.execve(sys.executable, command, {"XDG_DATA_HOME": str(tmp_path), "TERM": "dumb"})
    shown = b""
    try:
        for question in (b"New password for the key 'creator': ", b"The same again: "):
            shown += _read_until(terminal, question)
            os.write(terminal, b"correct horse\n")
        shown += _read_until(terminal, None)
    finally:
        os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert b"A new key" in shown
    assert b"correct" not in shown
    assert (tmp_path / "paystream" / "keys" / "creator.json").is_file()


def _read_until(terminal: int, end: bytes | None) -> bytes:
    """Read what the terminal shows until `end` is there, or until the program ends."""
    shown = b""
    while end is None or end not in shown:
        try:
            read = os.read(terminal, 4096)
        except OSError:  # Linux says so when the last writer has gone
            break
        if not read:
            break
        shown += read
    return shown
