"""The rival: signed transfers of the native token, as fast as the node takes them.

They are signed before, of all well-known accounts, and handed in over HTTP in arrays of calls, so
that little of the machine goes to the one who sends. A pool that is too full costs the node time,
one that is too empty leaves room in its blocks: several fillings are tried, and the best counts.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import trio
from substrateinterface import Keypair

from ledger_costs.follower import Follower
from ledger_costs.judging import Filling, filling, full_for
from ledger_costs.node_process import Node
from offchain.keys.signer import LocalKey
from offchain.ledger.client import Ledger
from offchain.ledger.extrinsics import Context, signed_v4
from offchain.ledger.types import address

SECONDS: Final = 20
PREPARED_MAX: Final = 48_000
"""More than blocks of this weight hold in that time."""
WAITING: Final = (700, 1_000, 1_400, 2_800)
"""How many wait in the pool: from half a block of them to two."""
CALLS_AT_ONCE: Final = 50
POSTERS: Final = 4
WARM_BLOCKS: Final = 2
"""Blocks at the beginning that are not counted: the pool fills."""
AMOUNT: Final = 10**9
_NAMES: Final = ("Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie")
_POST_TIMEOUT_S: Final = 60.0


class TransferRefused(Exception):
    """The pool did not take a transfer. Carries the node's words."""


@dataclass(frozen=True, kw_only=True)
class Transfers:
    """What was reached."""

    per_s: float
    waiting: int
    """How many were kept in the pool."""
    failed: int
    limit: str
    filling: Filling

    def as_json(self) -> dict[str, Any]:
        """Give it for machines."""
        return {
            "what": "balances.transfer_keep_alive, signed before",
            "per_s": round(self.per_s, 1),
            "kept_in_the_pool": self.waiting,
            "failed": self.failed,
            "limit": self.limit,
            **self.filling.as_json(),
        }


def accounts() -> list[LocalKey]:
    """Give the well-known accounts, which have money on a development chain."""
    uris = [f"//{name}{tail}" for name in _NAMES for tail in ("", "//stash")]
    return [LocalKey(Keypair.create_from_uri(uri)) for uri in uris]


async def prepare(ledger: Ledger, count: int) -> list[list[str]]:
    """Sign so many; one list for each account, in the order of its nonces."""
    signers = accounts()
    prepared: list[list[str]] = []
    for number, signer in enumerate(signers):
        receiver = signers[(number + 1) % len(signers)]
        call = await ledger.compose(
            "Balances",
            "transfer_keep_alive",
            {"dest": "0x" + receiver.public_key.hex(), "value": AMOUNT},
        )
        first = int(await ledger.rpc.call("system_accountNextIndex", [address(signer.public_key)]))
        signed: list[str] = []
        for nonce in range(first, first + -(-count // len(signers))):
            context = Context(genesis_hash=ledger.genesis_hash, nonce=nonce)
            signed.append("0x" + signed_v4(ledger.runtime, context, signer, call).hex())
            if len(signed) % 20 == 0:
                await trio.lowlevel.checkpoint()
        prepared.append(signed)
    return prepared


async def measure(
    ledger: Ledger, node: Node, follower: Follower, normal_limit_us: float
) -> list[Transfers]:
    """Flood the node in several ways. Raises TransferRefused, in groups."""
    flood = _Flood(node, follower, await prepare(ledger, PREPARED_MAX))
    return [await flood.measure(waiting, normal_limit_us) for waiting in WAITING]


class _Flood:
    """Prepared transfers, and how many of them have gone."""

    def __init__(self, node: Node, follower: Follower, prepared: Sequence[list[str]]) -> None:
        self._node = node
        self._follower = follower
        self._first = len(follower.blocks)
        self._left = [list(reversed(account)) for account in prepared]
        self._sent = 0

    def _waiting(self) -> int:
        blocks = self._follower.blocks[self._first :]
        return self._sent - sum(block.transfers for block in blocks)

    async def _post(self, most: int, own: Sequence[list[str]]) -> None:
        """Hand in one's accounts' transfers while fewer than `most` wait."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._node.rpc_port, timeout=_POST_TIMEOUT_S
        )
        try:
            while any(own):
                for account in own:
                    while self._waiting() > most:
                        await self._follower.next_block()
                    some = [account.pop() for _ in range(min(CALLS_AT_ONCE, len(account)))]
                    self._sent += len(some)
                    if some:
                        # To its end: what has been counted has been handed in.
                        await trio.to_thread.run_sync(_post, connection, some)
        finally:
            connection.close()

    async def measure(self, waiting: int, normal_limit_us: float) -> Transfers:
        """Keep so many in the pool for a while. Raises TransferRefused, in groups."""
        follower = self._follower
        await follower.next_block()
        first, failed_before = len(follower.blocks), follower.failed_extrinsics
        with trio.move_on_after(SECONDS):
            async with trio.open_nursery() as nursery:
                for number in range(POSTERS):
                    nursery.start_soon(self._post, waiting, self._left[number::POSTERS])
        blocks = follower.blocks[first + WARM_BLOCKS :]
        if len(blocks) < 3:
            raise TransferRefused(f"the node made {len(blocks)} blocks in {SECONDS} s")
        seconds = (blocks[-1].timestamp_ms - blocks[0].timestamp_ms) / 1_000
        held = filling(blocks, self._node.log(), normal_limit_us)
        return Transfers(
            per_s=sum(block.transfers for block in blocks[1:]) / seconds,
            waiting=waiting,
            failed=follower.failed_extrinsics - failed_before,
            limit=full_for(held),
            filling=held,
        )


def _post(connection: http.client.HTTPConnection, extrinsics: Sequence[str]) -> None:
    body = [
        {"jsonrpc": "2.0", "id": number, "method": "author_submitExtrinsic", "params": [extrinsic]}
        for number, extrinsic in enumerate(extrinsics)
    ]
    try:
        connection.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
        answers = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise TransferRefused(f"the node did not answer: {error}") from None
    for answer in answers:
        if "error" in answer:
            raise TransferRefused(f"the node refused a transfer: {answer['error']}")
