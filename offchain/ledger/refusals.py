"""Why a pool did not take a transaction, in words.

The node says it in two languages: JSON-RPC errors when a transaction is handed in, and the SCALE of
`TransactionValidity` when it is only asked. Both lead to the same exceptions here.
"""

from __future__ import annotations

import re
from typing import Final

from offchain.ledger.errors import (
    Banned,
    ForeignSignature,
    LaneFull,
    OrderRefused,
    Replayed,
    RpcError,
    Superseded,
    TransactionRefused,
)
from offchain.ledger.runtime import Runtime

ALREADY_IN_POOL: Final = 1013
_INVALID: Final = 1010
_BY_CODE: Final = {1011: "Unknown", 1012: "Banned", 1014: "Superseded", 1016: "Dropped"}

# sp_runtime's InvalidTransaction: the texts in the order of the variants
_TEXTS: Final = {
    "Transaction call is not expected": "Call",
    "Inability to pay some fees (e.g. account balance too low)": "Payment",
    "Transaction will be valid in the future": "Future",
    "Transaction is outdated": "Stale",
    "Transaction has a bad signature": "BadProof",
    "Transaction has an ancient birth block": "AncientBirthBlock",
    "Transaction would exhaust the block limits": "ExhaustsResources",
    "InvalidTransaction custom error": "Custom",
    "A call was labelled as mandatory, but resulted in an Error.": "BadMandatory",
    "Transaction dispatch is mandatory; transactions must not be validated.": (
        "MandatoryValidation"
    ),
    "Invalid signing address": "BadSigner",
    "The implicit data was unable to be calculated": "IndeterminateImplicit",
    "The transaction extension did not authorize any origin": "UnknownOrigin",
}
_VARIANTS: Final = tuple(_TEXTS.values())

_ORDER_CLASSES: Final[dict[str, type[OrderRefused]]] = {
    "Stale": Replayed,
    "BadProof": ForeignSignature,
    "ExhaustsResources": LaneFull,
    "Superseded": Superseded,
    "Banned": Banned,
}
_ORDER_DOCS: Final = {
    "Stale": (
        "the ledger has this total, or the session is closed: read the session and send an order "
        "with a higher total, or none"
    ),
    "BadProof": (
        "the signature is not by the grant's key over this chain, grant and order: sign again "
        "with the key that the grant names"
    ),
    "ExhaustsResources": (
        "the free part of this block is full: send the order again after the next block"
    ),
    "Superseded": (
        "an order with the same or a higher total waits in the pool already: nothing is to be done"
    ),
    "Banned": (
        "the same bytes were refused a short while ago: sign the order again, which gives another "
        "transaction"
    ),
}
_SIGNED_DOCS: Final = {
    "Stale": "another transaction of the account took this nonce: compose and sign it again",
    "Future": "earlier transactions of the account are missing: send them first, or sign again",
    "BadProof": (
        "the signature does not fit the transaction, or came too late for it (it is good for some "
        "minutes): compose it again from this chain's current runtime, and sign it at once"
    ),
    "AncientBirthBlock": "it was signed too long ago: sign it again",
    "Payment": "the account cannot pay the fee: send it some of the native token first",
    "ExhaustsResources": "it does not fit into a block: make it smaller, or send it later",
    "Superseded": (
        "another transaction with this nonce waits in the pool: wait for it, or give a higher tip"
    ),
    "Banned": "the same bytes were refused a short while ago: sign it again",
}
_POOL_DOCS: Final = {
    "Dropped": "the node's pool is full: send it again in a few seconds",
    "Unknown": "the node cannot tell whether it is valid: wait until it has synchronised",
}


def refusal(runtime: Runtime, error: RpcError, *, order: bool) -> Exception:
    """Turn the node's answer to a submission into an exception; unknown ones stay as they are."""
    if error.code == _INVALID:
        custom = re.fullmatch(r"Custom error: ([0-9]+)", str(error.data))
        if custom:
            return invalid(runtime, "Custom", int(custom.group(1)), order=order)
        return invalid(runtime, _TEXTS.get(str(error.data), str(error.data)), None, order=order)
    if error.code in _BY_CODE:
        return invalid(runtime, _BY_CODE[error.code], None, order=order)
    return error


def invalid(runtime: Runtime, name: str, custom: int | None, *, order: bool) -> TransactionRefused:
    """Make the exception for a reason of `InvalidTransaction`.

    A custom number is the number of the pallet's error: its name and documentation are given.
    """
    kind: type[TransactionRefused] = OrderRefused if order else TransactionRefused
    if custom is not None and order:
        error, docs = runtime.pallet_error(custom)
        return kind(error, error, docs)
    if custom is not None:
        return kind("Custom", f"Custom {custom}", "the runtime refuses it for a reason of its own")
    table = _ORDER_DOCS if order else _SIGNED_DOCS
    docs = table.get(name) or _POOL_DOCS.get(name) or "the chain does not accept it"
    if order:
        kind = _ORDER_CLASSES.get(name, OrderRefused)
    return kind(name, name, docs)


def from_validity(runtime: Runtime, raw: bytes, *, order: bool) -> TransactionRefused | None:
    """Read a SCALE `TransactionValidity`; None where the transaction is valid."""
    if raw[:1] == b"\x00":
        return None
    if raw[:2] == b"\x01\x00" and len(raw) > 2 and raw[2] < len(_VARIANTS):
        name = _VARIANTS[raw[2]]
        return invalid(runtime, name, raw[3] if name == "Custom" else None, order=order)
    return invalid(runtime, "Unknown", None, order=order)
