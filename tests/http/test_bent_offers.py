"""Bent offers over HTTP, with the real engine behind: refused with their line, or answered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streaming.http.limits import Limits
from streaming.session_state import StreamRef
from streaming.sfu.aiortc_engine import AiortcEngine, AiortcPublication, LiveStream
from streaming.sfu.publication import PublishedTracks, Track
from tests.http.rig import PUBLISHING, SDP, WATCHING, HttpRig, http_rig
from tests.sfu.bent_offers import KINDS, STREAMS, bent

EACH = 20
"""Of each kind; without the limits, which would refuse most of them before they are read."""
UNLIMITED = Limits(
    requests_per_second=0, joins_per_minute=0, half_open_per_address=0, half_open_per_stream=0
)


def is_published(r: HttpRig) -> None:
    """Stream 1 is live, though nobody sends."""
    engine: Any = r.server.engine
    assert isinstance(engine, AiortcEngine)
    tracks = {kind: Track(codec, 1, lambda _packet: None) for kind, codec in STREAMS[0].items()}
    made = AiortcPublication.__new__(AiortcPublication)
    made.published = PublishedTracks(StreamRef(1), tracks)
    engine._streams.setdefault(StreamRef(1), LiveStream(StreamRef(1))).follow(made)


def is_gone(r: HttpRig) -> None:
    engine: Any = r.server.engine
    for live in engine._streams.values():
        live.publication = None


@pytest.mark.parametrize("kind", KINDS)
def test_no_bent_offer_is_a_5xx_or_opens_a_session_and_is_then_refused(kind: str) -> None:
    async def main() -> None:
        statuses: list[int] = []
        async with http_rig(real_engine=True, limits=UNLIMITED) as r:
            is_published(r)
            for seed in range(EACH):
                data = bent(kind, seed).text.encode("utf-8", "surrogatepass")
                admitted = _admissions(r)
                headers = {**WATCHING, **SDP}
                status, answered, body = await r.ask("POST", "/whep/1", headers=headers, data=data)
                statuses.append(status)
                assert _admissions(r) - admitted == (status == 201)
                if status == 201:
                    await r.ask("DELETE", answered["Location"])
                else:
                    assert 400 <= status < 500, (seed, status, body)
                    assert body["detail"]
                status, answered, body = await r.ask(
                    "POST", "/whip/2", headers={**PUBLISHING, **SDP}, data=data
                )
                statuses.append(status)
                if status == 201:
                    await r.ask("DELETE", answered["Location"], headers=PUBLISHING)
                else:
                    assert 400 <= status < 500, (seed, status, body)
                    assert body["detail"]
            assert len(r.server.connections) == 0
            is_gone(r)
        assert 201 in statuses
        assert any(status != 201 for status in statuses)

    asyncio.run(main())


def _admissions(r: HttpRig) -> int:
    return [request.method for request in r.relayer.requests].count("admit")
