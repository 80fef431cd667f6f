"""Whose signature is under an order or a wallet's call, for the chains that tests make up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offchain.keys.signer import verify
from offchain.ledger.errors import ForeignSignature, OrderRefused, SignatureMismatch
from offchain.ledger.orders import Domain, SignedOrder, order_message
from offchain.ledger.types import SignedPayload, account_id
from tests import model


def check_order(domain: Domain, grants: Mapping[int, Any], signed: SignedOrder) -> None:
    """Check that the grant's key has signed an order. Raises OrderRefused and ForeignSignature."""
    known = grants.get(signed.grant)
    if known is None:
        raise OrderRefused("GrantNotFound", "GrantNotFound", "there is none")
    if not _is_by(known.key.public, domain, signed):
        raise ForeignSignature("BadProof", "BadProof", "not by the grant's key")


def attributed(
    domain: Domain, grants: Mapping[int, Any], signed: SignedOrder, order: Any
) -> model.SignedOrder:
    """Name the key that has signed an order, the grant's own or none; `order` is the model's."""
    known = grants.get(signed.grant)
    if known is None or not _is_by(known.key.public, domain, signed):
        return model.SignedOrder(signed.grant, order, None)
    return model.SignedOrder(signed.grant, order, known.key)


def check_wallet(payload: SignedPayload, signature: str) -> None:
    """Check that the account has signed what it was shown. Raises SignatureMismatch."""
    raw = bytes.fromhex(signature.removeprefix("0x"))
    if not verify("sr25519", account_id(payload.account), payload.message, raw):
        raise SignatureMismatch(payload.account)


def _is_by(public: bytes, domain: Domain, signed: SignedOrder) -> bool:
    message = order_message(domain.genesis_hash, domain.pallet_index, signed.grant, signed.order)
    return verify(signed.scheme, public, message, signed.signature)
