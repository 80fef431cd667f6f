"""A keyring that asks a judge directly: the signer's policy and journal without its socket.

Its clock is trio's, so that a simulation whose clock jumps can be judged.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import trio

from offchain.ledger.orders import Domain, SignedOrder, signature_value
from offchain.relayer.keyring import Asked, recognised
from offchain.relayer.remote_keyring import SignerRefused, SignerWaits, _sign_order, with_floor
from offchain.signer.journal import Clock, open_signer_journal
from offchain.signer.judge import Judge
from offchain.signer.policy import PASSING, Policy
from signer_fuzz import MemoryKeys


class _TrioClock(Clock):
    def now_ms(self) -> int:
        return int(trio.current_time() * 1000)


class JudgedKeyring:
    """Signs what the policy allows, and keeps what it refused."""

    def __init__(self, directory: Path) -> None:
        self._stack = ExitStack()
        journal = self._stack.enter_context(open_signer_journal(directory / "signer.sqlite"))
        journal.clock = _TrioClock()
        self._judge = Judge(Policy(), journal, MemoryKeys())
        self.refused: list[str] = []
        self.signed = 0

    def close(self) -> None:
        self._stack.close()

    @property
    def unavailable(self) -> str | None:
        return None

    async def delegate(self, viewer: str, number: int) -> tuple[str, bytes]:
        name, public, _ = self._judge.derive(viewer, number)
        return name, public

    async def recognise(self, viewer: str, public: bytes) -> str | None:
        return await recognised(self.delegate, viewer, public)

    def is_current(self, name: str) -> bool:
        return True

    async def archive(self, names: list[str]) -> None:
        pass

    async def prove(self, name: str, domain: Domain, viewer: str) -> bytes:
        self._judge.bind(domain.genesis_hash, domain.pallet_index)
        proved = self._judge.prove(name, viewer)
        return signature_value(proved.scheme, proved.signature)

    async def sign(self, asked: Asked, domain: Domain) -> SignedOrder:
        self._judge.bind(domain.genesis_hash, domain.pallet_index)
        (signed,) = self._judge.sign([_sign_order(asked)])
        raised = with_floor(asked, signed)
        if raised is not None:
            asked = raised
            (signed,) = self._judge.sign([_sign_order(asked)])
        if signed.code is not None:
            self.refused.append(f"{asked.grant} {asked.order}: {signed.code} {signed.detail}")
            raise (SignerWaits if signed.code in PASSING else SignerRefused)(signed.detail)
        self.signed += 1
        return SignedOrder(
            grant=asked.grant, order=asked.order, signature=signed.signature, scheme=signed.scheme
        )
