"""What a machine must have, whether or not anything of PayStream runs on it."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from offchain.cli.checks import Check, failed, ok, skipped, warning
from offchain.cli.failure import Failure, failure_of
from offchain.cli.node import find_node
from offchain.cli.wallets import Names

PYTHON_LEAST: Final = (3, 11)
NEEDED: Final = (
    ("ahocorasick-rs", ">=1.0.3"),
    ("aiohttp", ">=3.14"),
    ("aiortc", "==1.16.0"),
    ("av", ">=18"),
    ("confusable-homoglyphs", ">=3.3.1"),
    ("markdown-it-py", ">=4.3"),
    ("msgspec", ">=0.22"),
    ("nh3", ">=0.3.8"),
    ("prometheus-client", ">=0.23"),
    ("py-ed25519-zebra-bindings", ">=1.3"),
    ("py-sr25519-bindings", ">=0.2.4"),
    ("pynacl", ">=1.6"),
    ("rich", ">=15"),
    ("scalecodec", ">=1.2.12"),
    ("structlog", ">=25.5"),
    ("substrate-interface", "==1.8.1"),
    ("trio", ">=0.35"),
    ("trio-websocket", ">=0.12.2"),
    ("typer", ">=0.29"),
)
"""What pyproject.toml asks for; a test holds the two together."""
MIB: Final = 1 << 20
FREE_MIB_LEAST: Final = 100
RECEIVE_BUFFER_MIB: Final = 4
"""What the media server asks for a publisher's socket."""
FREE_MIB_FEW: Final = 1024
INSTALL: Final = "`pipx install --force paystream`, or `scripts/setup` in a checkout"


def python_version() -> Check:
    """Check the interpreter."""
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info >= PYTHON_LEAST:
        return ok("Python", found)
    return failed("Python", found, "install Python 3.11 or newer, and paystream with it")


def packages() -> Check:
    """Check that every package is there in a version that fits."""
    wrong = []
    for name, wanted in NEEDED:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{name} is missing")
            continue
        if not version_fits(version, wanted):
            wrong.append(f"{name} {version} is not {wanted}")
    if wrong:
        return failed("Packages", "; ".join(wrong), f"install them again: {INSTALL}")
    for rival in ("cyscale",):
        try:
            version = metadata.version(rival)
        except metadata.PackageNotFoundError:
            continue
        return failed(
            "Packages",
            f"{rival} {version} takes the place of scalecodec",
            f"remove it (`pip uninstall {rival}`), then {INSTALL}",
        )
    return ok("Packages", f"all {len(NEEDED)} in versions that fit")


def version_fits(version: str, wanted: str) -> bool:
    """Compare release numbers: `wanted` is `==1.2.3` or `>=1.2`."""
    operator, number = wanted[:2], wanted[2:]
    have, want = _release(version), _release(number)
    length = max(len(have), len(want))
    have, want = have + (0,) * (length - len(have)), want + (0,) * (length - len(want))
    return have == want if operator == "==" else have >= want


def _release(version: str) -> tuple[int, ...]:
    numbers = []
    for part in version.split("."):
        digits = part[: next((at for at, c in enumerate(part) if not c.isdigit()), len(part))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def ffmpeg() -> Check:
    """Check for the program that makes the demo's video."""
    program = shutil.which("ffmpeg")
    remedy = "only scripts/demo needs it: `sudo apt-get install ffmpeg`"
    if program is None:
        return warning("ffmpeg", "not on PATH", remedy)
    try:
        done = subprocess.run(
            [program, "-version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return warning("ffmpeg", f"{program} does not run: {error}", remedy)
    first = done.stdout.splitlines()[0] if done.stdout else ""
    return ok("ffmpeg", " ".join(first.split()[:3]) or program)


def node_program(given: Path | None) -> Check:
    """Check for the reference node's program, which may also run elsewhere."""
    try:
        return ok("Node program", str(find_node(given)))
    except Failure as failure:
        what, _, remedy = failure.message.partition(": ")
        return warning("Node program", what, remedy + "; a chain elsewhere needs none here")


def state_directory(state: Path) -> Iterator[Check]:
    """Check mode, owner and free space of the state directory."""
    name = "State directory"
    existing = state
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        about = existing.stat()
        free_mib = shutil.disk_usage(existing).free // MIB
    except OSError as error:
        yield failed(name, f"{existing}: {error.strerror}", "choose another with --state-dir")
        return
    if existing != state:
        if os.access(existing, os.W_OK):
            yield ok(name, f"{state} will be made")
        else:
            yield failed(name, f"{existing} cannot be written", "choose another with --state-dir")
    elif not stat.S_ISDIR(about.st_mode):
        yield failed(name, f"{state} is no directory", "choose another with --state-dir")
    elif about.st_uid != os.getuid():
        yield failed(name, f"{state} belongs to another user", f"`sudo chown $USER {state}`")
    elif about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = f"{stat.S_IMODE(about.st_mode):04o}"
        yield failed(name, f"{state} has mode {mode}", f"`chmod 700 {state}`")
    elif not os.access(state, os.W_OK):
        yield failed(name, f"{state} cannot be written", f"`chmod u+w {state}`")
    else:
        yield ok(name, str(state))
    if free_mib < FREE_MIB_LEAST:
        yield failed("Disk space", f"{free_mib} MiB free", "make room: the journal needs it")
    elif free_mib < FREE_MIB_FEW:
        yield warning("Disk space", f"{free_mib} MiB free", "make room before long")
    else:
        yield ok("Disk space", f"{free_mib / 1024:.1f} GiB free")


def journal_lock(state: Path) -> Check:
    """Tell whether a relayer holds the journal."""
    name, journal = "Journal", state / "journal.sqlite"
    lock = journal.with_name(journal.name + ".lock")
    if not journal.exists():
        return ok(name, "none yet; the relayer makes it")
    if not os.access(journal, os.R_OK | os.W_OK):
        return failed(name, f"{journal} cannot be written", f"`sudo chown $USER {journal}`")
    if not lock.exists():
        return ok(name, f"{journal}, in nobody's use")
    try:
        with lock.open() as handle:
            owner = handle.read(32).strip()
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return ok(name, f"in use by the relayer, process {owner or 'unknown'}")
    except OSError as error:
        return failed(name, f"{lock}: {error.strerror}", "check owner and mode")
    return ok(name, f"{journal}, in nobody's use")


def keystore(names: Names) -> Check:
    """Check that every key file can be read; no password is needed for that."""
    from offchain.keys import KeystoreError

    title = "Keystore"
    try:
        found = names.names()
    except OSError as error:
        return failed(title, f"{names.keys_dir}: {error.strerror}", "check owner and mode")
    if not found:
        return warning(
            title,
            f"no key in {names.keys_dir}",
            "`paystream keys new NAME`, or use a development key such as //Alice",
        )
    for name in found:
        try:
            names.keystore().show(name)
        except KeystoreError as error:
            what, _, remedy = str(error).partition(": ")
            return failed(title, what, remedy or "restore it from a backup")
    return ok(title, f"{len(found)} key(s) in {names.keys_dir}")


def loopback_udp() -> Check:
    """Send a datagram to ourselves: media on one machine needs no more."""
    name = "UDP on loopback"
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", 0))
            receiver.settimeout(2)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"paystream", receiver.getsockname())
                if receiver.recv(64) == b"paystream":
                    return ok(name, "datagrams arrive")
    except OSError as error:
        return failed(name, str(error), "allow UDP on lo in the firewall (`nft list ruleset`)")
    return failed(name, "another datagram arrived", "run this again")


def receive_buffer() -> Check:
    """Check how much room the kernel gives a socket: a publisher's bursts wait there."""
    name = "Receive buffer"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_MIB * MIB)
        granted = probe.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
    found = f"{granted / MIB:.1f} MiB"
    if granted >= RECEIVE_BUFFER_MIB * MIB // 2:
        return ok(name, found)
    wanted = RECEIVE_BUFFER_MIB * MIB
    return warning(
        name,
        f"{found}; many viewers and large keyframes want {RECEIVE_BUFFER_MIB}",
        f"`sudo sysctl -w net.core.rmem_max={wanted}`, and in /etc/sysctl.d to keep it",
    )


def media_addresses(
    ice_hosts: Sequence[str], listen_host: str, udp_ports: tuple[int, int] | None
) -> Iterator[Check]:
    """Try the addresses that peers would be offered, as the server does at its start."""
    name = "Media address"
    try:
        from streaming.cli import ServeConfig, try_media

        config = ServeConfig(
            socket=Path(),
            listen_host=listen_host,
            ice_hosts=tuple(ice_hosts),
            udp_ports=udp_ports,
        )
        found = try_media(config)
    except ImportError:
        yield skipped(name, "the package aiortc is missing")
        return
    for reach in found:
        if reach.state == "open":
            yield ok(name, reach.found)
        else:
            say = failed if reach.own else warning
            yield say(name, reach.found, reach.remedy)
    if all(ipaddress.ip_address(reach.address).is_loopback for reach in found):
        yield warning(
            name,
            "only loopback",
            "viewers elsewhere need an address: connect a network, then `paystream serve "
            "--ice-host IP`",
        )


def told(error: Exception) -> str:
    """Say an expected error in one line; let a defect through."""
    known = failure_of(error)
    if known is None:
        raise error
    return known.message
