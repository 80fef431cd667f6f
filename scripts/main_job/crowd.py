"""`python -m main_job.crowd`: many counting viewers in one process, each with its own account.

A process for each would spend a two-core machine on starting. What each viewer does is what
`paystream watch --count-only` does; the result is one JSON object by key name.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import trio

from main_job.rest import Rest
from offchain.amounts import parse_amount
from offchain.cli.payment import Delegate
from offchain.cli.rest import AccountSigner
from offchain.keys import Keystore, LocalKey
from offchain.ledger.client import Ledger, open_ledger
from offchain.ledger.types import Stream, Terms
from streaming.cli import WatchConfig, run_watch

GRANT_MS: Final = 86_400_000
GAP_MS: Final = 120_000
PAYING_AT_ONCE: Final = 8
JOIN_EVERY_S: Final = 0.6
"""Joins are spread: DTLS handshakes all at once would stand in each other's way."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m main_job.crowd")
    parser.add_argument("--chain", default=os.environ.get("PAYSTREAM_CHAIN"))
    parser.add_argument("--server", required=True)
    parser.add_argument("--stream", type=int, required=True)
    parser.add_argument("--key", action="append", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--deposit", required=True)
    return parser.parse_args()


async def pay(given: argparse.Namespace, keys: Sequence[LocalKey]) -> None:
    """Deposit and grant for every viewer, and wait until that is final."""
    limit = trio.CapacityLimiter(PAYING_AT_ONCE)
    async with open_ledger(given.chain) as ledger, trio.open_nursery() as nursery:
        for key in keys:
            nursery.start_soon(_pay_one, given, ledger, key, limit)


async def _pay_one(
    given: argparse.Namespace, ledger: Ledger, key: LocalKey, limit: trio.CapacityLimiter
) -> None:
    async with limit:
        rest = Rest(given.server)
        await rest.sign_in(key, "watch")
        terms = await rest.get(f"streams/{given.stream}/terms")
        delegate = Delegate.of_terms(terms)
        asset = (await _stream(ledger, given.stream)).asset
        currency = await ledger.currency(asset)
        amount = parse_amount(given.deposit, currency.symbol, currency.decimals)
        allowed = Terms(
            rate_max_per_second=int(terms["rate_per_second"]),
            cap=amount,
            sessions_max=1,
            gap_ms=GAP_MS,
            expires_at=await ledger.now_ms() + GRANT_MS,
            asset=asset,
        )
        await ledger.deposit_and_grant(
            key, amount, delegate.key, delegate.proof, allowed, wait="finalized"
        )


async def _stream(ledger: Ledger, number: int) -> Stream:
    stream = await ledger.stream(number)
    if stream is None:
        raise SystemExit(f"there is no stream {number} on this chain")
    return stream


async def _watch(
    given: argparse.Namespace, keys: Sequence[tuple[str, LocalKey]]
) -> dict[str, dict[str, Any]]:
    seen: dict[str, dict[str, Any]] = {}

    async def one(number: int, name: str, key: LocalKey) -> None:
        await asyncio.sleep(number * JOIN_EVERY_S)
        config = WatchConfig(
            server=given.server,
            stream=given.stream,
            signer=AccountSigner(key),
            seconds=given.seconds,
            count_only=True,
        )
        seen[name] = asdict(await run_watch(config))

    loop = asyncio.get_running_loop()
    tasks = [asyncio.create_task(one(at, name, key)) for at, (name, key) in enumerate(keys)]

    def leave() -> None:
        for task in tasks:
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave)
    await asyncio.gather(*tasks)
    return seen


def main() -> int:
    """Pay, watch, and print what each viewer saw."""
    given = _arguments()
    password = Path(os.environ["PAYSTREAM_PASSWORD_FILE"]).read_text()
    store = Keystore(Path(os.environ["PAYSTREAM_STATE_DIR"]) / "keys")
    keys = [(name, store.load(name, password)) for name in given.key]
    trio.run(pay, given, [key for _, key in keys])
    print(json.dumps(asyncio.run(_watch(given, keys))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
