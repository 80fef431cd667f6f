"""Records as a relayer writes them."""

from __future__ import annotations

from offchain.journal import ConnectionRecord, SessionConnection, SessionRecord


def session(grant: int = 0, index: int = 0, **fields: object) -> SessionRecord:
    values: dict[str, object] = {
        "grant": grant, "index": index, "viewer": "5Alice", "delegate": b"k" * 32, "stream": 1,
        "rate_per_second": 2**100, "funds": 2**120, "start_at": 1, "admitted_at_ms": 2,
        "phase": "open", "number": 1, "resume_digest": b"r", "token_digest": b"t",
    }  # fmt: skip
    return SessionRecord(**values | fields)  # type: ignore[arg-type]


def connection(
    grant: int = 0, index: int = 0, number: int = 1, delivered_ms: int = 1_000
) -> SessionConnection:
    figures = ConnectionRecord("c", number, "b", delivered_ms, delivered_ms + 5, 3, charged_ms=2)
    return SessionConnection(grant, index, figures)
