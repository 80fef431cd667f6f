"""Tiers as people write them: `5 UNIT/30d=50%` is a price, a period, and what it takes off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from offchain.amounts import format_duration
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.money import Money
from offchain.cli.payees import parse_share, share_text
from offchain.cli.spans import parse_span

if TYPE_CHECKING:
    from offchain.ledger.types import Tier


def parse_tier(text: str, money: Money) -> Tier:
    """Read `AMOUNT/TIME=DISCOUNT`. Raises Failure."""
    from offchain.ledger.types import Tier

    price, slash, rest = text.rpartition("/")
    period, equals, discount = rest.partition("=")
    ppm = parse_share(discount)
    if not slash or not equals or ppm is None:
        raise Failure(
            f"--offer is {text!r}: write AMOUNT/TIME=DISCOUNT, such as '5 {money.symbol}/30d=50%'",
            Exit.USAGE,
            "tier-invalid",
        )
    units = money.read(price, "--offer")
    if units == 0:
        raise Failure("--offer: a period costs something", Exit.USAGE, "tier-invalid")
    return Tier(price=units, period_ms=parse_span(period, "--offer") * 1000, discount=ppm)


def tier_text(money: Money, tier: Tier) -> str:
    """Write a tier for people."""
    period = format_duration(tier.period_ms // 1000)
    return f"{money.write(tier.price)} for {period}, {share_text(tier.discount)} off the price"


def tier_data(tier: Tier) -> dict[str, Any]:
    """Give a tier for programs; the discount is in parts per million."""
    return {"price": tier.price, "period_ms": tier.period_ms, "discount_ppm": tier.discount}
