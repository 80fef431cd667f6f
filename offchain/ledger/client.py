"""The typed ledger client (signatures first; bodies follow)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from offchain.keys.signer import Signer
from offchain.ledger.orders import Order
from offchain.ledger.types import (
    NATIVE,
    Asset,
    Constants,
    DelegateKey,
    Event,
    Fee,
    Grant,
    Head,
    HeadKind,
    Payee,
    Receipt,
    Session,
    SignedPayload,
    Stream,
    StreamChange,
    Terms,
    Wait,
)


class Heads:
    """An async iterator of `Head`."""

    def __aiter__(self) -> Heads:
        raise NotImplementedError

    async def __anext__(self) -> Head:
        raise NotImplementedError


class Ledger:
    """The ledger of one chain; make one with `open_ledger`.

    `at` is the hash of the block to read at (`0x...`), None for the best block.
    """

    url: str
    genesis_hash: str
    pallet_index: int

    @property
    def spec_name(self) -> str: raise NotImplementedError
    @property
    def spec_version(self) -> int: raise NotImplementedError
    @property
    def constants(self) -> Constants: raise NotImplementedError
    @property
    def symbol(self) -> str: raise NotImplementedError
    @property
    def decimals(self) -> int: raise NotImplementedError

    async def stream(self, stream: int, *, at: str | None = None) -> Stream | None: raise NotImplementedError
    async def streams(self, *, at: str | None = None) -> dict[int, Stream]: raise NotImplementedError
    async def vault(self, account: str | bytes, *, asset: Asset = NATIVE, at: str | None = None) -> int: raise NotImplementedError
    async def grant(self, grant: int, *, at: str | None = None) -> Grant | None: raise NotImplementedError
    async def grants_of(self, account: str | bytes, *, at: str | None = None) -> dict[int, Grant]: raise NotImplementedError
    async def session(self, grant: int, index: int, *, at: str | None = None) -> Session | None: raise NotImplementedError
    async def sessions(self, grant: int, *, at: str | None = None) -> dict[int, Session]: raise NotImplementedError
    async def free_balance(self, account: str | bytes, *, at: str | None = None) -> int: raise NotImplementedError
    async def now_ms(self, *, at: str | None = None) -> int: raise NotImplementedError
    async def best_head(self) -> Head: raise NotImplementedError
    async def finalized_head(self) -> Head: raise NotImplementedError
    async def head(self, block_hash: str) -> Head: raise NotImplementedError
    async def block_hash(self, number: int) -> str | None: raise NotImplementedError
    def heads(self, kind: HeadKind) -> AbstractAsyncContextManager[Heads]:
        """`async with ledger.heads("finalized") as heads: async for head in heads` (no gaps for finalized)."""
        raise NotImplementedError
    async def events(self, block_hash: str) -> tuple[Event, ...]: raise NotImplementedError

    async def submit_order(self, grant: int, order: Order, signature: bytes, *, scheme: str = "sr25519") -> str:
        """Give the pool an order; returns the tx hash. Raises OrderRefused (Replayed, ForeignSignature, Superseded, LaneFull), NodeUnreachable."""
        raise NotImplementedError
    async def watch_order(self, grant: int, order: Order, signature: bytes, *, scheme: str = "sr25519", wait: Wait = "in_block", timeout_s: float = 120.0) -> Receipt: raise NotImplementedError
    async def submit_signed(self, call: bytes, signer: Signer, *, wait: Wait = "in_block", timeout_s: float = 120.0, tip: int = 0) -> Receipt: raise NotImplementedError
    async def signer_payload(self, account: str, call: bytes, *, tip: int = 0) -> SignedPayload: raise NotImplementedError
    async def submit_wallet_signed(self, payload: SignedPayload, signature: str, *, wait: Wait = "in_block", timeout_s: float = 120.0) -> Receipt: raise NotImplementedError
    async def compose(self, pallet: str, call: str, params: dict[str, object]) -> bytes: raise NotImplementedError
    async def fee(self, call: bytes, account: str | bytes) -> Fee: raise NotImplementedError

    async def create_stream(self, signer: Signer, *, rate_per_second: int, payees: Sequence[Payee] = (), funds_min: int = 0, gap_min_ms: int | None = None, asset: Asset = NATIVE, wait: Wait = "in_block") -> tuple[int, Receipt]: raise NotImplementedError
    async def update_stream(self, signer: Signer, stream: int, change: StreamChange, *, wait: Wait = "in_block") -> Receipt: raise NotImplementedError
    async def end_stream(self, signer: Signer, stream: int, *, wait: Wait = "in_block") -> Receipt: raise NotImplementedError
    async def deposit(self, signer: Signer, amount: int, *, asset: Asset = NATIVE, wait: Wait = "in_block") -> Receipt: raise NotImplementedError
    async def withdraw(self, signer: Signer, amount: int, *, asset: Asset = NATIVE, wait: Wait = "in_block") -> Receipt: raise NotImplementedError
    async def give_grant(self, signer: Signer, key: DelegateKey, proof: bytes, terms: Terms, *, wait: Wait = "in_block") -> tuple[int, Receipt]: raise NotImplementedError
    async def deposit_and_grant(self, signer: Signer, amount: int, key: DelegateKey, proof: bytes, terms: Terms, *, wait: Wait = "in_block") -> tuple[int, Receipt]: raise NotImplementedError
    async def revoke(self, signer: Signer, grant: int, *, wait: Wait = "in_block") -> Receipt: raise NotImplementedError
    async def settle(self, signer: Signer, grant: int, index: int, *, wait: Wait = "in_block") -> Receipt: raise NotImplementedError
    async def claim(self, signer: Signer, stream: int, *, wait: Wait = "in_block") -> Receipt: raise NotImplementedError


@asynccontextmanager
async def open_ledger(url: str, *, connect_timeout_s: float = 10.0) -> AsyncIterator[Ledger]:
    """Connect; raises NodeUnreachable and WrongRuntime."""
    raise NotImplementedError
    yield Ledger()
