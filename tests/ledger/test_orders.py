"""Orders: the bytes that are signed, to the letter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offchain.keys import dev_key, fresh_key, verify
from offchain.ledger.orders import (
    U32_MAX,
    U64_MAX,
    U128_MAX,
    Close,
    Fund,
    Open,
    Order,
    OrderInvalid,
    Renew,
    SignedOrder,
    Tick,
    Tip,
    delegate_key,
    encode_order,
    encode_signed,
    grant_proof_message,
    order_message,
    sign_grant_proof,
    sign_order,
)
from offchain.ledger.types import DelegateKey

GENESIS = "0x" + "ab" * 32

VECTORS: list[tuple[Order, str]] = [
    (
        Open(index=1, stream=2, rate_per_second=3, funds=4, start_at=5, tick_price_max=6),
        "00010000000200000000000000"
        + ("03" + "00" * 15 + "04" + "00" * 15 + "05" + "00" * 7 + "06" + "00" * 15),
    ),
    (  # as runtimes without `TickPriceMax` take it
        Open(index=1, stream=2, rate_per_second=3, funds=4, start_at=5, tick_price_max=None),
        "00010000000200000000000000" + "03" + "00" * 15 + "04" + "00" * 15 + "05" + "00" * 7,
    ),
    (Fund(index=7, funds=2**64), "0107000000" + "00" * 8 + "01" + "00" * 7),
    (Tick(index=258, seconds=6), "020201000006000000"),
    (Close(index=0, seconds=U32_MAX), "0300000000ffffffff"),
    (Tip(index=1, tips=3), "0401000000" + "03" + "00" * 15 + "00"),
    (Tip(index=1, tips=2**64, message=b"hi"), "0401000000" + "00" * 8 + "01" + "00" * 7 + "086869"),
    (Tip(index=0, tips=0, message=b"x" * 64), "0400000000" + "00" * 16 + "0101" + "78" * 64),
    (Renew(index=2, renewals=7), "050200000007000000"),
]


@pytest.mark.parametrize(("order", "encoded"), VECTORS)
def test_orders_are_encoded_to_the_letter(order: Order, encoded: str) -> None:
    assert encode_order(order).hex() == encoded


def test_the_signed_bytes_of_an_order() -> None:
    message = order_message(GENESIS, 10, 0x0102, Tick(index=3, seconds=6))
    assert message == (
        b"PayStream/order/v1"
        + bytes.fromhex("ab" * 32)
        + b"\x0a"
        + bytes.fromhex("0201000000000000")
        + bytes.fromhex("020300000006000000")
    )


def test_the_signed_bytes_of_a_grant() -> None:
    viewer = dev_key("Alice")
    message = grant_proof_message(GENESIS, 10, viewer.address)
    assert message == b"PayStream/grant/v1" + bytes.fromhex("ab" * 32) + b"\x0a" + viewer.public_key


def test_signatures_are_over_exactly_these_bytes() -> None:
    key = fresh_key()
    order = Tick(index=3, seconds=6)
    signature = sign_order(key, GENESIS, 10, 4, order)
    message = order_message(GENESIS, 10, 4, order)
    assert verify("sr25519", key.public_key, message, signature)
    for other in (
        order_message(GENESIS, 10, 5, order),
        order_message(GENESIS, 11, 4, order),
        order_message("0x" + "ac" * 32, 10, 4, order),
        order_message(GENESIS, 10, 4, Tick(index=3, seconds=7)),
        order_message(GENESIS, 10, 4, Close(index=3, seconds=6)),
    ):
        assert not verify("sr25519", key.public_key, other, signature)
    proof = sign_grant_proof(key, GENESIS, 10, key.address)
    assert verify("sr25519", key.public_key, grant_proof_message(GENESIS, 10, key.address), proof)
    assert delegate_key(key) == DelegateKey(scheme="sr25519", public=key.public_key)


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (Tick(index=-1, seconds=1), "Tick.index"),
        (Tick(index=1, seconds=U32_MAX + 1), "Tick.seconds"),
        (Close(index=U32_MAX + 1, seconds=1), "Close.index"),
        (Fund(index=1, funds=U128_MAX + 1), "Fund.funds"),
        (Open(index=1, stream=U64_MAX + 1, rate_per_second=1, funds=1, start_at=1), "Open.stream"),
        (Open(index=1, stream=1, rate_per_second=-1, funds=1, start_at=1), "Open.rate_per_second"),
        (Open(index=1, stream=1, rate_per_second=1, funds=1, start_at=2**64), "Open.start_at"),
        (
            Open(index=1, stream=1, rate_per_second=1, funds=1, start_at=1, tick_price_max=-1),
            "Open.tick_price_max",
        ),
        (Tick(index=1, seconds=1.5), "Tick.seconds"),  # type: ignore[arg-type]
        (Tick(index=True, seconds=1), "Tick.index"),
        (Tip(index=1, tips=U128_MAX + 1), "Tip.tips"),
        (Tip(index=1, tips=1, message=b"x" * 2**14), "Tip.message"),
        (Tip(index=1, tips=1, message="text"), "Tip.message"),  # type: ignore[arg-type]
        (Renew(index=1, renewals=U32_MAX + 1), "Renew.renewals"),
    ],
)
def test_a_field_out_of_range_is_named(order: Order, field: str) -> None:
    with pytest.raises(OrderInvalid, match=field):
        encode_order(order)


def test_a_genesis_hash_and_a_grant_are_checked() -> None:
    with pytest.raises(OrderInvalid, match="genesis_hash has 2 bytes"):
        order_message("0xabcd", 10, 1, Tick(index=1, seconds=1))
    with pytest.raises(OrderInvalid, match="grant is -1"):
        order_message(GENESIS, 10, -1, Tick(index=1, seconds=1))


def test_a_signed_order_is_what_both_ways_carry() -> None:
    signature = bytes(range(64))
    signed = SignedOrder(grant=2, order=Tick(index=3, seconds=6), signature=signature)
    scheme = b"\x00"
    assert encode_signed(signed) == (
        bytes.fromhex("0200000000000000") + encode_order(signed.order) + scheme + signature
    )
    assert signed.place == (2, 3)
    short = SignedOrder(grant=2, order=signed.order, signature=bytes(63))
    with pytest.raises(OrderInvalid, match="signature"):
        encode_signed(short)


@given(index=st.integers(0, U32_MAX), seconds=st.integers(0, U32_MAX))
def test_ticks_and_closes_differ_in_one_byte(index: int, seconds: int) -> None:
    tick = encode_order(Tick(index=index, seconds=seconds))
    close = encode_order(Close(index=index, seconds=seconds))
    assert (tick[0], close[0], tick[1:]) == (2, 3, close[1:])
    assert int.from_bytes(tick[1:5], "little") == index
    assert int.from_bytes(tick[5:], "little") == seconds
