"""`python -m main_job.in_browser`: publisher or viewers as pages in headless Chromium.

Speaks as our own clients do: a publisher prints `{"event":"live"}` and freezes on SIGUSR1, viewers
print what they saw, as one JSON object by key name. The keys stay here; the pages have a wallet.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from offchain.keys import Keystore, LocalKey
from streaming.clients.browser import (
    BrowserFailed,
    Wallet,
    chromium,
    publish_in_browser,
    watch_in_browser,
)

MINUTES_OF_DEPOSIT = 10


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m main_job.in_browser")
    parser.add_argument("role", choices=("publish", "watch"))
    parser.add_argument("--server", required=True)
    parser.add_argument("--stream", type=int, required=True)
    parser.add_argument("--key", action="append", required=True)
    parser.add_argument("--seconds", type=float, default=None)
    parser.add_argument("--stall", type=float, default=0.0)
    return parser.parse_args()


def _wallet(name: str) -> Wallet:
    password = Path(os.environ["PAYSTREAM_PASSWORD_FILE"]).read_text()
    keys = Keystore(Path(os.environ["PAYSTREAM_STATE_DIR"]) / "keys")
    key: LocalKey = keys.load(name, password)
    return Wallet(address=key.address, name=name, sign=key.sign)


def _end_event() -> asyncio.Event:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    return ended


async def _publish(given: argparse.Namespace) -> None:
    hold, until = asyncio.Event(), _end_event()
    loop = asyncio.get_running_loop()

    def freeze() -> None:
        hold.set()
        loop.call_later(given.stall, hold.clear)

    loop.add_signal_handler(signal.SIGUSR1, freeze)
    async with chromium() as browser:
        await publish_in_browser(
            browser,
            given.server,
            given.stream,
            _wallet(given.key[0]),
            until=until,
            on_live=lambda: print(json.dumps({"event": "live"}), flush=True),
            hold=hold,
        )


async def _watch(given: argparse.Namespace) -> None:
    until = _end_event()
    seen: dict[str, dict[str, Any]] = {}
    async with chromium() as browser:

        async def one(name: str) -> None:
            seen[name] = await watch_in_browser(
                browser,
                given.server,
                given.stream,
                _wallet(name),
                seconds=given.seconds,
                until=until,
                watch_minutes=MINUTES_OF_DEPOSIT,
            )

        async with asyncio.TaskGroup() as group:
            for name in given.key:
                group.create_task(one(name))
    print(json.dumps(seen), flush=True)


def main() -> int:
    """Run one role until it ends; 1 with the reason on standard error if it fails."""
    given = _arguments()
    code = 0
    try:
        asyncio.run(_publish(given) if given.role == "publish" else _watch(given))
    except* BrowserFailed as failures:
        for failure in failures.exceptions:
            print(f"Error: {failure}", file=sys.stderr)
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
