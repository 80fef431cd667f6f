"""The typed client of the ledger: JSON-RPC, types, orders, extrinsics, errors."""

from offchain.ledger import errors
from offchain.ledger.client import Ledger, open_ledger
from offchain.ledger.orders import Close, Fund, Open, Order, Tick
from offchain.ledger.types import (
    NATIVE,
    Asset,
    Constants,
    DelegateKey,
    Event,
    Fee,
    Grant,
    Head,
    Payee,
    Receipt,
    Session,
    SignedPayload,
    Stream,
    StreamChange,
    Terms,
    account_id,
    address,
)

__all__ = [
    "NATIVE",
    "Asset",
    "Close",
    "Constants",
    "DelegateKey",
    "Event",
    "Fee",
    "Fund",
    "Grant",
    "Head",
    "Ledger",
    "Open",
    "Order",
    "Payee",
    "Receipt",
    "Session",
    "SignedPayload",
    "Stream",
    "StreamChange",
    "Terms",
    "Tick",
    "account_id",
    "address",
    "errors",
    "open_ledger",
]
