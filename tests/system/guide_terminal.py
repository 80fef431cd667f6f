"""Types a guide's block of commands, as a reader would: one after another, processes that run on in
terminals of their own. Runs in namespaces of its own: ports, /etc and /var/lib belong to it alone.

    unshare --net --mount --pid --fork --kill-child python guide_terminal.py DIRECTORY < BLOCK

Says on standard output what was typed and what came of it; exit code 1 if something did not come.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

RUNS_ON = ("up", "node", "relay", "serve", "signer", "publish")
READY = re.compile(r'"event": ?"(ready|live)"|PayStream is up')
READY_WITHIN_S = 120.0
ENDS_WITHIN_S = 180.0
CHANGED = ("/etc", "/run", "/var/lib", "/var/backups")


def commands(block: str) -> list[tuple[str, list[str]]]:
    """The commands of a block, each with the lines that it is said to print."""
    found: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if found and is_open(found[-1][0]):
            found[-1] = (f"{found[-1][0]}\n{line}", [])
        elif line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def is_open(command: str) -> bool:
    try:
        shlex.split(command, comments=True)
    except ValueError:  # a quotation that goes on
        return True
    return command.endswith("\\")


def runs_on(command: str) -> bool:
    words = shlex.split(command, comments=True)
    return (words[0] == "paystream" and words[1] in RUNS_ON) or words[:2] == ["python", "-m"]


def matches(expected: list[str], said: str) -> bool:
    """Whether each expected line stands there; `...` is anything."""
    for line in expected:
        pattern = ".*".join(re.escape(part) for part in line.split("..."))
        if not re.search(f"^{pattern}$", said, re.MULTILINE):
            return False
    return True


def own_machine(directory: Path) -> None:
    """Make a network, and let what is written into the machine's directories go to ours."""
    # an address that is not loopback, as every machine has one
    for what in ("link set lo up", "address add 192.0.2.10/32 dev lo"):
        subprocess.run(["ip", *what.split()], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "guide", directory], check=True)
    for place in CHANGED:
        upper, work = (directory / f"{kind}{place.replace('/', '-')}" for kind in ("upper", "work"))
        upper.mkdir()
        work.mkdir()
        layers = f"lowerdir={place},upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, place], check=True)


def start(command: str, home: Path, number: int) -> tuple[str, bool]:
    """Start what runs on, and wait until it says that it is ready."""
    log = home / f"{number}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            ["bash", "-c", command], stdout=file, stderr=subprocess.STDOUT, cwd=home
        )
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        said = log.read_text(errors="replace")
        is_node = "paystream node" in command and "Idle" in said
        if is_node or READY.search(said):
            return said, True
        time.sleep(0.1)
    return log.read_text(errors="replace"), False


def run(command: str, home: Path) -> tuple[str, bool]:
    ended = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        timeout=ENDS_WITHIN_S,
        stdin=subprocess.DEVNULL,
    )
    return ended.stdout + ended.stderr, ended.returncode == 0


def main() -> int:
    block = sys.stdin.read()
    directory = Path(sys.argv[1])
    own_machine(directory)
    home = directory / "home"
    home.mkdir()
    for number, (command, expected) in enumerate(commands(block)):
        said, worked = start(command, home, number) if runs_on(command) else run(command, home)
        sys.stdout.write(f"$ {command}\n{said}\n")
        if not worked or not matches(expected, said):
            sys.stdout.write(f"-- this should have worked, and said: {expected}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
