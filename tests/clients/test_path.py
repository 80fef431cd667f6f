"""The path of the tests: what its model does to packets, and what its proxy does to answers."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from streaming.clients.path.__main__ import _config
from streaming.clients.path.answer import NoCandidateError, server_of, through
from streaming.clients.path.model import CLEAR, HEADER_BYTES, Counts, Path, PathSettings, is_rtp
from streaming.clients.path.proxy import (
    STATISTICS,
    PathConfig,
    RunningPath,
    Side,
    path_before,
)
from streaming.clients.path.relay import IDLE_US, Ends, Relay

MS = 1_000
RTP = bytes([0x80, 96]) + bytes(98)
RTCP = bytes([0x80, 201]) + bytes(6)
STUN = bytes([0, 1]) + bytes(18)
LOST_OF_A_HUNDRED = [2, 32, 33, 57, 63, 66, 69, 82, 85, 96, 99]
"""At 10 % with seed 1."""


def arrivals(path: Path, times_ms: list[float], packet: bytes = RTP) -> list[float | None]:
    """When packets sent at these times arrive, in milliseconds."""
    found = [path.arrival_us(packet, round(at * MS)) for at in times_ms]
    return [None if at is None else at / MS for at in found]


def path(seed: str = "1", **settings: Any) -> Path:
    return Path(PathSettings(**settings), seed)


# --- the model ----------------------------------------------------------------------------


def test_a_clear_path_takes_no_time_and_loses_nothing() -> None:
    clear = Path(CLEAR, "1")
    assert arrivals(clear, [0, 1, 1, 5]) == [0, 1, 1, 5]
    assert clear.counts == Counts(packets=4, bytes=400)
    assert clear.counts.passed == 4


def test_delay_is_added_to_each_packet() -> None:
    assert arrivals(path(delay_ms=40), [0, 10, 10.5]) == [40, 50, 50.5]


def test_the_same_seed_loses_the_same_packets_whatever_else_is_set() -> None:
    def lost(**settings: Any) -> list[int]:
        found = arrivals(path(loss_percent=10, **settings), [float(ms) for ms in range(100)])
        return [number for number, at in enumerate(found) if at is None]

    assert lost() == LOST_OF_A_HUNDRED
    assert lost(delay_ms=40, jitter_ms=100, reorder_ms=50, rate_kbps=2_000) == lost()
    assert lost(seed="2") != lost()


def test_loss_is_as_often_as_set() -> None:
    for percent in (0, 1, 5, 100):
        lossy = path(loss_percent=percent)
        arrivals(lossy, [0.0] * 20_000)
        spread = math.sqrt(2 * percent * (100 - percent))
        assert lossy.counts.lost == pytest.approx(200 * percent, abs=3 * spread)


def test_an_outage_loses_all_from_its_start_to_its_end() -> None:
    burst = path(outages=((100, 300), (1_000, 1)))
    assert arrivals(burst, [50, 149, 150, 449, 450, 1_049, 1_050, 1_051]) == [
        *(50, 149, None, None, 450, 1_049, None, 1_051)
    ], "times count from the first packet"
    assert (burst.counts.lost_in_outages, burst.counts.lost) == (3, 0)


def test_seeded_outages_have_their_length_and_their_mean_interval() -> None:
    def lost(seed: str) -> list[int]:
        bursts = path(seed, outage_ms=300, outage_every_ms=5_000)
        found = arrivals(bursts, [float(ms) for ms in range(0, 300_000, 10)])
        return [10 * number for number, at in enumerate(found) if at is None]

    times = lost("1")
    starts = [at for at in times if at - 10 not in times]
    assert len(times) == 30 * len(starts), "each lasts 300 ms"
    assert 50 <= len(starts) <= 70
    gaps = [after - before for before, after in itertools.pairwise(starts)]
    assert 2_400 < min(gaps) < max(gaps) < 7_600
    assert times == lost("1")
    assert times != lost("2")


def test_jitter_stays_in_its_bounds_and_keeps_the_order() -> None:
    times = [float(ms) for ms in range(0, 5_000, 5)]
    found = arrivals(path(delay_ms=40, jitter_ms=150), times)
    added = [at - sent - 40 for at, sent in zip(found, times, strict=True) if at is not None]
    assert 0 <= min(added) < 10
    assert 140 < max(added) <= 150
    assert found == sorted(at for at in found if at is not None)
    assert found == arrivals(path(delay_ms=40, jitter_ms=150), times)
    assert found != arrivals(path("2", delay_ms=40, jitter_ms=150), times)


def test_jitter_does_not_vanish_where_packets_are_close_together() -> None:
    times = [ms / 10 for ms in range(50_000)]
    found = arrivals(path(jitter_ms=100), times)
    added = sorted(at - sent for at, sent in zip(found, times, strict=True) if at is not None)
    assert 30 < added[len(added) // 2] < 80, "the middle one waits about half of the bound"


def test_reordering_is_bounded_and_strikes_some() -> None:
    times = [float(ms) for ms in range(1_000)]
    found = [at or 0 for at in arrivals(path(delay_ms=10, reorder_ms=50), times)]
    held = [at - sent - 10 for at, sent in zip(found, times, strict=True)]
    assert 0 == min(held) < max(held) <= 50
    assert 70 <= sum(late > 0 for late in held) <= 130, "ten of a hundred"
    overtaken = sum(a > b for a, b in itertools.pairwise(found))
    assert overtaken > 60


def test_a_rate_spreads_packets_and_its_queue_drops_what_would_wait_too_long() -> None:
    packet = bytes(1_250 - HEADER_BYTES)  # 10 ms at 1 Mbit/s
    link = path(rate_kbps=1_000, queue_ms=30, delay_ms=5)
    found = arrivals(link, [0] * 6, packet)
    assert found == [15, 25, 35, 45, None, None]
    assert link.counts.dropped_by_queue == 2
    assert arrivals(link, [100], packet) == [115], "the link is free again"


def test_a_lost_packet_has_used_the_link() -> None:
    packet = bytes(1_250 - HEADER_BYTES)
    link = path(rate_kbps=1_000, outages=((0, 5),))
    assert arrivals(link, [0, 5], packet) == [None, 20]


def test_what_is_no_rtp_may_be_spared() -> None:
    spared = path(loss_percent=100, outages=((0, 1_000),), rtp_alone=True)
    assert arrivals(spared, [0], RTP) == [None]
    assert arrivals(spared, [0], RTCP) == arrivals(spared, [0], STUN) == [0]
    assert [is_rtp(each) for each in (RTP, RTCP, STUN, b"", b"\x80")] == [True, *[False] * 4]


def test_settings_may_change_on_the_way() -> None:
    changing = path(delay_ms=40)
    assert arrivals(changing, [0]) == [40]
    changing.settings = PathSettings(loss_percent=100)
    assert arrivals(changing, [1]) == [None]
    changing.settings = CLEAR
    assert arrivals(changing, [2, 50]) == [40, 50], "nothing overtakes"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"loss_percent": 101}, "loss_percent 101: give 0 to 100"),
        ({"delay_ms": -1}, "delay_ms -1"),
        ({"rate_kbps": 0}, "rate_kbps 0"),
        ({"outage_ms": 300, "outage_every_ms": 300}, "outage_every_ms 300"),
        ({"outages": ((5, 0),)}, "outages"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        PathSettings(**settings)


# --- the answer ---------------------------------------------------------------------------

SECTION = (
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n"
    "a=candidate:1 1 udp 100 127.0.0.1 4001 typ host\r\n"
    "a=candidate:2 1 UDP 300 192.0.2.7 4002 typ host\r\n"
    "a=candidate:3 1 udp 200 198.51.100.9 4003 typ srflx raddr 192.0.2.7 rport 4002\r\n"
    "a=candidate:4 1 udp 400 e1b2.local 4004 typ host\r\n"
    "a=end-of-candidates\r\na=mid:0\r\n"
)
ANSWER = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n" + SECTION


def test_the_relay_is_the_only_candidate_and_all_else_stays() -> None:
    answer = ANSWER + SECTION.replace("m=video 9", "m=audio 9").replace("mid:0", "mid:1")
    found = through(answer, ("127.0.0.1", 5000))
    relay = "a=candidate:1 1 udp 2130706431 127.0.0.1 5000 typ host\r\n"
    others = [line for line in answer.splitlines() if not line.startswith("a=candidate")]
    assert [line for line in found.splitlines() if not line.startswith("a=candidate")] == others
    assert found.count("a=candidate") == found.count(relay) == 2
    assert found.count(relay + "a=end-of-candidates\r\n") == 2


def test_ports_outside_candidates_are_the_relays_too() -> None:
    answer = ANSWER.replace("m=video 9", "m=video 4002").replace("IP4 0.0.0.0", "IP4 192.0.2.7")
    answer = answer.replace("rtcp:9", "rtcp:4002") + "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n"
    found = through(answer.replace("\r\n", "\n"), ("::1", 5000)).splitlines()
    assert "m=video 5000 UDP/TLS/RTP/SAVPF 96" in found
    assert "c=IN IP6 ::1" in found
    assert "a=rtcp:5000 IN IP6 ::1" in found
    assert "m=audio 0 UDP/TLS/RTP/SAVPF 0" in found
    assert found[1] == "o=- 1 1 IN IP4 192.0.2.7"


def test_the_servers_candidate_is_the_one_where_it_answers_else_the_best() -> None:
    assert server_of(ANSWER, "127.0.0.1") == ("127.0.0.1", 4001)
    assert server_of(ANSWER, "live.example") == ("192.0.2.7", 4002)
    with pytest.raises(NoCandidateError):
        server_of(ANSWER.replace("typ host", "typ relay"), "127.0.0.1")


# --- the proxy ----------------------------------------------------------------------------

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def standing(
    handler: Handler, **options: Any
) -> AsyncIterator[tuple[RunningPath, aiohttp.ClientSession]]:
    """A path before a server that answers everything with `handler`."""
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = PathConfig(to=f"http://127.0.0.1:{runner.addresses[0][1]}", **options)
    try:
        async with path_before(config) as path, aiohttp.ClientSession() as client:
            yield path, client
    finally:
        await runner.cleanup()


def test_everything_else_passes_as_it_is() -> None:
    seen: list[tuple[str, str, bytes, dict[str, str]]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.method, request.raw_path, await request.read(), {**request.headers}))
        headers = {"PayStream-Session": "1-1", "ETag": '"x"'}
        if request.path == "/gone":
            return web.Response(status=302, headers={**headers, "Location": "/there"})
        if request.path == "/pause":
            return web.Response(status=204, headers=headers)
        return web.Response(body=b"\x00\xff", content_type="image/png", headers=headers)

    async def main() -> None:
        async with standing(handler) as (path, client):
            given = {"Authorization": "Bearer psw_1", "X-Odd": "a, b", "User-Agent": "me"}
            url = path.url + "/a%2Fb?x=%20+y"
            async with client.post(url, data=b"\x01\x02", headers=given) as got:
                assert (got.status, await got.read()) == (200, b"\x00\xff")
                assert got.headers["Content-Type"] == "image/png"
                assert got.headers["PayStream-Session"] == "1-1"
            method, raw_path, body, headers = seen[-1]
            assert (method, raw_path, body) == ("POST", "/a%2Fb?x=%20+y", b"\x01\x02")
            assert given.items() <= headers.items()
            assert headers["Host"] == path.url.removeprefix("http://"), "as the client wrote it"
            async with client.head(path.url + "/film") as got:
                assert got.headers["Content-Length"] == "2"
            async with client.get(path.url + "/gone", allow_redirects=False) as got:
                assert (got.status, got.headers["Location"]) == (302, "/there")
            async with client.post(path.url + "/pause") as got:
                assert (got.status, got.headers["ETag"]) == (204, '"x"')
            assert seen[-1][2] == b""

    asyncio.run(main())


def test_a_server_that_is_away_is_a_bad_gateway() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        config = PathConfig(to=f"http://127.0.0.1:{port}")
        async with (
            path_before(config) as path,
            aiohttp.ClientSession() as client,
            client.get(path.url + "/healthz") as got,
        ):
            assert got.status == 502
            assert f"127.0.0.1:{port}" in await got.text()

    asyncio.run(main())


async def until(true: Callable[[], object]) -> None:
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about")


def echo_socket() -> socket.socket:
    """Stands in for the server's candidate."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.settimeout(0)
    return made


def answering(port: int) -> Handler:
    """A server that takes every offer, with one candidate."""

    async def handler(request: web.Request) -> web.Response:
        if request.method == "POST":
            candidate = f"a=candidate:1 1 udp 100 127.0.0.1 {port} typ host\r\n"
            sdp = f"v=0\r\nm=video 9 X 96\r\n{candidate}a=end-of-candidates\r\n"
            headers = {"Location": f"{request.path}/one", "PayStream-Session": "1-1"}
            return web.Response(
                status=201, text=sdp, content_type="application/sdp", headers=headers
            )
        return web.json_response({}, status=200 if request.path == "/whep/7/one" else 404)

    return handler


async def join(path: RunningPath, client: aiohttp.ClientSession, resource: str) -> tuple[str, int]:
    """POST an offer; the address in the answer's only candidate."""
    async with client.post(path.url + resource, data="v=0") as got:
        assert got.status == 201
        assert got.headers["Location"] == resource + "/one"
        (line,) = [line for line in (await got.text()).splitlines() if "candidate:" in line]
    return line.split()[4], int(line.split()[5])


def test_each_side_has_its_own_path_in_the_answer() -> None:
    async def main() -> None:
        with echo_socket() as server, echo_socket() as client_socket:
            settings = {"viewers": PathSettings(loss_percent=100)}
            handler = answering(server.getsockname()[1])
            async with standing(handler, **settings) as (path, client):
                loop = asyncio.get_running_loop()
                whip = await join(path, client, "/whip/7")
                client_socket.sendto(b"up", whip)
                data, relay = await loop.sock_recvfrom(server, 100)
                assert data == b"up"
                server.sendto(b"down", relay)
                assert await loop.sock_recvfrom(client_socket, 100) == (b"down", whip)

                whep = await join(path, client, "/whep/7")
                assert whep != whip
                client_socket.sendto(RTP, whep)
                await until(lambda: path.proxy.viewers.to_server.lost)
                async with client.get(path.url + STATISTICS) as got:
                    told = await got.json()
                assert told == path.proxy.statistics()
                assert told["viewers"]["to_server"]["lost"] == 1
                assert told["viewers"]["to_server"]["passed"] == 0
                assert told["publishers"]["to_client"]["packets"] == 1
                assert told["publishers"]["open"] == told["viewers"]["open"] == 1

    asyncio.run(main())


def test_relays_of_connections_that_are_gone_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streaming.clients.path.proxy.LINGER_S", 0)

    async def main() -> None:
        with echo_socket() as server:
            async with standing(answering(server.getsockname()[1])) as (path, client):
                sides = path.proxy.viewers, path.proxy.publishers
                await join(path, client, "/whep/7")
                await join(path, client, "/whip/7")
                (watched,), (published,) = ([*side.relays.values()] for side in sides)
                async with client.delete(path.url + "/whip/7/one") as got:
                    assert got.status == 404
                async with client.delete(path.url + "/whep/7/one") as got:
                    assert got.status == 200
                await until(lambda: watched.closed)
                assert not published.closed
                published._used_us -= IDLE_US - 1_000_000
                sides[1].close_idle()
                assert not published.closed
                published._used_us -= 2_000_000
                sides[1].close_idle()
                assert published.closed
                assert sides[1].relays == {}
                await join(path, client, "/whep/7")
                (last,) = sides[0].relays.values()
            assert last.closed, "none outlives the proxy"

    asyncio.run(main())


def test_a_refused_offer_and_an_answer_without_candidates_get_no_relay() -> None:
    async def handler(request: web.Request) -> web.Response:
        status = 402 if request.path == "/whep/8" else 201
        return web.Response(status=status, text="v=0\r\nm=video 9 X 96\r\n")

    async def main() -> None:
        async with standing(handler) as (path, client):
            for resource, status in (("/whep/8", 402), ("/whep/7", 502), ("/api/v1/x", 201)):
                async with client.post(path.url + resource, data="v=0") as got:
                    assert got.status == status
            assert path.proxy.viewers.connections == 0

    asyncio.run(main())


# --- the relay ----------------------------------------------------------------------------


def relay_to(server: socket.socket, **settings: Any) -> Relay:
    side = Side("viewers", PathSettings(**settings), 1, media_to_client=True)
    host, port = server.getsockname()
    return side.relay(Ends(host="127.0.0.1", server=(host, port)))


def test_each_address_of_a_client_gets_its_own_answers() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with echo_socket() as server, echo_socket() as one, echo_socket() as other:
            relay = relay_to(server, delay_ms=1)
            seen = {}
            for client, word in ((one, b"one"), (other, b"other")):
                client.sendto(word, relay.address)
                seen[word] = (await loop.sock_recvfrom(server, 100))[1]
            assert seen[b"one"] != seen[b"other"]
            for client, word in ((one, b"one"), (other, b"other")):
                server.sendto(word, seen[word])
                assert await loop.sock_recvfrom(client, 100) == (word, relay.address)
            relay.close()

    asyncio.run(main())


def test_a_burst_at_line_rate_goes_through_whole_and_in_order() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with echo_socket() as server, echo_socket() as client:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            relay = relay_to(server, delay_ms=5, jitter_ms=5)
            for number in range(1_000):
                client.sendto(number.to_bytes(2, "big") + bytes(1_200), relay.address)
            found = []
            while len(found) < 1_000:
                data = await asyncio.wait_for(loop.sock_recv(server, 2_000), 10)
                found.append(int.from_bytes(data[:2], "big"))
            assert found == list(range(1_000))
            counts = relay.paths[1].counts
            assert (counts.passed, counts.overrun, counts.unsent) == (1_000, 0, 0)
            relay.close()

    asyncio.run(main())


def test_what_the_machine_lost_is_told_apart_from_what_the_path_lost() -> None:
    async def main() -> None:
        with echo_socket() as server, echo_socket() as client:
            relay = relay_to(server)
            relay._outside.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            for _ in range(50):
                client.sendto(bytes(1_200), relay.address)
            counts = relay.paths[1].counts
            await until(lambda: counts.overrun + counts.packets == 50)
            assert counts.overrun > 0
            relay.close()

    asyncio.run(main())


# --- the process --------------------------------------------------------------------------


def test_the_command_line_sets_each_side() -> None:
    line = "--to http://127.0.0.1:8080 --listen [::1]:9000 --seed 7 --loss 2 --delay-ms 40 "
    line += "--rate-kbps 600 --loss-in 1 --outages-in 10+300 --rtp-alone-in"
    config = _config(line.split())
    assert (config.listen_host, config.listen_port, config.seed) == ("::1", 9000, 7)
    assert config.viewers == PathSettings(loss_percent=2, delay_ms=40, rate_kbps=600)
    assert config.publishers == PathSettings(loss_percent=1, outages=((10, 300),), rtp_alone=True)


def process(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "streaming.clients.path", "--to", "http://127.0.0.1:9"]
    return subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("heard", [True, False], ids=["to a reader", "to nobody"])
def test_the_process_says_when_it_stands_and_what_became_of_packets(heard: bool) -> None:
    with process() as path:
        assert path.stdout is not None
        assert path.stderr is not None
        ready = json.loads(path.stdout.readline())
        assert ready["event"] == "ready"
        assert ready["url"].startswith("http://127.0.0.1:")
        if not heard:
            path.stdout.close()
        path.terminate()
        if heard:
            ended = json.loads(path.stdout.readline())
            assert ended["event"] == "ended"
            assert ended["viewers"]["to_client"]["packets"] == 0
        assert path.wait(10) == 0
        assert path.stderr.read() == ""


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with process("--listen", f"127.0.0.1:{port}") as path:
            assert path.stderr is not None
            assert path.wait(10) == 1
            said = path.stderr.read()
    assert said.startswith("Error: cannot listen on 127.0.0.1")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--loss", "200"], "loss_percent 200.0: give 0 to 100"),
        (["--outages", "300"], "give START+LENGTH in ms"),
        (["--listen", "8080"], "--listen 8080: give HOST:PORT"),
        (["--listen", "0.0.0.0:0"], "--relay-host"),
        (["--to", "127.0.0.1"], "--to 127.0.0.1: give the server's URL"),
    ],
)
def test_a_wrong_option_is_named_with_its_remedy(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        _config(["--to", "http://127.0.0.1:8080", *arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
