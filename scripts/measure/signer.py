"""How many orders a second the signer signs, over its socket and with its disk.

The signer is the real process; this one is the relayer's keyring. Every order is judged, is on the
disk and is signed. The rival, in the same run: substrate-interface's key pair, which signs what it
is given and remembers nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio
from substrateinterface import Keypair

from measure.figures import Figure
from offchain.keys.signer import dev_key
from offchain.ledger.orders import Open, Order, Tick, order_message
from offchain.ledger.types import DelegateKey, Grant
from offchain.relayer.keyring import Asked
from offchain.relayer.remote_keyring import RemoteKeyring, open_remote_keyring

GENESIS: Final = "0x" + "11" * 32
PALLET_INDEX: Final = 10
TICKS_EACH: Final = 5
AT_ONCE: Final = 2_048
ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class _Chain:
    genesis_hash: str = GENESIS
    pallet_index: int = PALLET_INDEX


def measure(sessions: int) -> Sequence[Figure]:
    """Open so many sessions, then send ticks of each."""
    with tempfile.TemporaryDirectory() as directory, _signer(Path(directory)) as path:
        opens, ticks = trio.run(_play, path, sessions)
    rival = _rival(sessions * TICKS_EACH)
    return (
        Figure(name="opens judged, on disk and signed", value=opens, unit="/s"),
        Figure(
            name="ticks judged, on disk and signed",
            value=ticks,
            unit="/s",
            target=">= 5,000",
            rival="substrate-interface's key pair, which only signs",
            rival_value=rival,
            basis="one signer process, asked by one relayer over its socket",
        ),
    )


@contextmanager
def _signer(directory: Path) -> Iterator[Path]:
    password = directory / "password"
    password.write_text("for this measurement\n")
    password.chmod(0o600)
    process = subprocess.Popen(
        [sys.executable, "-m", "offchain.cli", "signer", "--json"],
        env=os.environ
        | {
            "PAYSTREAM_STATE_DIR": str(directory / "state"),
            "PAYSTREAM_PASSWORD_FILE": str(password),
            "PYTHONPATH": str(ROOT),
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline() if process.stdout is not None else ""
        yield Path(json.loads(line)["socket"])
    finally:
        process.terminate()
        process.communicate(timeout=10)


async def _play(path: Path, sessions: int) -> tuple[float, float]:
    viewer = dev_key("Alice").address
    async with open_remote_keyring(path, _Chain()) as keyring:
        name, public = await keyring.delegate(viewer, 0)
        entry = _grant(viewer, public)
        opening = Open(index=0, stream=1, rate_per_second=10, funds=5_000, start_at=0)
        opens = await _rate(keyring, name, entry, [(n, opening) for n in range(sessions)])
        ticks: list[tuple[int, Order]] = [
            (n, Tick(index=0, seconds=seconds))
            for seconds in range(1, TICKS_EACH + 1)
            for n in range(sessions)
        ]
        return opens, await _rate(keyring, name, entry, ticks)


async def _rate(
    keyring: RemoteKeyring, name: str, entry: Grant, orders: Sequence[tuple[int, Order]]
) -> float:
    waiting = iter(orders)

    async def one() -> None:
        for grant, order in waiting:
            await keyring.sign(Asked(key=name, grant=grant, order=order, entry=entry), _Chain())

    began = time.monotonic()
    async with trio.open_nursery() as nursery:
        for _ in range(min(AT_ONCE, len(orders))):
            nursery.start_soon(one)
    return len(orders) / (time.monotonic() - began)


def _grant(viewer: str, public: bytes) -> Grant:
    return Grant(
        viewer=viewer,
        key=DelegateKey(scheme="sr25519", public=public),
        asset=None,
        rate_max_per_second=10,
        cap=10_000,
        cap_left=10_000,
        spent=0,
        tips_left=0,
        renewals_left=0,
        gap_ms=120_000,
        created_at=0,
        expires_at=10**13,
        sessions_max=1,
        open=(),
        next_index=0,
        opened_at=0,
        freed_end_at=0,
        seconds=0,
        ended_at=10**13,
        deposit=0,
    )


def _rival(count: int) -> float:
    pair = Keypair.create_from_uri("//Alice")
    began = time.monotonic()
    for number in range(count):
        pair.sign(order_message(GENESIS, PALLET_INDEX, number, Tick(index=0, seconds=5)))
    return count / (time.monotonic() - began)
