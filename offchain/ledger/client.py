"""The typed ledger client: everything that the off-chain side does with a chain.

    async with open_ledger("ws://127.0.0.1:9944") as ledger:
        print(await ledger.vault(account))

Reads take `at`, the hash of the block to read at; None is the best block. What must be consistent
is read at one block's hash, what must be final at a finalized one's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import trio

from offchain.ledger import chain
from offchain.ledger.assets import Assets
from offchain.ledger.background import open_background
from offchain.ledger.block_events import BlockEvents
from offchain.ledger.calls import Calls
from offchain.ledger.endpoints import NodeStatus
from offchain.ledger.entries import (
    account_value,
    asset_from,
    asset_value,
    grant_from,
    session_from,
    stream_from,
    subscription_from,
    tier_from,
)
from offchain.ledger.errors import BlockUnknown, ChainChanged, LedgerError, RpcError
from offchain.ledger.extrinsics import Context, extension_bytes
from offchain.ledger.lookups import Lookups
from offchain.ledger.rpc import Connect, Reconnected, RpcClient, open_rpc, open_socket
from offchain.ledger.runtime import PALLET, Runtime
from offchain.ledger.tables import Names, Tables
from offchain.ledger.transactions import Transactions
from offchain.ledger.types import (
    NATIVE,
    Asset,
    Clock,
    Constants,
    Event,
    Grant,
    Head,
    HeadKind,
    Session,
    Stream,
    Subscription,
    Tier,
    address,
)

_PAGE: Final = 512
_BLOCKS_REMEMBERED: Final = 1024
_GUARDIAN_KEY: Final = "0xd4cafdb7a84f03efc9109a9027d537e0"
"""Where the reference runtime keeps its `Guardian`: a test of the runtime holds it."""

_TABLES: Final[dict[str, tuple[str, Callable[[Any], tuple[Any, ...]]]]] = {
    "sessions": ("Sessions", tuple),
    "grants": ("Grants", lambda grant: (grant,)),
    "streams": ("Streams", lambda stream: (stream,)),
    "vaults": ("Vaults", lambda name: (account_value(name[0]), asset_value(name[1]))),
    "subscriptions": ("Subscriptions", lambda name: (name[0], account_value(name[1]))),
}
"""Of each table of `Tables`: the storage that it is read from, and the keys that a name makes."""
_ENTRIES: Final[dict[str, Callable[[Any], Any]]] = {
    "Sessions": session_from,
    "Grants": grant_from,
    "Streams": stream_from,
    "Vaults": int,
    "Subscriptions": subscription_from,
}


class Ledger(Assets, Lookups, Transactions):
    """The ledger of one chain; make one with `open_ledger`.

    All methods may be called from many tasks at once. While the node is gone they raise
    NodeUnreachable after the client's `timeout_s`; the connection comes back by itself.
    """

    def __init__(self, rpc: RpcClient, runtime: Runtime, about: dict[str, Any]) -> None:
        self.rpc = rpc
        self.chain: str = about["chain"]
        self.genesis_hash: str = about["genesis_hash"]
        self.symbol: str = about["symbol"]
        self.decimals: int = about["decimals"]
        self.ss58_format: int = about["ss58_format"]
        self._current = runtime
        self._failure: LedgerError | None = None
        self._runtimes: dict[int, Runtime] = {runtime.spec_version: runtime}
        self._block_runtimes: OrderedDict[str, int] = OrderedDict()
        self._loading = trio.Lock()
        self._events = BlockEvents(self._read_events)
        self.calls = Calls(lambda: self.runtime)
        super().__init__()

    # -- the chain -----------------------------------------------------------------------------

    @property
    def runtime(self) -> Runtime:
        """The chain's current runtime. Raises WrongRuntime after an upgrade that does not fit."""
        if self._failure is not None:
            raise self._failure
        return self._current

    @property
    def is_connected(self) -> bool:
        """Whether the connection to the node stands at this moment."""
        return self.rpc.is_connected

    @property
    def endpoints(self) -> tuple[NodeStatus, ...]:
        """How each address that was given stands."""
        return self.rpc.endpoints.statuses()

    def move_on(self, why: str) -> None:
        """Leave the node in use for the next one, if there is another."""
        self.rpc.move_on(why)

    @property
    def spec_name(self) -> str:
        """The runtime's name."""
        return self.runtime.spec_name

    @property
    def spec_version(self) -> int:
        """The runtime's version."""
        return self.runtime.spec_version

    @property
    def pallet_index(self) -> int:
        """The pallet's place in the runtime: part of every order's signed bytes."""
        return self.runtime.pallet_index

    @property
    def constants(self) -> Constants:
        """The pallet's constants."""
        return self.runtime.constants

    @property
    def pot(self) -> str:
        """The account that holds all money of the ledger."""
        return address(self.runtime.pot, self.ss58_format)

    async def best_head(self) -> Head:
        """Read the best block's header."""
        return await chain.read_head(self.rpc)

    async def finalized_head(self) -> Head:
        """Read the last finalized block's header."""
        return await chain.read_finalized_head(self.rpc)

    async def is_syncing(self) -> bool:
        """Tell whether the node says that it is still fetching the chain."""
        return await chain.read_is_syncing(self.rpc)

    async def head(self, block_hash: str) -> Head:
        """Read a block's header. Raises BlockUnknown."""
        return await chain.read_head(self.rpc, block_hash)

    async def block_hash(self, number: int) -> str | None:
        """Give the hash of the best chain's block of that number, or None above its top."""
        return await chain.read_block_hash(self.rpc, number)

    def heads(self, kind: HeadKind) -> AbstractAsyncContextManager[chain.Heads]:
        """Follow heads: `async with ledger.heads("finalized") as heads: async for head in heads`.

        Finalized heads come without gaps, also over the node's restarts; best ones as announced.
        """
        return chain.open_heads(self.rpc, kind)

    async def events(self, block_hash: str) -> tuple[Event, ...]:
        """Give a block's events, which are read and decoded once. Raises BlockUnknown."""
        return await self._events.of(block_hash)

    async def _read_events(self, block_hash: str) -> tuple[Event, ...]:
        runtime = await self._runtime_at(block_hash)
        raw = await self._storage(runtime.key("System", "Events"), block_hash)
        return runtime.events(raw)

    async def clock(self, *, at: str | None = None) -> Clock:
        """Read the ledger's clock at a block, and what halts of the chain have left out of it."""
        runtime = await self._runtime_at(at)
        items = [("Timestamp", "Now"), (PALLET, "HaltedMs")]
        keys = {item: runtime.key(*item) for item in items if runtime.has_item(*item)}
        raw = await self._query(list(keys.values()), at)
        read = {item: int(runtime.value(*item, raw.get(key)) or 0) for item, key in keys.items()}
        halted_ms = read.get((PALLET, "HaltedMs"), 0)
        return Clock(now_ms=read["Timestamp", "Now"] - halted_ms, halted_ms=halted_ms)

    async def now_ms(self, *, at: str | None = None) -> int:
        """Read the ledger's clock at a block, in unix milliseconds."""
        return (await self.clock(at=at)).now_ms

    async def chain_type(self) -> str:
        """Tell what its specification calls the chain: `Development`, `Local`, `Live`, or else."""
        kind = await self.rpc.call("system_chainType")
        return kind if isinstance(kind, str) else str(_first(list(kind or {}), "Custom"))

    async def block_authors(self, *, at: str | None = None) -> tuple[str, ...]:
        """List the accounts whose keys write the blocks, in turn."""
        keys = await self._read("Aura", "Authorities", at=at) or []
        return tuple(address(key) for key in keys)

    async def sudo_key(self) -> str | None:
        """Read who may speak for the operator; None where the chain has no sudo, or nobody."""
        key = await self._read_added("Sudo", "Key", at=None)
        return None if key is None else address(key, self.ss58_format)

    async def guardian(self) -> str | None:
        """Read who may stop new money in an emergency; None where the chain names nobody so.

        It is a parameter of the reference runtime, in no pallet's storage.
        """
        raw = await self.rpc.call("state_getStorage", [_GUARDIAN_KEY])
        value = b"" if raw is None else bytes.fromhex(raw[2:])
        return address(value[1:], self.ss58_format) if value[:1] == b"\x01" else None

    # -- the entries ---------------------------------------------------------------------------

    async def stream(self, stream: int, *, at: str | None = None) -> Stream | None:
        """Read a stream; None where there is none."""
        value = await self._read(PALLET, "Streams", stream, at=at)
        return None if value is None else stream_from(value)

    async def streams(self, *, at: str | None = None) -> dict[int, Stream]:
        """Read all streams, by id."""
        entries = await self._read_all(PALLET, "Streams", at=at)
        return {key: stream_from(value) for key, value in sorted(entries.items())}

    async def vault(
        self, account: str | bytes, *, asset: Asset = NATIVE, at: str | None = None
    ) -> int:
        """Read an account's vault in the asset's smallest unit; 0 where there is none."""
        keys = (account_value(account), asset_value(asset))
        return int(await self._read(PALLET, "Vaults", *keys, at=at) or 0)

    async def vaults(self, account: str | bytes, *, at: str | None = None) -> dict[Asset, int]:
        """Read all of an account's vaults, by asset."""
        return {
            asset_from(key): int(value)
            for key, value in await self._read_pairs(
                PALLET, "Vaults", account_value(account), at=at
            )
        }

    async def grant(self, grant: int, *, at: str | None = None) -> Grant | None:
        """Read a grant; None where there is none."""
        value = await self._read(PALLET, "Grants", grant, at=at)
        return None if value is None else grant_from(value)

    async def grants_of(self, account: str | bytes, *, at: str | None = None) -> dict[int, Grant]:
        """Read all grants that a viewer has given, by id."""
        at = at or (await self.best_head()).hash
        keys = await self._keys(PALLET, "GrantsOf", account_value(account), at=at)
        runtime = await self._runtime_at(at)
        ids = [runtime.last_key(PALLET, "GrantsOf", key) for key in keys]
        values = await self._read_many(PALLET, "Grants", [(grant,) for grant in ids], at=at)
        return {key[0]: grant_from(value) for key, value in sorted(values.items())}

    async def session(self, grant: int, index: int, *, at: str | None = None) -> Session | None:
        """Read a session; None where there is none, or none any more."""
        value = await self._read(PALLET, "Sessions", grant, index, at=at)
        return None if value is None else session_from(value)

    async def sessions(self, grant: int, *, at: str | None = None) -> dict[int, Session]:
        """Read a grant's open sessions, by index."""
        entries = await self._read_all(PALLET, "Sessions", grant, at=at)
        return {key: session_from(value) for key, value in sorted(entries.items())}

    async def sessions_of(
        self, places: Sequence[tuple[int, int]], *, at: str | None = None
    ) -> dict[tuple[int, int], Session]:
        """Read many sessions by (grant, index) at once; those that are not there are left out."""
        values = await self._read_many(PALLET, "Sessions", list(places), at=at)
        return {(key[0], key[1]): session_from(value) for key, value in values.items()}

    async def open_sessions(self, *, at: str | None = None) -> list[tuple[int, int]]:
        """List (grant, index) of every open session, whosever it is: keys alone are read."""
        at = at or (await self.best_head()).hash
        runtime = await self._runtime_at(at)
        keys = await self._keys(PALLET, "Sessions", at=at)
        places = (runtime.keys_of(PALLET, "Sessions", key) for key in keys)
        return sorted((int(grant), int(index)) for grant, index in places)

    async def tables(self, names: Names, *, at: str | None = None) -> Tables:
        """Read many entries of all kinds at once, some hundred of them in one call."""
        runtime = await self._runtime_at(at)
        found = Tables()
        keys: dict[str, tuple[str, Any]] = {}
        for kind, (item, keyed) in _TABLES.items():
            known = runtime.has_item(PALLET, item)
            table = getattr(found, kind)
            for name in getattr(names, kind):
                table[name] = 0 if item == "Vaults" else None
                if known:
                    keys[runtime.key(PALLET, item, *keyed(name))] = (kind, name)
        for key, raw in (await self._query(list(keys), at)).items():
            kind, name = keys[key]
            if raw is not None:
                item, _ = _TABLES[kind]
                getattr(found, kind)[name] = _ENTRIES[item](runtime.value(PALLET, item, raw))
        return found

    async def tiers(self, stream: int, *, at: str | None = None) -> tuple[Tier, ...]:
        """Read what a stream offers to subscribers."""
        value = await self._read_added(PALLET, "Tiers", stream, at=at)
        return tuple(tier_from(tier) for tier in value or ())

    async def subscription(
        self, stream: int, account: str | bytes, *, at: str | None = None
    ) -> Subscription | None:
        """Read an account's subscription to a stream; None where there is none."""
        keys = (stream, account_value(account))
        value = await self._read_added(PALLET, "Subscriptions", *keys, at=at)
        return None if value is None else subscription_from(value)

    async def subscriptions(self, stream: int, *, at: str | None = None) -> dict[str, Subscription]:
        """Read a stream's subscriptions, by their viewers' addresses."""
        entries = await self._read_all(PALLET, "Subscriptions", stream, at=at)
        return {address(key): subscription_from(value) for key, value in entries.items()}

    async def treasury_share(self, *, at: str | None = None) -> int:
        """Read the operator's share of claims, in parts per million."""
        return int(await self._read_added(PALLET, "TreasuryShare", at=at) or 0)

    async def is_stopped(self, *, at: str | None = None) -> bool:
        """Read whether the operator's stop is on: no new money, and no new sessions."""
        return bool(await self._read_added(PALLET, "Stopped", at=at))

    # -- reading storage -----------------------------------------------------------------------

    async def _storage(self, key: str, at: str | None) -> str | None:
        try:
            raw: str | None = await self.rpc.call("state_getStorage", [key, at] if at else [key])
        except RpcError as error:
            raise _missing(error, at) from None
        return raw

    async def _read(self, pallet: str, item: str, *keys: Any, at: str | None) -> Any:
        runtime = await self._runtime_at(at)
        raw = await self._storage(runtime.key(pallet, item, *keys), at)
        return runtime.value(pallet, item, raw)

    async def _read_added(self, pallet: str, item: str, *keys: Any, at: str | None) -> Any:
        """Read an entry of which a chain of the first release has none; then it is None."""
        if not (await self._runtime_at(at)).has_item(pallet, item):
            return None
        return await self._read(pallet, item, *keys, at=at)

    async def _keys(self, pallet: str, item: str, *keys: Any, at: str) -> list[str]:
        """List the storage keys that begin with `keys`."""
        runtime = await self._runtime_at(at)
        prefix = runtime.key(pallet, item, *keys)
        found: list[str] = []
        while True:
            start = [found[-1]] if found else [prefix]
            params = [prefix, _PAGE, *start, at]
            try:
                page = await self.rpc.call("state_getKeysPaged", params)
            except RpcError as error:
                raise _missing(error, at) from None
            found.extend(page)
            if len(page) < _PAGE:
                return found

    async def _read_all(self, pallet: str, item: str, *keys: Any, at: str | None) -> dict[Any, Any]:
        """Read all entries that begin with `keys`, by the last of their keys."""
        return dict(await self._read_pairs(pallet, item, *keys, at=at))

    async def _read_pairs(
        self, pallet: str, item: str, *keys: Any, at: str | None
    ) -> list[tuple[Any, Any]]:
        """Read the same as pairs, for keys that no dictionary takes."""
        at = at or (await self.best_head()).hash
        runtime = await self._runtime_at(at)
        if not runtime.has_item(pallet, item):
            return []
        raw = await self._query(await self._keys(pallet, item, *keys, at=at), at)
        return [
            (runtime.last_key(pallet, item, key), runtime.value(pallet, item, value))
            for key, value in raw.items()
            if value is not None
        ]

    async def _read_many(
        self, pallet: str, item: str, places: Sequence[tuple[Any, ...]], *, at: str | None
    ) -> dict[tuple[Any, ...], Any]:
        runtime = await self._runtime_at(at)
        by_key = {runtime.key(pallet, item, *place): place for place in places}
        raw = await self._query(list(by_key), at)
        return {
            by_key[key]: runtime.value(pallet, item, value)
            for key, value in raw.items()
            if value is not None
        }

    async def _query(self, keys: list[str], at: str | None) -> dict[str, str | None]:
        values: dict[str, str | None] = {}
        for first in range(0, len(keys), _PAGE):
            page = keys[first : first + _PAGE]
            try:
                answer = await self.rpc.call("state_queryStorageAt", [page, at] if at else [page])
            except RpcError as error:
                raise _missing(error, at) from None
            for changes in answer:
                values.update((key, value) for key, value in changes["changes"])
        return values

    # -- the runtime and its upgrades ----------------------------------------------------------

    async def _runtime_at(self, at: str | None) -> Runtime:
        """Give the runtime that wrote a block's state: its parent's, whatever it changed itself."""
        if at is None:
            return self.runtime
        version = self._block_runtimes.get(at)
        if version is None:
            head = await chain.read_head(self.rpc, at)
            writer = head.parent_hash if head.number else at
            try:
                answer = await self.rpc.call("state_getRuntimeVersion", [writer])
            except RpcError:
                # the parent's state is pruned at the edge of what the node keeps
                answer = await self.rpc.call("state_getRuntimeVersion", [at])
                writer = at
            version = int(answer["specVersion"])
            if version not in self._runtimes:
                self._runtimes[version] = await _load(self.rpc, writer)
            self._block_runtimes[at] = version
            if len(self._block_runtimes) > _BLOCKS_REMEMBERED:
                self._block_runtimes.popitem(last=False)
        return self._runtimes[version]

    async def watch_runtime(self) -> None:
        """Load the metadata again when the chain's runtime changes; check the chain itself too.

        `open_ledger` runs this beside its block.
        """
        method = "state_subscribeRuntimeVersion"
        async with self.rpc.subscribe(method, [], "state_unsubscribeRuntimeVersion") as versions:
            async for item in versions:
                try:
                    if isinstance(item, Reconnected):
                        await self._check_genesis()
                    elif isinstance(item, dict):
                        await self._upgrade(int(item["specVersion"]))
                except LedgerError as error:
                    self._failure = error

    async def _check_genesis(self) -> None:
        genesis_hash = await self.rpc.call("chain_getBlockHash", [0])
        if genesis_hash != self.genesis_hash:
            raise ChainChanged(self.rpc.url, self.genesis_hash, str(genesis_hash))

    async def _upgrade(self, version: int) -> None:
        if version == self._current.spec_version and self._failure is None:
            return
        if isinstance(self._failure, ChainChanged):
            return
        if version not in self._runtimes:
            runtime = await _load(self.rpc, None)
            extension_bytes(runtime, Context(genesis_hash=self.genesis_hash))
            self._runtimes[runtime.spec_version] = runtime
        self._current = self._runtimes[version]
        self._failure = None


def _missing(error: RpcError, at: str | None) -> LedgerError:
    """Tell a block that the node no longer has from other errors."""
    text = f"{error.message} {error.data}".lower()
    if at is not None and ("unknown block" in text or "discarded" in text or "not found" in text):
        return BlockUnknown(at)
    return error


async def _load(rpc: RpcClient, at: str | None) -> Runtime:
    """Load the runtime of a block, or of the best one. Raises WrongRuntime."""
    params = [at] if at else []
    version = await rpc.call("state_getRuntimeVersion", params)
    metadata = await rpc.call("state_getMetadata", params)
    return Runtime(
        metadata, version["specName"], version["specVersion"], version["transactionVersion"]
    )


def _first(value: Any, otherwise: Any) -> Any:
    """Take a property of the chain: absent, a value, or a list of values."""
    if isinstance(value, list):
        value = value[0] if value else None
    return otherwise if value is None else value


@asynccontextmanager
async def open_ledger(
    url: str | Sequence[str],
    *,
    timeout_s: float = 10.0,
    connect: Connect = open_socket,
    admit: Callable[[chain.Node], Awaitable[None]] | None = None,
) -> AsyncIterator[Ledger]:
    """Connect to a node (`ws://` or `wss://`) for the length of a `with` block.

    Several addresses are tried in turn. `admit` is asked about each node before it is used, and
    refuses one with NodeNotBelieved. `timeout_s` is how long each request waits for an answer, or
    for a node to come back; `connect` opens the socket (tests give one in memory).
    Raises NodeUnreachable and NodeNotBelieved, and WrongRuntime where the chain does not speak
    PayStream.
    """
    asked = None if admit is None else (lambda caller: admit(chain.Node(caller)))
    async with open_rpc(url, timeout_s=timeout_s, connect=connect, admit=asked) as rpc:
        genesis_hash = await rpc.call("chain_getBlockHash", [0])
        properties = await rpc.call("system_properties") or {}
        runtime = await _load(rpc, None)
        extension_bytes(runtime, Context(genesis_hash=genesis_hash))
        about = {
            "chain": await rpc.call("system_chain"),
            "genesis_hash": genesis_hash,
            "symbol": str(_first(properties.get("tokenSymbol"), "UNIT")),
            "decimals": int(_first(properties.get("tokenDecimals"), 12)),
            "ss58_format": int(_first(properties.get("ss58Format"), 42)),
        }
        ledger = Ledger(rpc, runtime, about)
        async with open_background() as nursery:
            nursery.start_soon(ledger.watch_runtime)
            yield ledger
