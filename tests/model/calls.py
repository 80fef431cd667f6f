"""Calls as values, so that model and oracle can be given the same ones.

A call's name and arguments are those of the pallet; a few names stand for what happens outside of
the ledger, and have no origin. Every value in `args` can be written as JSON by `encoded`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.model import orders
from tests.model.accounts import Account, AssetKind
from tests.model.entries import U128_MAX, Outcome, Payee, StreamChange, Terms, Tier
from tests.model.ledger import Ledger
from tests.model.orders import Order, SignedOrder

ROOT = "root"
NOBODY = "none"
GUARD = 5
"""The account of the emergency's origin: one of the people."""
OUTSIDE = "Outside"
"""Why something outside of the ledger did not happen."""

BAD_ORIGIN = frozenset({"BadOrigin"})
_IDS = {"stream": "stream_id", "grant": "grant_id"}


@dataclass(slots=True, frozen=True)
class Call:
    """`origin` is an account, `ROOT`, or `NOBODY` where the call needs none."""

    name: str
    origin: Any = NOBODY
    args: dict[str, Any] = field(default_factory=dict)


def performed(ledger: Ledger, call: Call) -> Outcome:
    """Make a call on the model."""
    name, origin = call.name, call.origin
    if name in _OUTSIDE:
        return ledger.done() if _OUTSIDE[name](ledger, **call.args) else frozenset({OUTSIDE})
    # the pallet's arguments name entries, the model's their ids
    args = {_IDS.get(key, key): value for key, value in call.args.items()}
    if name in _BY_KEYS:
        return _BY_KEYS[name](ledger, **args)
    if name in _BY_OPERATOR:
        may = origin == ROOT or (origin == GUARD and _switches_off(call))
        return _BY_OPERATOR[name](ledger, **args) if may else BAD_ORIGIN
    if name in _BY_NOBODY and origin == NOBODY:
        return _BY_NOBODY[name](ledger, **args, signed=False)
    if origin in (ROOT, NOBODY):
        return BAD_ORIGIN
    if name in _BY_ANY_ACCOUNT:
        return _BY_ANY_ACCOUNT[name](ledger, **args)
    return _BY_ACCOUNTS[name](ledger, origin, **args)


def _switches_off(call: Call) -> bool:
    """Say whether whoever watches in an emergency may make an operator's call, too."""
    return call.name == "disable_asset" or (call.name == "set_stopped" and call.args["stopped"])


def encoded(call: Call) -> dict[str, Any]:
    """Give a call as the oracle reads it."""
    return {"origin": call.origin, "call": {call.name: _plain(call.args)}}


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case Payee() | Tier():
            return value._asdict()
        case tuple() | list():
            return [_plain(item) for item in value]
        case bytes():
            return list(value)
        case Terms() | StreamChange():
            return {name: _plain(getattr(value, name)) for name in value.__slots__}
        case SignedOrder():
            return {
                "grant": value.grant,
                "order": _plain(value.order),
                "signer": value.signer,
            }
        case _ if isinstance(value, Order):
            fields = {name: _plain(getattr(value, name)) for name in value.__slots__}
            return {type(value).__name__: fields}
    return value


def decoded(line: dict[str, Any]) -> Call:
    """Give back the call that was `encoded`."""
    ((name, plain),) = line["call"].items()
    args = dict(plain)
    if "order" in args:
        args["order"] = _order(args["order"])
    if "orders" in args:
        args["orders"] = [
            SignedOrder(each["grant"], _order(each["order"]), each["signer"])
            for each in args["orders"]
        ]
    if "message" in args:
        args["message"] = bytes(args["message"])
    if "terms" in args:
        args["terms"] = Terms(**args["terms"])
    if "tier" in args:
        args["tier"] = Tier(**args["tier"])
    if "payees" in args:
        args["payees"] = _payees(args["payees"])
    if "change" in args:
        change = dict(args["change"])
        if change["payees"] is not None:
            change["payees"] = _payees(change["payees"])
        args["change"] = StreamChange(**change)
    if name == "set_tiers":
        args["tiers"] = tuple(Tier(**tier) for tier in args["tiers"])
    return Call(name, line["origin"], args)


def _payees(plain: list[dict[str, Any]]) -> tuple[Payee, ...]:
    return tuple(Payee(**payee) for payee in plain)


def _order(plain: dict[str, Any]) -> Order:
    ((kind, fields),) = plain.items()
    if "message" in fields:
        fields = fields | {"message": bytes(fields["message"])}
    order: Order = getattr(orders, kind)(**fields)
    return order


_BY_ACCOUNTS: dict[str, Callable[..., Outcome]] = {
    "deposit": Ledger.deposit,
    "withdraw": Ledger.withdraw,
    "grant": Ledger.grant,
    "revoke": Ledger.revoke,
    "tip": Ledger.tip,
    "subscribe": Ledger.subscribe,
    "cancel_subscription": Ledger.cancel_subscription,
    "create_stream": Ledger.create_stream,
    "update_stream": Ledger.update_stream,
    "end_stream": Ledger.end_stream,
    "transfer_stream": Ledger.transfer_stream,
    "refund": Ledger.refund,
    "set_tiers": Ledger.set_tiers,
}

_BY_ANY_ACCOUNT: dict[str, Callable[..., Outcome]] = {
    "settle": Ledger.settle,
    "claim": Ledger.claim,
    "settle_subscription": Ledger.settle_subscription,
    "submit_batch": Ledger.submit_batch,
}

_BY_NOBODY: dict[str, Callable[..., Outcome]] = {"settle": Ledger.settle, "claim": Ledger.claim}
"""What needs no signature."""

_BY_KEYS: dict[str, Callable[..., Outcome]] = {"submit": Ledger.submit}

_BY_OPERATOR: dict[str, Callable[..., Outcome]] = {
    "enable_asset": Ledger.enable_asset,
    "disable_asset": Ledger.disable_asset,
    "write_off_asset": Ledger.write_off_asset,
    "set_tick_price": Ledger.set_tick_price,
    "set_treasury_share": Ledger.set_treasury_share,
    "set_stopped": Ledger.set_stopped,
}

NAMES = (*_BY_ACCOUNTS, *_BY_ANY_ACCOUNT, *_BY_KEYS, *_BY_OPERATOR)
"""The pallet's calls."""

# --- outside of the ledger -----------------------------------------------------------------


def _at(ledger: Ledger, time_ms: int) -> bool:
    """A block begins."""
    ledger.begin_block(time_ms)
    ledger.free_lane_full = False
    return True


def _fill_free_lane(ledger: Ledger) -> bool:
    """The free orders of the block have used up their share."""
    ledger.free_lane_full = True
    return True


def _create_asset(ledger: Ledger, asset: int, minimum: int, *, sufficient: bool) -> bool:
    if asset in ledger.accounts.kinds:
        return False
    ledger.accounts.kinds[asset] = AssetKind(minimum, sufficient)
    return True


def _mint(ledger: Ledger, who: Account, asset: int, amount: int) -> bool:
    """The issuer of an asset gives an account more of it."""
    accounts = ledger.accounts
    kind = accounts.kinds.get(asset)
    if kind is None or kind.frozen or not accounts.can_receive(who, asset, amount):
        return False
    if accounts.issued(asset) + amount > U128_MAX:
        return False
    accounts.add(who, asset, amount)
    return True


_OUTSIDE: dict[str, Callable[..., bool]] = {
    "at": _at,
    "fill_free_lane": _fill_free_lane,
    "give": lambda ledger, **args: ledger.accounts.give(**args),
    "drain": lambda ledger, **args: ledger.accounts.drain(**args),
    "destroy_asset": lambda ledger, **args: ledger.accounts.destroy(**args),
    "freeze_asset": lambda ledger, **args: ledger.accounts.freeze(**args),
    "block_account": lambda ledger, **args: ledger.accounts.block(**args),
    "create_asset": _create_asset,
    "mint": _mint,
}
