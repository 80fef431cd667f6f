"""Origins: what works as it is meant, and what is told what to write instead."""

from __future__ import annotations

import asyncio

import pytest

from streaming.http.origin import OriginInvalid, read_origin, read_origins
from tests.http.rig import http_rig


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://a.example", "https://a.example"),
        ("https://a.example/", "https://a.example"),
        (" HTTPS://A.Example ", "https://a.example"),
        ("https://a.example:443", "https://a.example"),
        ("http://a.example:80/", "http://a.example"),
        ("http://a.example:443", "http://a.example:443"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://localhost:8080", "http://localhost:8080"),
    ],
)
def test_origins_as_browsers_send_them(text: str, origin: str) -> None:
    assert read_origin(text, "--origin") == origin


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a.example", "without a scheme: write https://a.example"),
        ("a.example:8080", "write https://a.example:8080"),
        ("https://a.example/live", "write https://a.example"),
        ("https://a.example?x", "write https://a.example"),
        ("https://me@a.example", "write https://a.example"),
        ("ftp://a.example", "such as https://live.example"),
        ("", "such as https://live.example"),
        ("https://", "such as https://live.example"),
        ("https://a.example:port", "such as https://live.example"),
        ("https://*.example", "such as https://live.example"),
        ("**", "such as https://live.example"),
        ("[", "such as https://live.example"),
    ],
)
def test_what_is_none_is_told_what_to_write(text: str, says: str) -> None:
    with pytest.raises(OriginInvalid, match="--cors-origin is") as raised:
        read_origins([text])
    assert says in str(raised.value)


def test_a_slash_at_the_end_and_the_star_work() -> None:
    async def main() -> None:
        async with http_rig(cors_origins=("https://a.example/",)) as r:
            _, headers, _ = await r.ask("GET", "/healthz", headers={"Origin": "https://a.example"})
            assert headers["Access-Control-Allow-Origin"] == "https://a.example"
        async with http_rig(cors_origins=("*",)) as r:
            ask = {"Origin": "https://b.example", "Access-Control-Request-Method": "POST"}
            status, headers, _ = await r.ask("OPTIONS", "/whep/1/x/pause", headers=ask)
            assert (status, headers["Access-Control-Allow-Origin"]) == (204, "*")
            for word in ("Authorization", "Content-Type", "PayStream-Resume"):
                assert word in headers["Access-Control-Allow-Headers"]
            for word in ("POST", "DELETE", "PATCH"):
                assert word in headers["Access-Control-Allow-Methods"]
            assert "Access-Control-Allow-Credentials" not in headers
            status, headers, _ = await r.ask(
                "POST", "/whep/1", data="v=0", headers={"Origin": "https://b.example"}
            )
            assert (status, headers["Access-Control-Allow-Origin"]) == (401, "*")

    asyncio.run(main())
