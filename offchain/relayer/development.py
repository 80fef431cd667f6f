"""Development accounts without a wallet: their keys are public, and their money is worth nothing.

Possible on a development chain alone, which is told by what it is and not by what it is called: its
blocks are written by //Alice and nobody else, and //Alice is its root. Everybody can be Alice, so
nothing on such a chain is anybody's.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final, Literal, Protocol

from offchain.keys.signer import LocalKey, dev_key
from offchain.relayer.problems import Refused
from offchain.relayer.wallet import Wallet

NAMES: Final = ("Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie")
CHAIN_TYPE: Final = "Development"
TEXT_BYTES_MAX: Final = 4_096


class NotDevelopment(Exception):
    """The chain is no development chain. The message says what it is instead."""


class Origins(Protocol):
    """What is asked of a chain to tell what it is; see `offchain.ledger.client.Ledger`."""

    async def chain_type(self) -> str: ...
    async def block_authors(self, *, at: str | None = None) -> tuple[str, ...]: ...
    async def sudo_key(self) -> str | None: ...


async def check(chain: Origins) -> None:
    """Check that a chain is a development chain. Raises NotDevelopment, LedgerError."""
    alice = dev_key("Alice").address
    kind = await chain.chain_type()
    wrong = None
    if kind != CHAIN_TYPE:
        wrong = f"its type is {kind}"
    elif await chain.block_authors() != (alice,):
        wrong = "others than //Alice write its blocks"
    elif await chain.sudo_key() != alice:
        wrong = "its root is not //Alice"
    if wrong is not None:
        raise NotDevelopment(
            f"this is no development chain ({wrong}): leave --development-accounts away. "
            "Everybody knows the keys of those accounts"
        )


class DevelopmentAccounts:
    """Signs as the development accounts, for pages of a chain that `check` has passed."""

    def __init__(self, wallet: Wallet) -> None:
        self._wallet = wallet
        self._keys: dict[str, LocalKey] = {}
        for name in NAMES:
            key = dev_key(name)
            self._keys[key.address] = key

    def listed(self) -> list[dict[str, str]]:
        """Describe the accounts as a wallet does."""
        return [
            {"address": address, "name": name, "type": "sr25519"}
            for name, address in zip(NAMES, self._keys, strict=True)
        ]

    def sign(
        self, account: str, kind: Literal["raw", "payload"], data: str | dict[str, Any]
    ) -> str:
        """Give the signature that a wallet would, as hex. Raises Refused.

        `raw` signs the bytes that `data` names in hex; `payload` a transaction that was prepared
        here, and no other.
        """
        key = self._keys.get(account)
        if key is None:
            raise Refused(
                400,
                "not-a-development-account",
                f"{account[:60]!r} is no development account: `info` lists them",
                field="account",
            )
        if kind == "raw":
            return "0x" + key.sign(_wrapped(data)).hex()
        prepared = self._wallet.prepared(account, data) if isinstance(data, dict) else None
        if prepared is None:
            raise Refused(
                400,
                "payload-unknown",
                "only a transaction that was prepared here is signed: prepare it first",
                field="data",
            )
        return "0x01" + key.sign(prepared).hex()


def _wrapped(data: object) -> bytes:
    """Wrap a text as wallets do before they sign it, so that it cannot be a transaction."""
    text = None
    if isinstance(data, str) and data.startswith("0x"):
        with suppress(ValueError):
            text = bytes.fromhex(data[2:])
    if text is None:
        raise Refused(400, "data-invalid", "data is no 0x-hex text", field="data")
    if len(text) > TEXT_BYTES_MAX:
        raise Refused(413, "data-too-long", f"at most {TEXT_BYTES_MAX} bytes", field="data")
    return b"<Bytes>" + text + b"</Bytes>"
