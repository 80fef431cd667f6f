"""What the client makes of `Payment-Receipt`."""

from __future__ import annotations

import pytest

from streaming import payment_auth
from streaming.clients.rest_client import ClientError, receipt_of
from streaming.payment_auth import Receipt


def test_a_receipt_is_read_with_its_types() -> None:
    receipt = Receipt(
        status="success",
        method="paystream",
        timestamp="2026-01-31T12:00:00Z",
        reference="3-1",
        rate_per_second="1000",
        spent="0",
    )
    assert receipt_of({"Payment-Receipt": payment_auth.show_receipt(receipt)}) == receipt
    assert receipt_of({}) is None


@pytest.mark.parametrize("shown", ["", "!", "e30", "a" * 9_000])
def test_a_receipt_that_is_none_is_an_error_of_the_servers(shown: str) -> None:
    with pytest.raises(ClientError) as raised:
        receipt_of({"Payment-Receipt": shown})
    assert raised.value.code == "receipt-invalid"
