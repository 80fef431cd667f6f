"""`python -m rough_day.staying`: counting viewers who come back, whatever happens, until SIGTERM.

They do what the page does: while the connection stands they watch, and when it is lost for good
they join again. Each second a line on standard output says what each has watched, and the last one
what each has seen in all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

import trio

from main_job.crowd import JOIN_EVERY_S, pay
from offchain.cli.rest import AccountSigner
from offchain.keys import Keystore, LocalKey
from streaming.cli import WatchConfig, run_watch
from streaming.clients.rest_client import ClientError

AGAIN_S: Final = 1.0
"""How long a viewer waits before it joins again."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m rough_day.staying")
    parser.add_argument("--chain", default=os.environ.get("PAYSTREAM_CHAIN"))
    parser.add_argument("--server", required=True)
    parser.add_argument("--stream", type=int, required=True)
    parser.add_argument("--key", action="append", required=True)
    parser.add_argument("--deposit", required=True)
    return parser.parse_args()


class Staying:
    """One viewer, over as many joins as it takes."""

    def __init__(self, given: argparse.Namespace, name: str, key: LocalKey) -> None:
        self._name = name
        self._earlier: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        """Joins that were refused, and what ended those that were not, by code."""
        self._config = WatchConfig(
            server=given.server,
            stream=given.stream,
            signer=AccountSigner(key),
            count_only=True,
            on_progress=self._progress,
        )

    async def stay(self, leaving: asyncio.Event) -> None:
        """Watch, and join again, until `leaving` is set and this task is cancelled."""
        while not leaving.is_set():
            try:
                result = await run_watch(self._config)
            except ClientError as error:
                self.refusals[error.code] += 1
            else:
                self._earlier["watched_ms"] += result.watched_ms
                self._earlier["freezes_ms"] += result.freezes_ms
                self._earlier["frames_decoded"] += result.frames_decoded
                self._earlier["connections"] += result.reconnects + 1
                self._earlier["joins"] += 1
                if not leaving.is_set():
                    self.refusals[result.end_reason] += 1
            if not leaving.is_set():
                await asyncio.sleep(AGAIN_S)

    def _progress(self, progress: dict[str, Any]) -> None:
        if "watched_ms" in progress:
            total_ms = self._earlier["watched_ms"] + progress["watched_ms"]
            told = {"event": "watched", "name": self._name, "watched_ms": total_ms}
            print(json.dumps(told), flush=True)

    def seen(self) -> dict[str, Any]:
        """Give what this viewer has seen in all."""
        names = ("watched_ms", "freezes_ms", "frames_decoded", "connections", "joins")
        return {name: self._earlier[name] for name in names} | {"refusals": dict(self.refusals)}


async def _watch(viewers: dict[str, Staying]) -> None:
    leaving = asyncio.Event()

    async def one(number: int, viewer: Staying) -> None:
        await asyncio.sleep(number * JOIN_EVERY_S)
        await viewer.stay(leaving)

    tasks = [
        asyncio.create_task(one(number, viewer)) for number, viewer in enumerate(viewers.values())
    ]

    def leave() -> None:
        leaving.set()
        for task in tasks:
            task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave)
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        # A viewer that leaves while it waits to join again has nothing to finish.
        if isinstance(ended, BaseException) and not isinstance(ended, asyncio.CancelledError):
            raise ended


def main() -> int:
    """Pay, stay until SIGTERM, and print what each viewer saw."""
    given = _arguments()
    password = Path(os.environ["PAYSTREAM_PASSWORD_FILE"]).read_text()
    store = Keystore(Path(os.environ["PAYSTREAM_STATE_DIR"]) / "keys")
    keys = {name: store.load(name, password) for name in given.key}
    trio.run(pay, given, list(keys.values()))
    viewers = {name: Staying(given, name, key) for name, key in keys.items()}
    asyncio.run(_watch(viewers))
    print(json.dumps({name: viewer.seen() for name, viewer in viewers.items()}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
