"""Slow and broken requests: none holds a connection, a descriptor or a line of the log for long."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from streaming.http import slow_requests
from streaming.http.limits import Limits
from tests.http.fake_relayer import WATCH_TOKEN
from tests.http.rig import HttpRig, http_rig

QUICK = Limits(request_timeout_s=0.2)


async def connect(r: HttpRig) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = r.url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def until(true: Callable[[], Any], within_s: float = 4.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.01)


async def all_of(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("start", [b"", b"G", b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: "])
def test_a_header_that_does_not_come_is_hung_up_on(start: bytes) -> None:
    async def main() -> None:
        async with http_rig(limits=QUICK) as r:
            reader, writer = await connect(r)
            writer.write(start)
            began = time.monotonic()
            assert await all_of(reader) == b""
            assert time.monotonic() - began < 3
            await hang_up(writer)

    asyncio.run(main())


def test_a_header_that_trickles_after_a_good_request_is_hung_up_on_too() -> None:
    async def main() -> None:
        async with http_rig(limits=QUICK) as r:
            reader, writer = await connect(r)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.4)  # idle between two requests: that may be longer
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"200 OK" in await reader.readuntil(b"200 OK")
            writer.write(b"GET /hea")
            rest = await all_of(reader)
            assert b"HTTP/1.1" not in rest
            await hang_up(writer)

    asyncio.run(main())


def test_a_body_that_does_not_come_is_408() -> None:
    async def main() -> None:
        async with http_rig(limits=QUICK) as r:
            reader, writer = await connect(r)
            writer.write(
                b"POST /whep/1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/sdp\r\n"
                b"Content-Length: 5000\r\nAuthorization: Bearer "
                + WATCH_TOKEN.encode()
                + b"\r\n\r\nv=0"
            )
            header = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            assert b"408 " in header.splitlines()[0]
            assert b"Connection: close" in header
            body = json.loads(await all_of(reader))
            assert (body["code"], "0.2 s" in body["detail"]) == ("request-timeout", True)
            assert "--request-timeout" in body["detail"]
            await hang_up(writer)
            assert len(r.server.door.half_open) == 0

    asyncio.run(main())


def test_a_slow_admission_is_no_slow_request() -> None:
    async def main() -> None:
        async with http_rig(limits=QUICK) as r:
            reader, writer = await connect(r)
            del r.relayer.answers["info"]
            writer.write(b"GET /api/v1/info HTTP/1.1\r\nHost: a\r\n\r\n")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.6)
            await hang_up(writer)

    asyncio.run(main())


JOIN = (
    b"POST /whep/1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/sdp\r\n"
    b"Content-Length: 3\r\nAuthorization: Bearer " + WATCH_TOKEN.encode() + b"\r\n\r\nv=0"
)


def test_an_admission_that_takes_its_time_is_answered() -> None:
    """The ledger's pace makes a viewer wait for longer than a request may take to come."""

    async def main() -> None:
        async with http_rig(limits=QUICK) as r:
            admit = r.relayer.answers.pop("admit")
            reader, writer = await connect(r)
            writer.write(JOIN)
            await until(lambda: any(one.method == "admit" for one in r.relayer.requests))
            await asyncio.sleep(0.6)  # three times what a header or a body may take
            (asked,) = (one for one in r.relayer.requests if one.method == "admit")
            r.relayer.answer_late(asked, admit(asked.params))
            header = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            assert header.startswith(b"HTTP/1.1 201")
            await hang_up(writer)

    asyncio.run(main())


def test_a_viewer_who_hangs_up_is_no_longer_admitted() -> None:
    async def main() -> None:
        async with http_rig() as r:
            del r.relayer.answers["admit"]
            _, writer = await connect(r)
            writer.write(JOIN)
            await until(lambda: any(one.method == "admit" for one in r.relayer.requests))
            await hang_up(writer)
            await until(lambda: r.relayer.requests[-1].method == "withdraw")
            (asked,) = (one for one in r.relayer.requests if one.method == "admit")
            assert r.relayer.requests[-1].params == {"request": asked.id}
            await until(lambda: r.engine.prepared[0].closed)
            assert r.server.connections.joining == 0
            assert len(r.server.door.half_open) == 0

    asyncio.run(main())


def test_connections_of_one_address_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        limits = Limits(http_connections_per_address=3)
        async with http_rig(limits=limits) as r:
            monkeypatch.setattr(r.server.door.addresses, "of_peer", lambda peer: f"no {peer}")
            held = [await connect(r) for _ in range(3)]
            for _, writer in held:
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            for reader, _ in held:
                assert b"200" in await reader.readline()
            reader, writer = await connect(r)
            assert await all_of(reader) == b""
            await hang_up(writer)
            await hang_up(held[0][1])
            connections = r.server.http_connections
            assert connections is not None
            assert connections.refused == 1
            for _ in range(200):
                if connections._counts["no 127.0.0.1"] < 3:
                    break
                await asyncio.sleep(0.01)
            again = await connect(r)
            again[1].write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"200" in await again[0].readline()
            for _, writer in (*held[1:], again):
                await hang_up(writer)

    asyncio.run(main())


POST = (
    b"POST /whep/1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/sdp\r\n"
    b"Connection: close\r\nAuthorization: Bearer psw_test\r\n"
)


@pytest.mark.parametrize(
    "noise",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"\x00" * 50 + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost a\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 5\r\nContent-Encoding: gzip\r\n\r\nnope!",
        POST + b"Content-Length: 50\r\n\r\nv=0",
        POST.replace(b"psw_test", b"psw_no") + b"Content-Length: 5000\r\n\r\nv=0",
    ],
)
def test_noise_is_no_traceback_and_no_error_of_ours(
    caplog: pytest.LogCaptureFixture, noise: bytes
) -> None:
    async def main() -> None:
        async with http_rig(limits=QUICK) as r:
            caplog.clear()
            reader, writer = await connect(r)
            writer.write(noise)
            answer = await all_of(reader)
            assert b" 500 " not in answer.partition(b"\r\n")[0]
            assert b"Traceback" not in answer
            await hang_up(writer)
            assert (await r.ask("GET", "/healthz"))[0] == 200

    asyncio.run(main())
    assert [record for record in caplog.records if record.exc_info] == []
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_nothing_is_left_of_connections_that_are_over() -> None:
    async def main() -> None:
        async with http_rig(limits=QUICK) as r:
            pairs = [await connect(r) for _ in range(20)]
            for _, writer in pairs:
                await hang_up(writer)
            connections = r.server.http_connections
            assert isinstance(connections, slow_requests.HttpConnections)
            for _ in range(200):
                if not connections._open:
                    break
                await asyncio.sleep(0.01)
            assert not connections._open
            assert not connections._counts

    asyncio.run(main())
