"""The ledger once more, in Python, written from docs/ledger.md alone.

`Ledger` is the whole: its calls return the events they cause, or the names of all errors that
apply. The page fixes no order of checks, so the pallet may answer with any name of that set.
A call that is refused changes nothing, because every check comes before the first change.
"""

from tests.model.accounts import Accounts, AssetKind
from tests.model.books import halt
from tests.model.entries import (
    AssetEntry,
    Constants,
    Event,
    Grant,
    Outcome,
    Payee,
    Session,
    Stream,
    StreamChange,
    Subscription,
    Terms,
    Tier,
)
from tests.model.invariants import violated
from tests.model.ledger import Ledger
from tests.model.orders import Close, Fund, Open, Order, Renew, SignedOrder, Tick, Tip

__all__ = [
    "Accounts",
    "AssetEntry",
    "AssetKind",
    "Close",
    "Constants",
    "Event",
    "Fund",
    "Grant",
    "Ledger",
    "Open",
    "Order",
    "Outcome",
    "Payee",
    "Renew",
    "Session",
    "SignedOrder",
    "Stream",
    "StreamChange",
    "Subscription",
    "Terms",
    "Tick",
    "Tier",
    "Tip",
    "halt",
    "violated",
]
