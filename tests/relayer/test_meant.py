"""What an earlier process was about to have signed binds the next one's totals."""

from __future__ import annotations

import pytest

from offchain.journal import Loaded, OrderRecord, SessionRecord
from offchain.ledger.orders import Close, Fund, Order, Tick, encode_order, seconds_of
from offchain.relayer.book import Book
from streaming.session_state import SessionRef


def loaded(order: Order, *, attempt: int) -> Loaded:
    session = SessionRecord(
        grant=3,
        index=0,
        viewer="viewer",
        delegate=b"\x01" * 32,
        stream=1,
        rate_per_second=1,
        funds=100,
        start_at=0,
        admitted_at_ms=0,
        phase="open",
        number=1,
        resume_digest=b"",
        token_digest=b"",
        finished_ms=28_400,
        attempt=attempt,
    )
    record = OrderRecord(grant=3, index=0, lane=1, body=encode_order(order))
    return Loaded(
        sessions=[session],
        connections=[],
        budgets=[],
        finalized_block=0,
        tokens=[],
        delegates=[],
        orders=[record],
        damaged=[],
    )


@pytest.mark.parametrize(
    ("order", "seconds"),
    [
        (Tick(index=0, seconds=29), 29),
        (Close(index=0, seconds=2**32 - 1), 2**32 - 1),
        (Fund(index=0, funds=29), 0),
    ],
)
def test_the_total_of_a_tick_or_close_is_read_back(order: Order, seconds: int) -> None:
    assert seconds_of(encode_order(order)) == seconds


@pytest.mark.parametrize(("attempt", "meant"), [(1, 29), (2, 0)])
def test_only_orders_of_the_same_attempt_bind(attempt: int, meant: int) -> None:
    book = Book()
    book.restore(loaded(Tick(index=0, seconds=29), attempt=attempt), 0.0)
    session = book.sessions[SessionRef(3, 0)]
    assert (session.total_seconds, session.meant_seconds) == (28, meant)
