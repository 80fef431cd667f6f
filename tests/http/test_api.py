"""The REST API, its description, and what every response carries."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from streaming.community.database import opening
from streaming.http import api, openapi, process
from streaming.http.config import ServeConfig
from streaming.http.limits import Limits
from streaming.http.pages import PAGE_PATHS
from streaming.session_state import Problem, StreamRef
from tests.http.fake_relayer import STREAM
from tests.http.rig import WATCHING, http_rig


def test_requests_reach_the_relayer_with_their_token() -> None:
    async def main() -> None:
        async with http_rig() as r:
            for name in ("renew", "terms", "sessions", "session", "close_session"):
                r.relayer.answers[name] = lambda p: {"asked": p}
            r.relayer.answers["wallet_prepare"] = lambda p: {"asked": p}
            r.relayer.answers["wallet_status"] = lambda p: {"asked": p}
            token = WATCHING["Authorization"].removeprefix("Bearer ")
            cases = [
                ("POST", "/token/renew", None, {"token": token}),
                ("GET", "/streams/7/terms", None, {"token": token, "stream": 7}),
                ("GET", "/sessions", None, {"token": token}),
                ("GET", "/sessions/3-1", None, {"token": token, "grant": 3, "index": 1}),
                ("DELETE", "/sessions/3-1", None, {"token": token, "grant": 3, "index": 1}),
                ("GET", "/wallet/abc", None, {"submission": "abc"}),
                (
                    "POST",
                    "/wallet/prepare",
                    {"call": {"kind": "claim", "stream": 1}},
                    {"call": {"kind": "claim", "stream": 1}, "token": token},
                ),
            ]
            for method, path, body, asked in cases:
                status, headers, answer = await r.ask(
                    method, f"/api/v1{path}", headers=WATCHING, json=body
                )
                assert (status, answer) == (200, {"asked": asked}), path
                assert headers["Cache-Control"] == "no-store"

    asyncio.run(main())


def test_part_of_the_streams_is_asked_for() -> None:
    async def main() -> None:
        async with http_rig() as r:
            for query, asked in (
                (f"owner={STREAM['owner']}&limit=7", {"owner": STREAM["owner"], "limit": 7}),
                ("ids=3,1,3", {"ids": [1, 3]}),
                ("ids=3,1&after=1", {"ids": [3], "after": 1}),
                ("live=1", {"ids": [1]}),
                ("live=1&ids=2", {"ids": []}),
                ("live=0", {}),
            ):
                status, _, _ = await r.ask("GET", f"/api/v1/streams?{query}")
                assert status == 200
                assert r.relayer.requests[-1].params == asked, query
            for query, field in (
                ("ids=x", "ids"),
                ("ids=1,", "ids"),
                ("ids=" + ",".join("1" * 101), "ids"),
                ("ids=99999999999999999999", "ids"),
                ("live=yes", "live"),
            ):
                status, _, body = await r.ask("GET", f"/api/v1/streams?{query}")
                assert (status, body["code"], body["field"]) == (400, "query-invalid", field)

    asyncio.run(main())


def test_more_live_streams_than_a_page_has_go_on_from_its_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api, "IDS_ASKED_MAX", 2)
    monkeypatch.setattr(api, "live_streams", lambda _: dict.fromkeys(map(StreamRef, (5, 3, 9))))

    async def main() -> None:
        async with http_rig() as r:
            for query, named, following in (("", [3, 5], 5), ("&after=5", [9], None)):
                _, _, body = await r.ask("GET", f"/api/v1/streams?live=1{query}")
                assert (r.relayer.requests[-1].params["ids"], body["next"]) == (named, following)

    asyncio.run(main())


def test_streams_carry_their_live_state() -> None:
    async def main() -> None:
        async with http_rig() as r:
            _, _, body = await r.ask("GET", "/api/v1/streams")
            assert body["streams"][0]["live"] is True
            assert body["streams"][0]["video_codec"] == "VP8"
            _, _, body = await r.ask("GET", "/api/v1/streams/2")
            assert (body["live"], body["viewers"]) == (False, 0)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("method", "path", "options", "expected"),
    [
        ("GET", "/api/v1/sessions", {}, (401, "token-missing")),
        ("GET", "/api/v1/sessions/3", {"headers": WATCHING}, (404, "session-not-found")),
        ("GET", "/api/v1/streams/x", {}, (404, "stream-not-found")),
        ("GET", "/api/v1/streams/99999999999999999999", {}, (404, "stream-not-found")),
        ("POST", "/api/v1/token", {"json": {"challenge": "x"}}, (400, "field-missing")),
        (
            "POST",
            "/api/v1/challenge",
            {"json": {"account": "a", "purpose": "watch", "extra": 1}},
            (400, "field-unknown"),
        ),
        ("POST", "/api/v1/token", {"json": [1]}, (400, "json-invalid")),
        (
            "POST",
            "/api/v1/token",
            {"data": b"{", "headers": {"Content-Type": "application/json"}},
            (400, "json-invalid"),
        ),
        ("POST", "/api/v1/token", {"data": b"x"}, (415, "content-type")),
        (
            "POST",
            "/api/v1/token",
            {"data": b"[" * 60_000, "headers": {"Content-Type": "application/json"}},
            (400, "json-invalid"),
        ),
        ("POST", "/api/v1/token", {"json": {"challenge": "x" * 70_000}}, (413, "too-large")),
        ("GET", "/nothing", {}, (404, "not-found")),
        ("POST", "/api/v1/info", {}, (405, "method-not-allowed")),
    ],
)
def test_each_mistake_is_named(
    method: str, path: str, options: dict[str, object], expected: tuple[int, str]
) -> None:
    async def main() -> None:
        async with http_rig() as r:
            assert await r.refused(method, path, **options) == expected

    asyncio.run(main())


def test_problems_of_the_relayer_keep_their_field_and_status() -> None:
    async def main() -> None:
        async with http_rig() as r:
            r.relayer.answers["challenge"] = lambda _p: Problem(
                status=400, code="account-invalid", detail="no SS58", field="account"
            )
            status, _, body = await r.ask(
                "POST", "/api/v1/challenge", json={"account": "x", "purpose": "watch"}
            )
            assert (status, body["field"], body["code"]) == (400, "account", "account-invalid")

    asyncio.run(main())


def test_status_and_health_answer_without_a_relayer() -> None:
    async def main() -> None:
        async with http_rig() as r:
            await r.relayer.stop()
            status, _, body = await r.ask("GET", "/healthz")
            assert (status, body["relayer"]) == (200, False)
            status, _, body = await r.ask("GET", "/api/v1/status")
            assert status == 200
            assert body["relayer"] is None
            assert body["server"]["relayer_connected"] is False
            text = await r.scrape()
            assert b"paystream_serve_relayer_connected 0.0\n" in text
            assert b'paystream_serve_datagrams_turned_away_total{kind="stranger"} 3.0\n' in text


def test_ready_is_who_could_admit_a_viewer() -> None:
    async def main() -> None:
        async with http_rig() as r:
            assert (await r.ask("GET", "/api/v1/info"))[0] == 200  # waits for the link
            assert (await r.ask("GET", "/readyz"))[::2] == (200, {"ready": True, "failing": {}})
            failing = {"failing": {"journal": "the disk is full"}}
            r.relayer.answers["status"] = lambda _p: failing
            status, _, body = await r.ask("GET", "/readyz")
            assert status == 503
            assert body == {"ready": False, "failing": {"relayer.journal": "the disk is full"}}
            await r.relayer.stop()
            status, _, body = await r.ask("GET", "/readyz")
            assert status == 503
            assert "paystream relay" in body["failing"]["relayer"]
            assert (await r.ask("GET", "/healthz"))[0] == 200

    asyncio.run(main())


def test_the_metrics_are_prometheus_text_with_help() -> None:
    async def main() -> None:
        async with http_rig() as r:
            text = await r.scrape()
            families = list(text_string_to_metric_families(text.decode()))
            assert len({family.name for family in families}) == len(families) > 12
            own = [one for one in families if "_process_" not in one.name]
            for family in own:
                question, _, rest = family.documentation.partition(". ")
                assert question in ("Alive", "Earning", "Behind", "Safe"), family.name
                assert rest.endswith("."), family.name

    asyncio.run(main())


def test_the_metrics_are_on_the_operator_s_port_alone() -> None:
    async def main() -> None:
        async with http_rig() as r:
            assert await r.refused("GET", "/metrics") == (404, "not-found")
            assert (await r.ask("GET", "/api/v1/info"))[0] == 200  # waits for the link
            r.url = f"http://127.0.0.1:{r.answering.port}"
            assert (await r.ask("GET", "/healthz"))[2]["status"] == "ok"
            assert (await r.ask("GET", "/readyz"))[2] == {"ready": True, "failing": {}}
            for path in ("/", "/api/v1/info", "/whep/1", "/openapi.json"):
                assert await r.refused("GET", path) == (404, "not-found")
            assert await r.refused("POST", "/metrics") == (405, "method-not-allowed")

    asyncio.run(main())


def test_who_says_nothing_to_the_operator_s_port_is_hung_up_on() -> None:
    async def main() -> None:
        async with http_rig(limits=Limits(request_timeout_s=0.2)) as r:
            reader, writer = await asyncio.open_connection("127.0.0.1", r.answering.port)
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()

    asyncio.run(main())


@pytest.mark.parametrize("asked", [0, None])
def test_a_server_has_the_operator_s_port_on_loopback_and_only_where_asked(
    asked: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streaming.http.self_test.self_test", lambda _config: None)
    opened: list[tuple[str, int]] = []
    create_server = socket.create_server

    def create(address: tuple[str, int], **more: Any) -> socket.socket:
        opened.append(address)
        return create_server(address, **more)

    monkeypatch.setattr(socket, "create_server", create)

    async def main() -> None:
        ready = asyncio.get_running_loop().create_future()
        config = ServeConfig(
            socket=tmp_path / "relay.sock",
            listen_host="0.0.0.0",
            plain_http=True,
            listen_port=0,
            metrics_port=asked,
            on_ready=lambda *told: ready.set_result(told),
        )
        serving = asyncio.create_task(process.serve(config))
        _, port = await ready
        assert (port is None) == (asked is None)
        assert opened == [("0.0.0.0", 0), ("127.0.0.1", 0)][: 1 if asked is None else 2]
        if port is not None:
            async with (
                aiohttp.ClientSession() as client,
                client.get(f"http://127.0.0.1:{port}/metrics") as response,
            ):
                assert b"\npaystream_serve_publishers 0.0\n" in await response.read()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    asyncio.run(main())


def test_other_origins_only_where_configured() -> None:
    async def main() -> None:
        async with http_rig(cors_origins=("https://a.example",)) as r:
            ask = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
            status, headers, _ = await r.ask("OPTIONS", "/whep/1", headers=ask)
            assert (status, headers["Access-Control-Allow-Origin"]) == (204, "https://a.example")
            ask["Origin"] = "https://b.example"
            status, headers, _ = await r.ask("OPTIONS", "/whep/1", headers=ask)
            assert status == 403
            assert "Access-Control-Allow-Origin" not in headers
            status, headers, _ = await r.ask("GET", "/healthz", headers={"Origin": "null"})
            assert "Access-Control-Allow-Origin" not in headers

    asyncio.run(main())


def test_pages_load_nothing_from_elsewhere() -> None:
    async def main() -> None:
        async with http_rig() as r:
            for path in ("/", "/watch?stream=1", "/broadcast", "/moderation", "/docs"):
                status, headers, text = await r.ask("GET", path)
                assert status == 200, path
                assert headers["Content-Security-Policy"].startswith("default-src 'none'")
                assert headers["X-Content-Type-Options"] == "nosniff"
                assert b'src="http' not in text
                assert b'href="http' not in text
                assert b"<script>" not in text
            assert (await r.ask("GET", "/static/style.css"))[0] == 200
            assert (await r.refused("GET", "/static/../server.py"))[0] == 404

    asyncio.run(main())


@pytest.mark.parametrize("community", [False, True])
def test_every_route_is_described_and_every_description_is_a_route(
    tmp_path: Path, community: bool
) -> None:
    async def main() -> None:
        tables = opening.opened(tmp_path / "c.sqlite") if community else None
        async with http_rig(tables=tables) as r:
            _, _, document = await r.ask("GET", "/openapi.json")
            described = {
                (method.upper(), path)
                for path, operations in document["paths"].items()
                for method in operations
            }
            routes = {
                (route.method, route.resource.canonical)
                for route in r.server.application().router.routes()
                if route.resource is not None
            }
            pages = {path for path, _ in PAGE_PATHS}
            pages |= {"/static", "/docs", "/openapi.json"}
            plain = {
                (method, path)
                for method, path in routes
                if method not in ("HEAD", "OPTIONS", "PATCH") and path not in pages
            }
            below = "/chains/{chain}"
            named = {(method, path.removeprefix(below)) for method, path in plain if below in path}
            assert {(method, path) for method, path in plain if below not in path} == described
            of_the_server = ("/readyz", "/asyncapi.json", "/api/v1/community/")
            of_a_chain = {each for each in described if not each[1].startswith(of_the_server)}
            assert named == of_a_chain

    asyncio.run(main())


def test_the_page_of_the_description_names_every_path() -> None:
    for community in (False, True):
        page = openapi.page(community=community)
        for path in openapi.document(community=community)["paths"]:
            assert path in page
