"""Between scalecodec's plain values and the typed entries, both ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from offchain.ledger.errors import WrongRuntime
from offchain.ledger.types import (
    Asset,
    AssetEntry,
    Constants,
    DelegateKey,
    Grant,
    Payee,
    Session,
    Stream,
    StreamChange,
    Subscription,
    Terms,
    Tier,
    account_id,
)


def asset_from(value: Any) -> Asset:
    """Read a `NativeOrWithId<u32>`."""
    return value["WithId"] if isinstance(value, dict) else None


def asset_value(asset: Asset) -> Any:
    """Give an asset as scalecodec encodes it."""
    return "Native" if asset is None else {"WithId": asset}


def key_from(value: Any) -> DelegateKey:
    """Read a `DelegateKey`."""
    scheme, public = next(iter(value.items()))
    return DelegateKey(scheme=scheme.lower(), public=bytes.fromhex(public[2:]))


def key_value(key: DelegateKey) -> Any:
    """Give a delegate key as scalecodec encodes it."""
    return {key.scheme.capitalize(): "0x" + key.public.hex()}


def signature_value(scheme: str, signature: bytes) -> Any:
    """Give a delegate's signature as scalecodec encodes it."""
    return {scheme.capitalize(): "0x" + signature.hex()}


def account_value(account: str | bytes) -> str:
    """Give an account as scalecodec encodes it."""
    return "0x" + account_id(account).hex()


def payees_value(payees: Sequence[Payee]) -> list[dict[str, Any]]:
    """Give payees as scalecodec encodes them."""
    return [{"account": account_value(p.account), "share": p.share} for p in payees]


def terms_value(terms: Terms) -> dict[str, Any]:
    """Give a grant's terms as scalecodec encodes them."""
    return {
        "asset": asset_value(terms.asset),
        "rate_max_per_second": terms.rate_max_per_second,
        "cap": terms.cap,
        "sessions_max": terms.sessions_max,
        "gap_ms": terms.gap_ms,
        "expires_at": terms.expires_at,
        "tips_max": terms.tips_max,
        "renewals_max": terms.renewals_max,
    }


def tier_value(tier: Tier) -> dict[str, Any]:
    """Give a tier as scalecodec encodes it."""
    return {"price": tier.price, "period_ms": tier.period_ms, "discount": tier.discount}


def change_value(change: StreamChange) -> dict[str, Any]:
    """Give a stream's change as scalecodec encodes it."""
    return {
        "rate_per_second": change.rate_per_second,
        "payees": None if change.payees is None else payees_value(change.payees),
        "funds_min": change.funds_min,
        "gap_min_ms": change.gap_min_ms,
        "paused": change.paused,
    }


def stream_from(value: Any) -> Stream:
    """Read an entry of `Streams`."""
    return Stream(
        **{
            **_known(Stream, value),
            "asset": asset_from(value["asset"]),
            "payees": tuple(Payee(**payee) for payee in value["payees"]),
            "stops": tuple(value["stops"]),
        }
    )


def grant_from(value: Any) -> Grant:
    """Read an entry of `Grants`."""
    return Grant(
        **{
            **_known(Grant, value),
            "asset": asset_from(value["asset"]),
            "key": key_from(value["key"]),
            "open": tuple(value["open"]),
        }
    )


def session_from(value: Any) -> Session:
    """Read an entry of `Sessions`."""
    return Session(
        **{
            **_known(Session, value),
            "asset": asset_from(value["asset"]),
            "key": key_from(value["key"]),
        }
    )


def asset_entry_from(value: Any) -> AssetEntry:
    """Read an entry of `AssetEntries`."""
    return AssetEntry(**_known(AssetEntry, value))


def tier_from(value: Any) -> Tier:
    """Read a `Tier`."""
    return Tier(**_known(Tier, value))


def subscription_from(value: Any) -> Subscription:
    """Read an entry of `Subscriptions`."""
    return Subscription(**{**_known(Subscription, value), "tier": tier_from(value["tier"])})


def message_from(value: Any) -> str:
    """Read a tip's message as text that is safe to show; bytes that are no UTF-8 stay `0x...`.

    It comes from strangers: what is not printable is left out.
    """
    text = bytes(value).decode(errors="replace") if isinstance(value, list) else str(value)
    return "".join(each for each in text if each.isprintable())


def constants_from(read: Callable[[str, str], Any]) -> Constants:
    """Read the constants through `read(pallet, name)`."""
    return Constants(
        head_start_max_ms=read("PayStream", "HeadStartMaxMs"),
        settlement_window_ms=read("PayStream", "SettlementWindowMs"),
        min_tick_seconds=read("PayStream", "MinTickSeconds"),
        fund_below_seconds=read("PayStream", "FundBelowSeconds"),
        gap_min_ms=read("PayStream", "GapMinMs"),
        gap_max_ms=read("PayStream", "GapMaxMs"),
        payees_max=read("PayStream", "MaxPayees"),
        sessions_per_grant_max=read("PayStream", "MaxSessionsPerGrant"),
        existential_deposit=read("Balances", "ExistentialDeposit"),
        **_added(read),
    )


_ADDED: Final = {
    "batch_orders_max": "MaxBatchOrders",
    "tiers_max": "MaxTiers",
    "tip_message_max": "MaxTipMessage",
    "period_min_ms": "PeriodMinMs",
    "treasury_share_max": "TreasuryShareMax",
    "subscription_deposit": "SubscriptionDeposit",
    "stream_deposit_base": "StreamDepositBase",
    "stream_deposit_per_payee": "StreamDepositPerPayee",
    "grant_deposit_base": "GrantDepositBase",
    "grant_deposit_per_session": "GrantDepositPerSession",
    "block_gap_max_ms": "BlockGapMaxMs",
    "tick_price_max": "TickPriceMax",
}


def _added(read: Callable[[str, str], Any]) -> dict[str, int]:
    """Read the constants that came later; a chain of before has none of them."""
    found: dict[str, int] = {}
    for field, name in _ADDED.items():
        with suppress(WrongRuntime):
            found[field] = read("PayStream", name)
    return found


def _known(kind: type[Any], value: dict[str, Any]) -> dict[str, Any]:
    """Take the fields that we know: a newer pallet may have more, an older one fewer."""
    return {name: value[name] for name in kind.__struct_fields__ if name in value}
