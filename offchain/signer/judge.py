"""Judges what is asked, remembers it, and signs: the signer without its socket.

The order of things is the promise: judged by the policy, on the disk, and only then signed. What
was remembered and never signed costs the relayer nothing, since totals may be asked for again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from offchain.keys.delegate_keys import DelegateKeys
from offchain.keys.derivation import NUMBER_MAX, read_name
from offchain.keys.keystore import KeystoreError
from offchain.keys.signer import Signer
from offchain.ledger.orders import sign_grant_proof, sign_order
from offchain.ledger.types import AddressInvalid, address
from offchain.signer.journal import SignerJournal, SignerJournalError
from offchain.signer.policy import (
    Adopt,
    Policy,
    PolicyRefused,
    SignedGrant,
    SignOrder,
    adopt,
    decide,
)
from offchain.signer.protocol import VIEWER_BYTES_MAX, SignedOne

log = logging.getLogger("paystream.signer")

CHAIN_DIGITS: Final = 66


class Judge:
    """Holds keys, policy and journal. Its methods may wait for the disk: call from a thread."""

    def __init__(self, policy: Policy, journal: SignerJournal, keys: DelegateKeys) -> None:
        self._policy = policy
        self._journal = journal
        self._keys = keys
        self._genesis_hash = ""
        self._pallet_index = 0
        self.counters: dict[str, int] = {}
        """How many were signed, and refused by code."""

    def bind(self, genesis_hash: str, pallet_index: int, *, keep: bool = True) -> None:
        """Take the chain that all orders are for: the first that is named, for good.

        Without `keep` it is only said whether that could be.

        Raises SignerJournalError for another, and PolicyRefused for what is none.
        """
        digits = genesis_hash[2:]
        whole = len(genesis_hash) == CHAIN_DIGITS and genesis_hash.startswith("0x")
        if not whole or set(digits) - set("0123456789abcdef") or not 0 <= pallet_index <= 255:
            raise PolicyRefused(
                "order-invalid", "genesis_hash: give 0x and 64 digits in small letters"
            )
        self._journal.bind(genesis_hash, pallet_index, keep=keep)
        if keep:
            self._genesis_hash, self._pallet_index = genesis_hash, pallet_index

    def sign(self, asked: Sequence[SignOrder]) -> list[SignedOne]:
        """Judge orders one after the other, remember those that pass, then sign them."""
        now_ms = self._journal.clock.now_ms()
        staged: dict[int, SignedGrant] = {}
        judged: list[Signer | SignedOne] = [self._judge(each, staged, now_ms) for each in asked]
        if staged:
            try:
                self._journal.write(staged)
            except SignerJournalError as error:
                log.error("event=signer-journal-failed why=%r", str(error))  # noqa: TRY400
                failed = self._refused("journal-failed", str(error))
                return [each if isinstance(each, SignedOne) else failed for each in judged]
        return [
            each if isinstance(each, SignedOne) else self._signed(each, order)
            for each, order in zip(judged, asked, strict=True)
        ]

    def _judge(
        self, asked: SignOrder, staged: dict[int, SignedGrant], now_ms: int
    ) -> Signer | SignedOne:
        try:
            known = staged.get(asked.grant) or self._known(asked.grant)
            after = decide(self._policy, known, asked, now_ms)
            key = self._keys.open(after.key)
        except PolicyRefused as refused:
            return self._refused(refused.code, str(refused), refused.floor)
        except KeystoreError as error:
            return self._refused("key-unusable", str(error))
        except SignerJournalError as error:
            return self._refused("journal-failed", str(error))
        staged[asked.grant] = after
        return key

    def _known(self, grant: int) -> SignedGrant | None:
        return self._journal.grant(grant) if 0 <= grant < 2**64 else None

    def _signed(self, key: Signer, asked: SignOrder) -> SignedOne:
        self._count("signed")
        signature = sign_order(
            key, self._genesis_hash, self._pallet_index, asked.grant, asked.order
        )
        return SignedOne(scheme=key.scheme, signature=signature)

    def adopt(self, asked: Adopt) -> SignedOne:
        """Take over a session that another signer has opened, where the policy says so."""
        try:
            self._keys.open(asked.key)
            after = adopt(
                self._policy, self._known(asked.grant), asked, self._journal.clock.now_ms()
            )
            self._journal.write({asked.grant: after})
        except PolicyRefused as refused:
            return self._refused(refused.code, str(refused))
        except KeystoreError as error:
            return self._refused("key-unusable", str(error))
        except SignerJournalError as error:
            return self._refused("journal-failed", str(error))
        log.info("event=session-adopted session=%d-%d", asked.grant, asked.opened.index)
        return SignedOne()

    def derive(self, viewer: str, number: int) -> tuple[str, bytes, str]:
        """Give name, public key and master of a viewer's delegate.

        Raises PolicyRefused and KeystoreError.
        """
        _check_viewer(viewer)
        if not 0 <= number <= NUMBER_MAX:
            raise PolicyRefused("order-invalid", f"number is {number}: give 0 to {NUMBER_MAX}")
        name, public = self._keys.delegate(viewer, number)
        return name, public, self._keys.current.fingerprint

    def recognise(self, viewer: str, public: bytes) -> str | None:
        """Name a viewer's delegate by its public key, whichever master it comes from.

        Raises PolicyRefused and KeystoreError.
        """
        _check_viewer(viewer)
        return self._keys.recognise(viewer, public)

    def prove(self, key: str, viewer: str) -> SignedOne:
        """Sign that a viewer may grant a key: only the viewer that the key was made for."""
        try:
            _check_viewer(viewer)
            named = read_name(key)
            signer = self._keys.open(key)
            if named is not None and named.viewer != viewer:
                return self._refused("key-differs", f"{key} was made for {named.viewer}")
            if named is None and not self._journal.prove(key, viewer):
                return self._refused("key-differs", f"{key} was proven for another viewer")
        except PolicyRefused as refused:
            return self._refused(refused.code, str(refused))
        except KeystoreError as error:
            return self._refused("key-unusable", str(error))
        except SignerJournalError as error:
            return self._refused("journal-failed", str(error))
        self._count("proven")
        proof = sign_grant_proof(signer, self._genesis_hash, self._pallet_index, viewer)
        return SignedOne(scheme=signer.scheme, signature=proof)

    def _refused(self, code: str, detail: str, floor: int | None = None) -> SignedOne:
        self._count(f"refused_{code}")
        return SignedOne(code=code, detail=detail, floor=floor)

    def _count(self, name: str) -> None:
        self.counters[name] = self.counters.get(name, 0) + 1


def _check_viewer(viewer: str) -> None:
    """Hold an address against the one way to write it that names of keys have."""
    try:
        whole = len(viewer) <= VIEWER_BYTES_MAX and address(viewer) == viewer
    except AddressInvalid:
        whole = False
    if not whole:
        raise PolicyRefused(
            "order-invalid", "viewer: give an SS58 address in the generic format (42)"
        )
