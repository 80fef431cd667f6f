"""What must run, and run well: the chain, the media server and the relayer."""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import trio

from offchain.cli.chain import with_ledger
from offchain.cli.checks import Check, failed, ok, skipped, warning
from offchain.cli.checks.machine import told
from offchain.cli.exits import Exit
from offchain.cli.failure import failure_of
from offchain.cli.output import short
from offchain.cli.ports import is_port_free, parse_listen
from offchain.cli.rest import ask

if TYPE_CHECKING:
    from offchain.ledger.client import Ledger

CHAIN_TIMEOUT_S: Final = 5.0
BLOCK_WAIT_S: Final = 15.0
FINALITY_WAIT_S: Final = 30.0
CLOCK_AHEAD_MS_MAX: Final = 8_000
"""A block's timestamp is as old as the slot and its way to us."""
CLOCK_BEHIND_MS_MAX: Final = 2_000
FINALITY_LAG_BLOCKS_MAX: Final = 20
_CHAIN_CHECKS: Final = ("Runtime", "Blocks", "Clock", "Finality")


def chain(url: str) -> list[Check]:
    """Check that the chain answers, speaks PayStream and advances; some seconds."""

    async def work(ledger: Ledger) -> list[Check]:
        found = [
            ok("Chain", f"{ledger.chain} at {url}, genesis {short(ledger.genesis_hash, 8)}"),
            ok("Runtime", f"{ledger.spec_name} {ledger.spec_version}, with PayStream"),
        ]
        final_before = (await ledger.finalized_head()).number
        found += await _blocks(ledger)
        found.append(await _finality(ledger, final_before))
        return found

    try:
        return with_ledger(url, work, timeout_s=CHAIN_TIMEOUT_S)
    except Exception as error:
        what = told(error)
        known = failure_of(error)
        if known is not None and known.exit_code == Exit.RUNTIME:
            return [ok("Chain", url), failed("Runtime", what, "see docs/chain-operator.md")]
        first = failed(
            "Chain", what, "start one with `paystream node`, or name another with --chain"
        )
        return [first, *(skipped(name, "no chain") for name in _CHAIN_CHECKS)]


async def _blocks(ledger: Ledger) -> list[Check]:
    """Wait for the next block, and hold its timestamp against this machine's clock."""
    start = (await ledger.best_head()).number
    with trio.move_on_after(BLOCK_WAIT_S):
        async with ledger.heads("best") as heads:
            async for head in heads:
                if head.number > start:
                    told = await ledger.clock(at=head.hash)
                    ahead_ms = int(time.time() * 1000) - told.time_ms
                    return [ok("Blocks", f"advancing, now {head.number}"), clock(ahead_ms)]
    return [
        failed(
            "Blocks",
            f"none after {start} in {BLOCK_WAIT_S:g} s",
            "start the validators; a stopped chain charges nobody",
        ),
        skipped("Clock", "no new block"),
    ]


def clock(ahead_ms: int) -> Check:
    """Judge by how much this machine's clock is ahead of the newest block's timestamp."""
    found = f"{ahead_ms / 1000:+.1f} s from the newest block"
    if -CLOCK_BEHIND_MS_MAX <= ahead_ms <= CLOCK_AHEAD_MS_MAX:
        return ok("Clock", found)
    remedy = "set this machine's clock by NTP: `sudo timedatectl set-ntp true`"
    return failed("Clock", found, remedy)


async def _finality(ledger: Ledger, before: int) -> Check:
    with trio.move_on_after(FINALITY_WAIT_S):
        while True:
            final, best = await ledger.finalized_head(), await ledger.best_head()
            if final.number > before:
                lag = best.number - final.number
                found = f"advancing, now {final.number}, {lag} block(s) behind"
                if lag <= FINALITY_LAG_BLOCKS_MAX:
                    return ok("Finality", found)
                return warning("Finality", found, "check that two thirds of validators run")
            await trio.sleep(0.5)
    return failed(
        "Finality",
        f"still at {before} after {FINALITY_WAIT_S:g} s",
        "run more than two thirds of the validators, with GRANDPA keys",
    )


def server(url: str, listen: str) -> Iterator[Check]:
    """Check the media server, and the port that it listens on or would."""
    try:
        health = ask(url, "GET", "/healthz")
    except Exception as error:
        what = told(error)
        port = _port(listen)
        yield failed("Server", what, "start it with `paystream serve`, or name it with --server")
        yield port
        return
    yield ok("Server", url)
    address = urlsplit(url)
    yield ok("Port", f"{address.hostname}:{address.port or address.scheme} is the server's")
    linked = health.get("relayer") if isinstance(health, dict) else None
    if linked in (True, "connected", "ok"):
        yield ok("Server's relayer", "connected")
    elif linked is not None:
        yield failed(
            "Server's relayer",
            "not connected",
            "start `paystream relay` with the same --socket as the server",
        )


def _port(listen: str) -> Check:
    host, port = parse_listen(listen)
    try:
        free = is_port_free(host, port)
    except OSError as error:
        return failed("Port", f"{listen}: {error.strerror}", "give another --listen")
    if free:
        return ok("Port", f"{listen} is free")
    return failed(
        "Port",
        f"{listen} is in use, and not by PayStream's server",
        "end that program, or give `paystream serve` another --listen",
    )


def relayer_socket(path: Path) -> Check:
    """Check that the relayer listens on its socket, and that nobody else may use it."""
    name = "Relayer's socket"
    start = "start it with `paystream relay`"
    try:
        about = path.stat()
    except FileNotFoundError:
        return failed(name, f"there is no {path}", start)
    except OSError as error:
        return failed(name, f"{path}: {error.strerror}", "check owner and mode of its directory")
    if not stat.S_ISSOCK(about.st_mode):
        return failed(name, f"{path} is no socket", "move it away, or choose another --socket")
    if about.st_uid != os.getuid() and not os.access(path, os.W_OK):
        return failed(
            name,
            f"{path} belongs to another user",
            "run server and relayer as the same user, or give the relayer --server-user",
        )
    if about.st_mode & stat.S_IRWXO:
        return failed(name, f"{path} is open to other users", f"`chmod 600 {path}`")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError as error:
            return failed(name, f"nobody answers at {path} ({error.strerror})", start)
    return ok(name, str(path))
