"""A stand-in for media server, relayer and chain, with the REST interface that the pages use.

It checks the wallet's signatures for real, and sends a small moving picture over real WebRTC; what
it knows is in `fake_system.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import threading
import time
from pathlib import Path
from typing import Any

import sr25519
from aiohttp import web
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, MediaStreamTrack
from scalecodec.utils.ss58 import ss58_decode

from streaming.clients.browser import payload_bytes
from streaming.community.community import Community
from streaming.community.refusal import Refused
from streaming.http.pages import PAGE_PATHS
from tests.browser.fake_community import FakeCommunity
from tests.browser.fake_system import (
    ALICE,
    GENESIS,
    UNIT,
    FakeIntents,
    FakeSession,
    FakeSystem,
    Picture,
    Problem,
)

PAGES = Path(__file__).parents[2] / "streaming" / "pages"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "media-src 'self' blob:; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
CONFIRMED_AFTER_S = 0.3
FINAL_AFTER_S = 0.8
UNANSWERED_S = 6.0


def _verifies(account: str, message: bytes, signature: str) -> bool:
    public = bytes.fromhex(ss58_decode(account))
    given = bytes.fromhex(signature.removeprefix("0x"))
    # Wallets put the kind of key in front of a transaction's signature.
    given = given[1:] if len(given) == 65 else given
    wrapped = b"<Bytes>" + message + b"</Bytes>"
    return any(sr25519.verify(given, text, public) for text in (message, wrapped))


def payload_for(account: str, call: dict[str, Any]) -> dict[str, Any]:
    """A `SignerPayloadJSON` of the right shape; the method is the call's text."""
    method = json.dumps(call, sort_keys=True).encode().ljust(200, b" ")
    return {
        "address": account,
        "blockHash": "0x" + "b1" * 32,
        "blockNumber": "0x00000010",
        "era": "0x0500",
        "genesisHash": GENESIS,
        "method": "0x" + method.hex(),
        "nonce": "0x00000000",
        "specVersion": "0x00000001",
        "transactionVersion": "0x00000001",
        "tip": "0x" + "00" * 16,
        "mode": 0,
        "metadataHash": None,
        "signedExtensions": [
            "AuthorizeCall",
            "CheckNonZeroSender",
            "CheckSpecVersion",
            "CheckTxVersion",
            "CheckGenesis",
            "CheckMortality",
            "CheckNonce",
            "CheckWeight",
            "ChargeTransactionPayment",
            "CheckMetadataHash",
            "WeightReclaim",
        ],
        "version": 4,
    }


def _bearer(system: FakeSystem, request: web.Request, purpose: str | None = None) -> str:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    token = system.tokens.get(given)
    if token is None:
        raise Problem(401, "token-invalid", "The token is unknown or has expired. Sign in again.")
    if purpose and token["purpose"] != purpose:
        raise Problem(403, "wrong-purpose", f"This needs a {purpose} token.")
    return str(token["account"])


def _answer(problem: Problem) -> web.Response:
    body = json.dumps(problem.body)
    kind = "application/problem+json"
    status, headers = problem.status, problem.headers
    return web.Response(status=status, text=body, content_type=kind, headers=headers)


class FakeApi:
    """The handlers; `system` is what they work on."""

    def __init__(self, system: FakeSystem) -> None:
        self.system = system
        self.community: Community | None = None
        self._tasks: set[asyncio.Future[None]] = set()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._problems])
        for path, name in PAGE_PATHS:
            app.router.add_get(path, self._page(name))
        app.router.add_static("/static", PAGES / "static")
        api = "/api/v1"
        app.add_routes(
            [
                web.get(f"{api}/info", self.info),
                web.post(f"{api}/challenge", self.challenge),
                web.post(f"{api}/token", self.token),
                web.post(f"{api}/token/renew", self.renew),
                web.get(f"{api}/streams", self.streams),
                web.get(f"{api}/streams/{{id}}", self.stream),
                web.get(f"{api}/streams/{{id}}/terms", self.terms),
                web.post(f"{api}/wallet/prepare", self.prepare),
                web.post(f"{api}/wallet/submit", self.submit),
                web.get(f"{api}/wallet/{{id}}", self.submission),
                web.get(f"{api}/sessions", self.sessions),
                web.get(f"{api}/sessions/{{ref}}", self.session),
                web.delete(f"{api}/sessions/{{ref}}", self.close_session),
                web.post("/whep/{id}", self.whep),
                web.delete("/whep/{id}/{resource}", self.whep_leave),
                web.get("/whep/{id}/{resource}", self.whep_status),
                web.post("/whep/{id}/{resource}/{action}", self.whep_intent),
                web.post("/whip/{id}", self.whip),
                web.delete("/whip/{id}/{resource}", self.whip_leave),
            ]
        )
        app.on_shutdown.append(self._close_all)
        if self.system.has_community:
            fake = FakeCommunity(self.system)
            fake.mount(app)
            self.community = fake.community
        return app

    def _page(self, name: str) -> Any:
        async def page(request: web.Request) -> web.Response:
            text = (PAGES / f"{name}.html").read_text()
            headers = {"Content-Security-Policy": CSP, "Cache-Control": "no-store"}
            who = request.match_info.get("who")
            is_there = who is None or self.community is None or await self.community.knows(who)
            return web.Response(
                status=200 if is_there else 404,
                text=text,
                content_type="text/html",
                headers=headers,
            )

        return page

    @web.middleware
    async def _problems(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.system.requests.append(f"{request.method} {request.path}")
        live = request.path.startswith(("/api/", "/whep", "/whip"))
        if live and self.system.delay_s:
            await asyncio.sleep(self.system.delay_s)
        if live and self.system.broken:
            return _answer(Problem(503, "chain-unavailable", "The chain cannot be reached."))
        try:
            response: web.StreamResponse = await handler(request)
        except Problem as problem:
            return _answer(problem)
        except Refused as refused:
            said = refused.problem
            return _answer(Problem(said.status, said.code, said.detail, field=said.field))
        return response

    async def _close_all(self, _app: web.Application) -> None:
        held = [*self.system.whep.values(), *self.system.whip.values()]
        await asyncio.gather(*(connection.close() for connection, _ in held))

    # --- REST ------------------------------------------------------------------------------

    async def info(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {"genesis_hash": GENESIS, "chain": "Fake", "symbol": "UNIT", "decimals": 12}
        )

    async def challenge(self, request: web.Request) -> web.Response:
        asked = await request.json()
        name = secrets.token_hex(8)
        message = (
            f"PayStream: sign in to {asked['purpose']}\n"
            f"Origin: http://{request.host}\nAccount: {asked['account']}\nNonce: {name}"
        )
        self.system.challenges[name] = {**asked, "message": message}
        expires = int(time.time() * 1000) + 300_000
        return web.json_response({"challenge": name, "message": message, "expires_at_ms": expires})

    async def token(self, request: web.Request) -> web.Response:
        given = await request.json()
        asked = self.system.challenges.pop(given["challenge"], None)
        if asked is None or self.system.forget_challenges:
            raise Problem(400, "challenge-unknown", "this challenge has expired: ask for a new one")
        if not _verifies(asked["account"], asked["message"].encode(), given["signature"]):
            raise Problem(401, "signature-invalid", "The signature is not the account's.")
        if asked["purpose"] == "publish":
            stream = self._stream(asked["stream"])
            if stream["owner"] != asked["account"]:
                raise Problem(403, "not-owner", "Only its owner publishes to a stream.")
        return web.json_response(self._new_token(asked))

    def _new_token(self, asked: dict[str, Any]) -> dict[str, Any]:
        prefix = {"watch": "psw_", "publish": "psp_"}[asked["purpose"]]
        token = prefix + secrets.token_urlsafe(32)
        self.system.tokens[token] = asked
        expires = int(time.time() * 1000) + 12 * 3_600_000
        return {"token": token, "account": asked["account"], "expires_at_ms": expires}

    async def renew(self, request: web.Request) -> web.Response:
        _bearer(self.system, request)
        given = request.headers["Authorization"].removeprefix("Bearer ")
        return web.json_response(self._new_token(self.system.tokens.pop(given)))

    def _stream(self, number: Any) -> dict[str, Any]:
        self.system.tick()
        stream = self.system.streams.get(int(number))
        if stream is None:
            raise Problem(404, "stream-not-found", f"There is no stream {number}.")
        watching = [s for _, s in self.system.whep.values() if s.stream == stream["id"]]
        stream["viewers"] = len(watching) + stream.get("viewers_extra", 0)
        return stream

    async def streams(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        if "ids" in asked:
            asked["ids"] = frozenset(map(int, asked["ids"].split(",")))
        page = self.system.part(asked)
        found = [self._stream(each["id"]) for each in page["streams"]]
        return web.json_response(page | {"streams": await self._described(found)})

    async def stream(self, request: web.Request) -> web.Response:
        [found] = await self._described([self._stream(request.match_info["id"])])
        return web.json_response(found)

    async def _described(self, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return found if self.community is None else await self.community.describe("", found)

    async def terms(self, request: web.Request) -> web.Response:
        account = _bearer(self.system, request, "watch")
        number = self._stream(request.match_info["id"])["id"]
        return web.json_response(self.system.terms(account, number))

    async def prepare(self, request: web.Request) -> web.Response:
        body = await request.json()
        name = secrets.token_hex(8)
        payload = payload_for(body["account"], body["call"])
        self.system.submissions[name] = {**body, "payload": payload}
        summary = f"{body['call']['kind'].replace('_', ' ').capitalize()}."
        return web.json_response({"payload": payload, "submission": name, "summary": summary})

    async def submit(self, request: web.Request) -> web.Response:
        body = await request.json()
        entry = self.system.submissions[body["submission"]]
        if not _verifies(entry["account"], payload_bytes(entry["payload"]), body["signature"]):
            raise Problem(422, "signature-invalid", "The signature does not fit the payload.")
        entry["at"] = time.monotonic()
        return web.json_response({"submission": body["submission"], "status": "waiting"})

    async def submission(self, request: web.Request) -> web.Response:
        entry = self.system.submissions[request.match_info["id"]]
        age = time.monotonic() - entry["at"]
        if age >= CONFIRMED_AFTER_S and "result" not in entry and "failed" not in entry:
            failure, self.system.fail_next = self.system.fail_next, None
            try:
                if failure:
                    entry["failed"] = failure
                    return web.json_response({"status": "failed", "detail": failure})
                entry["result"] = self.system.apply(entry["account"], entry["call"])
            except Problem as problem:
                entry["failed"] = str(problem)
        if "failed" in entry:
            return web.json_response({"status": "failed", "detail": entry["failed"]})
        if "result" not in entry:
            return web.json_response({"status": "waiting"})
        status = "finalized" if age >= FINAL_AFTER_S else "in_block"
        return web.json_response({"status": status, "block": 7, "result": entry["result"]})

    def _session(self, request: web.Request) -> FakeSession:
        self.system.tick()
        grant, index = request.match_info["ref"].split("-")
        found = self.system.sessions.get((int(grant), int(index)))
        if found is None:
            raise Problem(404, "session-not-found", "There is no such session.")
        return found

    async def session(self, request: web.Request) -> web.Response:
        _bearer(self.system, request)
        return web.json_response(self._describe(self._session(request)))

    async def sessions(self, request: web.Request) -> web.Response:
        account = _bearer(self.system, request)
        own = [s for s in self.system.sessions.values() if s.viewer == account]
        return web.json_response({"sessions": [self._describe(session) for session in own]})

    def _describe(self, session: FakeSession) -> dict[str, Any]:
        vault = self.system.vaults.get(session.viewer, 0)
        most = min(vault, self.system.grants[session.grant]["cap_left"])
        described = {
            "grant": session.grant,
            "index": session.index,
            "stream": session.stream,
            "viewer": session.viewer,
            "rate_per_second": str(session.rate),
            "status": session.status,
            "end_reason": session.reason,
            "close_reason": session.close_reason,
            "delivered_ms": session.delivered(),
            "paid_seconds": session.charged // session.rate if session.rate else 0,
            "paid": str(session.charged),
            "funds": str(most),
            "vault": str(vault),
            "runway_seconds": most // session.rate if session.rate else None,
            "ticks": 1,
        }
        return {name: value for name, value in described.items() if value is not None}

    async def close_session(self, request: web.Request) -> web.Response:
        _bearer(self.system, request)
        self.system.end(self._session(request), None)
        return web.json_response({})

    # --- media -----------------------------------------------------------------------------

    async def whep(self, request: web.Request) -> web.Response:
        system = self.system
        account = _bearer(system, request, "watch")
        stream = self._stream(request.match_info["id"])
        if system.refusals:
            raise system.refusals.pop(0)
        await asyncio.sleep(system.opening_s)
        if request.transport is None:
            system.left_alone += 1  # nobody is there any more
            raise web.HTTPRequestTimeout
        if stream["status"] == "ended":
            raise Problem(410, "stream-ended", "The stream has ended.")
        if not stream["live"]:
            raise Problem(409, "not-live", "Nobody is sending to this stream now.")
        terms = system.terms(account, stream["id"])
        resume = request.headers.get("PayStream-Resume")
        session = next(
            (s for s in system.sessions.values() if s.resume == resume and s.status == "open"), None
        )
        if session is None:
            if not terms["payable"]:
                raise Problem(402, "payment-required", "Something is missing.", terms=terms)
            session = system.open(account, stream["id"])
        for name, (old, owner) in list(system.whep.items()):
            if owner is session:
                system.whep.pop(name)
                await old.close()
        session.resume = secrets.token_urlsafe(16)
        connection = RTCPeerConnection()
        offer = await request.text()
        self.system.offers.append(offer)
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        for transceiver in connection.getTransceivers():
            video = transceiver.kind == "video"
            transceiver.sender.replaceTrack(Picture(system) if video else AudioStreamTrack())
            transceiver.direction = "sendonly"
        await connection.setLocalDescription(await connection.createAnswer())
        resource = secrets.token_hex(8)
        system.whep[resource] = (connection, session)
        system.intents[resource] = FakeIntents()
        session.run(running=True)
        headers = {
            "Location": f"/whep/{stream['id']}/{resource}",
            "PayStream-Session": f"{session.grant}-{session.index}",
            "PayStream-Resume": session.resume,
        }
        return self._sdp(connection, headers)

    def _sdp(self, connection: RTCPeerConnection, headers: dict[str, str]) -> web.Response:
        sdp = connection.localDescription.sdp
        return web.Response(status=201, text=sdp, content_type="application/sdp", headers=headers)

    def _watching(self, request: web.Request) -> tuple[RTCPeerConnection, FakeSession]:
        _bearer(self.system, request, "watch")
        found = self.system.whep.get(request.match_info["resource"])
        if found is None:
            raise Problem(404, "connection-not-found", "There is no such connection.")
        return found

    async def whep_leave(self, request: web.Request) -> web.Response:
        if self.system.stops_lost > 0:
            self.system.stops_lost -= 1
            await self._never()
        connection, session = self._watching(request)
        self.system.whep.pop(request.match_info["resource"])
        self.system.tick()
        self.system.end(session, None)
        await connection.close()
        return web.json_response({"delivered_ms": session.delivered()})

    async def _never(self) -> None:
        """Nobody is answered. Breaking off would not do: a browser repeats that by itself."""
        await asyncio.sleep(UNANSWERED_S)

    async def whep_intent(self, request: web.Request) -> web.Response:
        action = request.match_info["action"]
        body = await request.json()
        number = int(body["number"])
        fault = self.system.faults.pop(0) if self.system.faults else ""
        if fault == "lost":
            await self._never()
            return web.Response()
        if fault == "late":
            await asyncio.sleep(1.0)
        if fault == "busy":
            raise Problem(429, "too-many-pauses", "Wait a moment.", retry_after_s=1)
        _, session = self._watching(request)
        intents = self.system.intents[request.match_info["resource"]]
        intents.heard.append((action, number))
        if number > intents.number:
            intents.number = number
            if action == "sound":
                intents.sound_alone = body["sound_alone"]
            else:
                intents.paused = action == "pause"
                session.run(running=not intents.paused)
        if fault == "unanswered":
            await self._never()
        if not self.system.knows_numbers:
            return web.Response(status=204)
        return web.json_response(self._now(intents, session))

    def _now(self, intents: FakeIntents, session: FakeSession) -> dict[str, Any]:
        return {
            "paused": intents.paused,
            "number": intents.number,
            "delivered_ms": session.delivered(),
        }

    async def whep_status(self, request: web.Request) -> web.Response:
        if not self.system.knows_numbers:
            raise Problem(405, "method-not-allowed", "Use DELETE.")
        _, session = self._watching(request)
        intents = self.system.intents[request.match_info["resource"]]
        reasons = [*self.system.reasons, *(["paused"] if intents.paused else [])]
        state = {"state": "held" if reasons else "forwarding", "reasons": reasons}
        forwarded = {
            "forwarded_ms": session.delivered(),
            "sound_free_ms": self.system.sound_free_ms,
        }
        return web.json_response(state | self._now(intents, session) | forwarded)

    async def whip(self, request: web.Request) -> web.Response:
        _bearer(self.system, request, "publish")
        stream = self._stream(request.match_info["id"])
        if stream["status"] == "ended":
            raise Problem(410, "stream-ended", "This stream has ended. Make another one.")
        connection = RTCPeerConnection()
        connection.on("track", self._receive)
        offer = await request.text()
        self.system.offers.append(offer)
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        resource = secrets.token_hex(8)
        self.system.whip[resource] = (connection, stream["id"])
        stream["live"] = True
        return self._sdp(connection, {"Location": f"/whip/{stream['id']}/{resource}"})

    def _receive(self, track: MediaStreamTrack) -> None:
        task = asyncio.ensure_future(self._count(track))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _count(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                await track.recv()
                self.system.received += 1

    async def whip_leave(self, request: web.Request) -> web.Response:
        _bearer(self.system, request, "publish")
        found = self.system.whip.pop(request.match_info["resource"], None)
        if found is None:
            raise Problem(404, "resource-not-found", "There is no such publication.")
        connection, number = found
        self.system.streams[number]["live"] = False
        await connection.close()
        return web.Response()

    async def drop_publishers(self) -> None:
        """The server loses every publisher, as when it is started again."""
        for connection, number in list(self.system.whip.values()):
            self.system.streams[number]["live"] = False
            await connection.close()
        self.system.whip.clear()


class FakeServer:
    """Runs a `FakeApi` in a thread of its own, on a free port of loopback."""

    def __init__(self, system: FakeSystem, port: int = 0) -> None:
        self.api = FakeApi(system)
        self.system = system
        self.url = ""
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake-server")

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        runner = web.AppRunner(self.api.app(), shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self._port).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    def run(self, coroutine: Any) -> Any:
        """Runs a coroutine on the server's loop and waits for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def __enter__(self) -> FakeServer:
        self._thread.start()
        assert self._ready.wait(10), "the fake server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


if __name__ == "__main__":
    demo = FakeSystem()
    demo.add_stream()
    demo.fund(ALICE, 100 * UNIT)
    with FakeServer(demo, 8099) as server:
        print(server.url)  # noqa: T201
        threading.Event().wait()
