"""Whether our server keeps what `docs/whep-402.md` says, and whether a broken rule is found."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from typer.testing import CliRunner

from offchain.cli import app as paystream
from offchain.cli import conformance
from offchain.cli.exits import Exit
from streaming import payment_auth
from streaming.clients import whep_conformance
from streaming.clients.finding import Finding
from streaming.clients.rest_client import ClientError
from streaming.clients.whep_conformance import examine
from streaming.payment_auth import Challenge
from streaming.session_state import Problem
from tests.http.fake_relayer import WATCH_TOKEN
from tests.http.rig import http_rig

PAID = {"paid", "receipt", "receipt-private", "replay", "leave"}
FORGED = {"bound-request", "bound-expires", "bound-realm", "unknown-id"}


async def findings(url: str, token: str | None = None) -> dict[str, Finding]:
    return {each.name: each async for each in examine(url, token)}


def broken(found: dict[str, Finding]) -> set[str]:
    """What is not kept; each with a remedy."""
    for each in found.values():
        assert each.found
        assert each.remedy or each.kept is not False
    return {name for name, each in found.items() if each.kept is False}


def test_our_server_keeps_every_rule_for_strangers_and_for_who_pays() -> None:
    async def main() -> None:
        async with http_rig() as r:
            url = f"{r.url}/whep/1"
            seen = await findings(url)
            assert broken(seen) == set()
            assert {name for name, each in seen.items() if each.kept is None} == PAID
            seen = await findings(url, WATCH_TOKEN)
            assert broken(seen) == set()
            assert all(each.kept for each in seen.values())
            assert len(r.server.connections) == 0  # what was opened has been ended

    asyncio.run(main())


@dataclass
class Said:
    """What a server says, before it is bent."""

    method: str
    status: int
    headers: dict[str, str]
    body: bytes

    def challenge(self, **changes: Any) -> None:
        """Change the challenge, where there is one."""
        value = self.headers.get("WWW-Authenticate")
        if value is not None:
            [made] = payment_auth.read_challenges(value)
            self.shown(msgspec.structs.replace(made, **changes))

    def shown(self, challenge: Challenge) -> None:
        self.headers["WWW-Authenticate"] = payment_auth.show_challenge(challenge)

    def asked(self, change: Callable[[dict[str, Any]], Any]) -> None:
        """Change what the challenge asks for, where there is one."""
        value = self.headers.get("WWW-Authenticate")
        if value is not None:
            [made] = payment_auth.read_challenges(value)
            asked = made.asked()
            change(asked)
            self.challenge(request=payment_auth.encoded(asked))

    def without(self, name: str) -> None:
        self.headers.pop(name, None)

    def of_type(self, name: str) -> None:
        """Call every problem by one name."""
        if self.status == 402:
            problem = {**json.loads(self.body), "type": whep_conformance.PROBLEMS + name}
            self.body = json.dumps(problem).encode()

    def not_canonical(self) -> None:
        value = self.headers.get("WWW-Authenticate")
        if value is not None:
            [made] = payment_auth.read_challenges(value)
            text = json.dumps(made.asked(), indent=1).encode()
            self.challenge(request=payment_auth._base64url(text))


Bend = Callable[[Said], Any]


@dataclass
class Bent:
    """A server that is ours but for one thing."""

    url: str
    bend: Bend
    client: aiohttp.ClientSession = field(repr=False)

    async def answer(self, request: web.Request) -> web.Response:
        headers = {
            name: value
            for name, value in request.headers.items()
            if name in ("Authorization", "Accept-Payment", "Content-Type")
        }
        body = await request.read()
        async with self.client.request(
            request.method, self.url + request.path, headers=headers, data=body or None
        ) as answered:
            said = Said(
                request.method, answered.status, dict(answered.headers), await answered.read()
            )
        for name in ("Content-Length", "Date", "Server"):
            said.without(name)
        self.bend(said)
        return web.Response(status=said.status, headers=said.headers, body=said.body)


@contextlib.asynccontextmanager
async def bent(url: str, bend: Bend) -> AsyncIterator[str]:
    async with aiohttp.ClientSession() as client:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", Bent(url, bend, client).answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


def receipt_on_all(said: Said) -> None:
    said.headers.setdefault("Payment-Receipt", "e30")


def ok_on_402(said: Said) -> None:
    said.status = 401 if said.status == 402 else said.status


def cannot_leave(said: Said) -> None:
    said.status = 500 if said.method == "DELETE" else said.status


def forgeries_pass_as(name: str) -> Bend:
    def bend(said: Said) -> None:
        if b"invalid-challenge" in said.body:
            said.of_type(name)

    return bend


def no_challenge_for_malformed(said: Said) -> None:
    if b"malformed-credential" in said.body:
        said.without("WWW-Authenticate")


BENDS: list[tuple[Bend, set[str]]] = [
    (ok_on_402, {"asked"}),
    (lambda said: said.without("WWW-Authenticate"), {"asked"}),
    (lambda said: said.challenge(method="tempo"), {"asked"}),
    (lambda said: said.without("Cache-Control"), {"no-store", "receipt-private"}),
    (receipt_on_all, {"no-receipt"}),
    (lambda said: said.without("Payment-Receipt"), {"receipt"}),
    (cannot_leave, {"leave"}),
    (forgeries_pass_as("verification-failed"), {*FORGED, "replay"}),
    (lambda said: said.of_type("payment-required"), {"malformed", *FORGED, "proof", "stranger",
                                                     "replay"}),
    (no_challenge_for_malformed, {"fresh"}),
]  # fmt: skip


@pytest.mark.parametrize(("bend", "expected"), BENDS)
def test_a_broken_rule_is_found_and_no_other(bend: Bend, expected: set[str]) -> None:
    async def main() -> None:
        async with http_rig() as r, bent(r.url, bend) as url:
            assert broken(await findings(f"{url}/whep/1", WATCH_TOKEN)) == expected

    asyncio.run(main())


OF_A_CHALLENGE: list[tuple[Bend, set[str]]] = [
    (lambda said: said.challenge(expires=None), {"expires"}),
    (lambda said: said.challenge(expires="2020-01-01T00:00:00Z"), {"expires"}),
    (lambda said: said.challenge(expires="soon"), {"expires"}),
    (lambda said: said.challenge(id="same"), {"unique"}),
    (lambda said: said.asked(lambda asked: asked.update(amount=1000)), {"price"}),
    (lambda said: said.asked(lambda asked: asked.update(amount="0.1")), {"price"}),
    (lambda said: said.asked(lambda asked: asked.update(unitType="minute")), {"price"}),
    (lambda said: said.asked(lambda asked: asked.pop("recipient")), {"price"}),
    (lambda said: said.asked(lambda asked: asked.pop("methodDetails")), {"details"}),
    (
        lambda said: said.asked(lambda asked: asked["methodDetails"].update(resource="/whep/2")),
        {"details"},
    ),
    (Said.not_canonical, {"canonical"}),
    (lambda said: said.challenge(description="x" * 9_000), {"challenge-size"}),
]


@pytest.mark.parametrize(("bend", "expected"), OF_A_CHALLENGE)
def test_what_is_wrong_in_a_challenge_is_found(bend: Bend, expected: set[str]) -> None:
    """A challenge that was changed is refused as forged, too: only its own rules are looked at."""

    async def main() -> None:
        async with http_rig() as r, bent(r.url, bend) as url:
            found = broken(await findings(f"{url}/whep/1"))
            own = {"challenge-size", "canonical", "expires", "price", "details", "unique"}
            assert found & own == expected

    asyncio.run(main())


def test_each_rule_has_a_server_that_breaks_it() -> None:
    async def main() -> set[str]:
        async with http_rig() as r:
            return set(await findings(f"{r.url}/whep/1"))

    tried = set().union(*(expected for _, expected in (*BENDS, *OF_A_CHALLENGE)))
    elsewhere = {"encrypted", "paid", "problem"}
    assert asyncio.run(main()) == tried | elsewhere


def test_what_goes_in_the_clear_is_told_and_the_loopback_is_not() -> None:
    for url, kept in (
        ("https://live.example/whep/1", True),
        ("http://127.0.0.1:8080/whep/1", True),
        ("http://[::1]/whep/1", True),
        ("http://localhost/whep/1", True),
        ("http://live.example/whep/1", False),
        ("http://192.0.2.7/whep/1", False),
    ):
        assert whep_conformance._encrypted(url).kept is kept, url


def test_a_refusal_that_is_no_problem_is_found() -> None:
    for status, headers, body in (
        (402, {"content-type": "text/plain"}, b'{"status": 402}'),
        (402, {"content-type": "application/problem+json"}, b"["),
        (402, {"content-type": "application/problem+json"}, b"[]"),
        (401, {"content-type": "application/problem+json"}, b"{}"),
    ):
        answer = whep_conformance.Answer(status, headers, body)
        assert whep_conformance._has_problem(answer, "payment-required").kept is False


def test_an_account_that_cannot_pay_is_told_so() -> None:
    async def main() -> None:
        async with http_rig() as r:
            r.relayer.answers["admit"] = lambda _p: Problem(
                status=410, code="stream-ended", detail="it has ended"
            )
            found = await findings(f"{r.url}/whep/1", WATCH_TOKEN)
            assert broken(found) == {"paid"}
            assert "410 it has ended" in found["paid"].found
            assert found["receipt"].kept is None

    asyncio.run(main())


@pytest.mark.parametrize("url", ["", "whep/1", "ftp://x/whep/1", "http://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ClientError) as raised:
        asyncio.run(findings(url))
    assert raised.value.code == "url-invalid"


@pytest.mark.parametrize(("kept", "exit_code"), [(True, Exit.OK), (False, Exit.FAILED)])
def test_the_command_has_one_line_for_each_rule_and_a_status(
    monkeypatch: pytest.MonkeyPatch, kept: bool, exit_code: Exit
) -> None:
    async def examined(url: str, token: str | None) -> list[Finding]:
        assert (url, token) == ("http://127.0.0.1:1/whep/1", None)
        return [Finding("asked", kept, "said", "mend it"), Finding("paid", None, "no token")]

    monkeypatch.setattr(conformance, "_examined", examined)
    given = ["conformance", "whep-402", "http://127.0.0.1:1/whep/1"]
    shown = CliRunner().invoke(paystream, [*given, "--json"])
    assert shown.exit_code == exit_code
    assert json.loads(shown.stdout) == {
        "ok": kept,
        "checks": [
            {
                "name": "asked",
                "state": "ok" if kept else "failed",
                "found": "said",
                "remedy": None if kept else "mend it",
            },
            {"name": "paid", "state": "skipped", "found": "no token", "remedy": None},
        ],
    }
    shown = CliRunner().invoke(paystream, given)
    assert shown.exit_code == exit_code
    assert ("mend it" in shown.stdout) is not kept


def test_the_command_says_where_nobody_answers() -> None:
    given = ["conformance", "whep-402", "http://127.0.0.1:1/whep/1", "--json"]
    shown = CliRunner().invoke(paystream, given)
    assert shown.exit_code == Exit.SERVER
    assert json.loads(shown.stdout)["error"]["code"] == "server-unreachable"
