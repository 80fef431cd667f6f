"""Follows a chain's blocks: what each held, when it came, and when it was final."""

from __future__ import annotations

import struct
import time
from collections import Counter
from typing import Any, Final

import trio

from ledger_costs.event_scan import EventScan, Name
from ledger_costs.judging import Block
from offchain.ledger.client import Ledger
from offchain.ledger.types import Head

DONE: Final[Name] = ("PayStream", "BatchDone")
ORDER_FAILED: Final[Name] = ("PayStream", "OrderFailed")
EXTRINSIC_FAILED: Final[Name] = ("System", "ExtrinsicFailed")
TRANSFER: Final[Name] = ("Balances", "Transfer")
_FIXED_OF_FAILURE: Final = 12
"""Bytes of grant and index before an `OrderFailed`'s error."""


def now_ms() -> float:
    """Give this machine's clock, which is the node's too, in unix milliseconds."""
    return time.time() * 1_000


class Follower:
    """Reads each block of the best chain once, in order; run `follow` and `follow_finality`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._scan = EventScan(ledger.runtime)
        self._errors = _error_type(ledger)
        self._keys = {
            name: ledger.runtime.key(*name)
            for name in (("System", "Events"), ("System", "BlockWeight"), ("Timestamp", "Now"))
        }
        self._came = trio.Condition()
        self.blocks: list[Block] = []
        self.finalized: Head | None = None
        self.finality_ms: dict[int, float] = {}
        """By number: when we were told that a block is final (unix)."""
        self.behind_blocks: list[int] = []
        """Blocks between the best and the final one, at each word of finality."""
        self.reasons: Counter[str] = Counter()
        """Why orders failed."""
        self.failed_extrinsics = 0

    async def follow(self) -> None:
        """Read blocks for ever."""
        send, receive = trio.open_memory_channel[tuple[Head, float]](1_000)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._stamp, send)
            async for head, arrived_ms in receive:
                last = self.blocks[-1].number if self.blocks else head.number - 1
                for number in range(last + 1, head.number):
                    missing = await self._ledger.block_hash(number)
                    if missing is not None:
                        await self._read(number, missing, arrived_ms)
                if head.number > last:
                    await self._read(head.number, head.hash, arrived_ms)

    async def _stamp(self, send: trio.MemorySendChannel[tuple[Head, float]]) -> None:
        """Take the time of each head, whatever the reading of the last block takes."""
        async with send, self._ledger.heads("best") as heads:
            async for head in heads:
                await send.send((head, now_ms()))

    async def follow_finality(self) -> None:
        """Take the time of each final head for ever."""
        async with self._ledger.heads("finalized") as heads:
            async for head in heads:
                self.finality_ms.setdefault(head.number, now_ms())
                self.finalized = head
                if self.blocks:
                    self.behind_blocks.append(max(0, self.blocks[-1].number - head.number))

    async def next_block(self) -> Block:
        """Wait for the next block that is read."""
        count = len(self.blocks)
        async with self._came:
            while len(self.blocks) == count:
                await self._came.wait()
        return self.blocks[-1]

    async def _read(self, number: int, block_hash: str, arrived_ms: float) -> None:
        answer = await self._ledger.rpc.call(
            "state_queryStorageAt", [list(self._keys.values()), block_hash]
        )
        raw: dict[str, str | None] = dict(answer[0]["changes"])
        events = raw[self._keys["System", "Events"]]
        found = self._scan.scan(bytes.fromhex((events or "0x00")[2:]), (DONE, ORDER_FAILED))
        done = [struct.unpack("<III", fields) for name, fields in found.wanted if name == DONE]
        for name, fields in found.wanted:
            if name == ORDER_FAILED:
                self.reasons[self._reason(fields)] += 1
        self.failed_extrinsics += found.counts[EXTRINSIC_FAILED]
        weights = self._value("System", "BlockWeight", raw)
        block = Block(
            number=number,
            timestamp_ms=int(self._value("Timestamp", "Now", raw)),
            arrived_ms=arrived_ms,
            weight_us=sum(part["ref_time"] for part in weights.values()) / 1e6,
            normal_weight_us=weights["normal"]["ref_time"] / 1e6,
            counted=sum(counted for counted, _, _ in done),
            failed=sum(failed for _, _, failed in done),
            batches=len(done) + found.counts[EXTRINSIC_FAILED],
            transfers=found.counts[TRANSFER],
        )
        async with self._came:
            self.blocks.append(block)
            self._came.notify_all()

    def _value(self, pallet: str, item: str, raw: dict[str, str | None]) -> Any:
        return self._ledger.runtime.value(pallet, item, raw[self._keys[pallet, item]])

    def _reason(self, fields: bytes) -> str:
        error = self._ledger.runtime.decode(self._errors, fields[_FIXED_OF_FAILURE:])
        return self._ledger.runtime.dispatch_error(error).name


def _error_type(ledger: Ledger) -> str:
    """Name the type of an error as scalecodec does."""
    for entry in ledger.runtime.metadata.portable_registry.value["types"]:
        if entry["type"]["path"] == ["sp_runtime", "DispatchError"]:
            return f"scale_info::{entry['id']}"
    raise ledger.runtime.wrong("it has no type sp_runtime::DispatchError")
