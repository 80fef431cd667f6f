"""A stand-in for media server, relayer and chain, with the REST interface that the pages use.

It keeps its ledger in memory, lets seconds of real time pass as seconds delivered, checks the
wallet's signatures for real, and sends a small moving picture over real WebRTC. Tests reach into
`FakeSystem` to bring about what is rare: a dry vault, a creator who leaves, a server that is gone.
"""

from __future__ import annotations

import asyncio
import fractions
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sr25519
from aiohttp import web
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
from av import VideoFrame
from scalecodec.utils.ss58 import ss58_decode

from streaming.browser import payload_bytes

PAGES = Path(__file__).parents[2] / "streaming" / "pages"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "media-src 'self' blob:; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
UNIT = 10**12
GENESIS = "0x" + "5a" * 32
ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
CONFIRMED_AFTER_S = 0.3
FINAL_AFTER_S = 0.8


class Problem(Exception):
    """Answered as `application/problem+json`."""

    def __init__(self, status: int, code: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.body = {"type": f"/docs#{code}", "status": status, "code": code, "detail": detail}
        self.body |= {"title": detail, **more}


class Picture(VideoStreamTrack):
    """A bar that moves over a plain ground, 15 pictures a second; freezes on demand."""

    def __init__(self, system: FakeSystem) -> None:
        super().__init__()
        self._system = system
        self._count = 0

    async def recv(self) -> VideoFrame:
        await asyncio.sleep(1 / 15)
        while self._system.frozen:  # noqa: ASYNC110 - set from another thread
            await asyncio.sleep(0.05)
        self._count += 1
        frame = VideoFrame(width=320, height=176, format="yuv420p")
        at = self._count * 6 % 280
        row = bytes([90]) * at + bytes([235]) * 40
        for plane, grey in zip(frame.planes, (row, b"\x78", b"\x60"), strict=True):
            line = grey.ljust(plane.line_size, grey[:1] if grey is not row else b"\x5a")
            plane.update(line * plane.height)
        frame.pts = int(self._count * 90_000 / 15)
        frame.time_base = fractions.Fraction(1, 90_000)
        return frame


@dataclass
class FakeSession:
    """What the ledger and the meter know of one session."""

    grant: int
    index: int
    stream: int
    viewer: str
    rate: int
    resume: str
    delivered_ms: float = 0
    running_since: float | None = None
    status: str = "open"
    reason: str | None = None
    close_reason: str | None = None
    charged: int = 0

    def delivered(self) -> int:
        running = 0.0
        if self.running_since is not None:
            running = (time.monotonic() - self.running_since) * 1000
        return int(self.delivered_ms + running)

    def run(self, *, running: bool) -> None:
        self.delivered_ms = self.delivered()
        self.running_since = time.monotonic() if running else None


@dataclass
class FakeSystem:
    """Everything, in memory; amounts in the smallest unit."""

    streams: dict[int, dict[str, Any]] = field(default_factory=dict)
    balances: dict[str, int] = field(default_factory=dict)
    vaults: dict[str, int] = field(default_factory=dict)
    grants: dict[int, dict[str, Any]] = field(default_factory=dict)
    sessions: dict[tuple[int, int], FakeSession] = field(default_factory=dict)
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    challenges: dict[str, dict[str, Any]] = field(default_factory=dict)
    submissions: dict[str, dict[str, Any]] = field(default_factory=dict)
    whep: dict[str, tuple[RTCPeerConnection, FakeSession]] = field(default_factory=dict)
    whip: dict[str, tuple[RTCPeerConnection, int]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    frozen: bool = False
    """The publisher sends no pictures."""
    broken: bool = False
    """Every request is answered by 503."""
    fail_next: str | None = None
    """The next transaction fails with this."""
    delay_s: float = 0.0
    """Every REST answer takes this long."""

    def add_stream(self, *, owner: str = ALICE, rate: int = UNIT // 1000, live: bool = True) -> int:
        number = len(self.streams) + 1
        self.streams[number] = {
            "id": number,
            "owner": owner,
            "asset": "native",
            "rate_per_second": str(rate),
            "status": "active",
            "funds_min": "0",
            "gap_min_ms": 0,
            "earned": "0",
            "earned_total": "0",
            "seconds": 0,
            "sessions_open": 0,
            "payees": [{"account": owner, "share_ppm": 1_000_000}],
            "live": live,
            "viewers": 0,
            "video_codec": "VP8" if live else None,
            "audio_codec": "opus" if live else None,
        }
        return number

    def fund(self, account: str, amount: int) -> None:
        """A free balance."""
        self.balances[account] = amount

    # --- what the chain would do -----------------------------------------------------------

    def tick(self) -> None:
        """Charges what was delivered, and ends what cannot be paid."""
        for session in self.sessions.values():
            if session.status != "open":
                continue
            seconds = session.delivered() // 1000
            owed = seconds * session.rate - session.charged
            grant = self.grants[session.grant]
            most = min(self.vaults.get(session.viewer, 0), grant["cap_left"])
            paid = min(owed, most // session.rate * session.rate) if session.rate else 0
            session.charged += paid
            self.vaults[session.viewer] = self.vaults.get(session.viewer, 0) - paid
            grant["cap_left"] -= paid
            stream = self.streams[session.stream]
            for name in ("earned", "earned_total"):
                stream[name] = str(int(stream[name]) + paid)
            if paid < owed:
                self.end(session, "funds", "FundsExhausted")

    def end(self, session: FakeSession, reason: str | None, close_reason: str = "Order") -> None:
        """Closes a session; its connections go, too."""
        session.run(running=False)
        session.reason = reason
        session.status = "closed"
        session.close_reason = close_reason
        for resource, (connection, owner) in list(self.whep.items()):
            if owner is session:
                self.whep.pop(resource)
                task = asyncio.ensure_future(connection.close())
                task.add_done_callback(lambda _: None)

    def grant_of(self, account: str, rate: int) -> dict[str, Any] | None:
        usable = [g for g in self.grants.values() if g["viewer"] == account and not g["ended"]]
        usable.sort(key=lambda g: (g["cap_left"] >= rate and g["rate_max"] >= rate, g["id"]))
        return usable[-1] if usable else None

    def terms(self, account: str, number: int) -> dict[str, Any]:
        stream = self.streams[number]
        rate = int(stream["rate_per_second"])
        vault = self.vaults.get(account, 0)
        grant = self.grant_of(account, rate)
        missing = []
        if grant is None:
            missing.append("grant")
        elif grant["rate_max"] < rate:
            missing.append("rate")
        elif grant["cap_left"] < 10 * rate:
            missing.append("cap")
        if vault < 10 * rate:
            missing.append("funds")
        shown = grant and {
            "id": grant["id"],
            "cap_left": str(grant["cap_left"]),
            "rate_max_per_second": str(grant["rate_max"]),
            "expires_at": grant["expires_at"],
            "sessions_max": grant["sessions_max"],
            "sessions_open": 0,
        }
        return {
            "genesis_hash": GENESIS,
            "stream": number,
            "asset": "native",
            "rate_per_second": str(rate),
            "viewer": account,
            "delegate": "0x" + "d1" * 32,
            "vault": str(vault),
            "grant": shown,
            "free_balance": str(self.balances.get(account, 0)),
            "missing": missing,
            "needs": {
                "deposit": str(600 * rate),
                "cap": str(600 * rate),
                "rate_max_per_second": str(rate),
                "gap_ms": 120_000,
            },
            "payable": not missing,
        }

    def apply(self, account: str, call: dict[str, Any]) -> dict[str, Any]:
        """Does what a wallet's call says. Raises `Problem`."""
        kind = call["kind"]
        if kind in ("deposit", "deposit_and_grant"):
            amount = int(call["amount"] if kind == "deposit" else call["deposit"])
            if amount > self.balances.get(account, 0):
                raise Problem(422, "balance-too-low", "The account holds less than the deposit.")
            self.balances[account] = self.balances.get(account, 0) - amount
            self.vaults[account] = self.vaults.get(account, 0) + amount
        if kind == "deposit_and_grant":
            number = len(self.grants) + 1
            self.grants[number] = {
                "id": number,
                "viewer": account,
                "cap_left": int(call["cap"]),
                "rate_max": int(call["rate_max_per_second"]),
                "expires_at": call["expires_at_ms"],
                "sessions_max": call["sessions_max"],
                "ended": False,
                "next": 0,
            }
            return {"grant": number}
        if kind == "withdraw":
            amount = int(call["amount"])
            self.vaults[account] -= amount
            self.balances[account] = self.balances.get(account, 0) + amount
        if kind == "revoke":
            self.grants[call["grant"]]["ended"] = True
        if kind == "create_stream":
            number = self.add_stream(owner=account, rate=int(call["rate_per_second"]), live=False)
            return {"stream": number}
        if kind == "claim":
            stream = self.streams[call["stream"]]
            claimed, stream["earned"] = stream["earned"], "0"
            return {"claimed": claimed}
        return {}


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
    return web.Response(status=problem.status, text=body, content_type=kind)


class FakeApi:
    """The handlers; `system` is what they work on."""

    def __init__(self, system: FakeSystem) -> None:
        self.system = system

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._problems])
        for path, name in (("/", "index"), ("/watch", "watch"), ("/broadcast", "broadcast")):
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
                web.get(f"{api}/sessions/{{ref}}", self.session),
                web.delete(f"{api}/sessions/{{ref}}", self.close_session),
                web.post("/whep/{id}", self.whep),
                web.delete("/whep/{id}/{resource}", self.whep_leave),
                web.post("/whep/{id}/{resource}/{action}", self.whep_action),
                web.post("/whip/{id}", self.whip),
                web.delete("/whip/{id}/{resource}", self.whip_leave),
            ]
        )
        app.on_shutdown.append(self._close_all)
        return app

    def _page(self, name: str) -> Any:
        async def page(_request: web.Request) -> web.Response:
            text = (PAGES / f"{name}.html").read_text()
            headers = {"Content-Security-Policy": CSP, "Cache-Control": "no-store"}
            return web.Response(text=text, content_type="text/html", headers=headers)

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
        if asked is None:
            raise Problem(401, "challenge-expired", "Ask for a new challenge.")
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

    async def streams(self, _request: web.Request) -> web.Response:
        found = [self._stream(number) for number in self.system.streams]
        return web.json_response({"streams": found})

    async def stream(self, request: web.Request) -> web.Response:
        return web.json_response(self._stream(request.match_info["id"]))

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
        account = _bearer(self.system, request)
        session = self._session(request)
        vault = self.system.vaults.get(account, 0)
        most = min(vault, self.system.grants[session.grant]["cap_left"])
        return web.json_response(
            {
                "grant": session.grant,
                "index": session.index,
                "stream": session.stream,
                "viewer": session.viewer,
                "rate_per_second": str(session.rate),
                "status": session.status,
                "reason": session.reason,
                "close_reason": session.close_reason,
                "delivered_ms": session.delivered(),
                "paid_seconds": session.charged // session.rate if session.rate else 0,
                "paid": str(session.charged),
                "funds": str(most),
                "vault": str(vault),
                "runway_seconds": most // session.rate if session.rate else None,
                "ticks": 1,
            }
        )

    async def close_session(self, request: web.Request) -> web.Response:
        _bearer(self.system, request)
        self.system.end(self._session(request), None)
        return web.json_response({})

    # --- media -----------------------------------------------------------------------------

    async def whep(self, request: web.Request) -> web.Response:
        system = self.system
        account = _bearer(system, request, "watch")
        stream = self._stream(request.match_info["id"])
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
            session = self._open(account, stream)
        for name, (old, owner) in list(system.whep.items()):
            if owner is session:
                system.whep.pop(name)
                await old.close()
        session.resume = secrets.token_urlsafe(16)
        connection = RTCPeerConnection()
        await connection.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        for transceiver in connection.getTransceivers():
            video = transceiver.kind == "video"
            transceiver.sender.replaceTrack(Picture(system) if video else AudioStreamTrack())
            transceiver.direction = "sendonly"
        await connection.setLocalDescription(await connection.createAnswer())
        resource = secrets.token_hex(8)
        system.whep[resource] = (connection, session)
        session.run(running=True)
        headers = {
            "Location": f"/whep/{stream['id']}/{resource}",
            "PayStream-Session": f"{session.grant}-{session.index}",
            "PayStream-Resume": session.resume,
        }
        return self._sdp(connection, headers)

    def _open(self, account: str, stream: dict[str, Any]) -> FakeSession:
        rate = int(stream["rate_per_second"])
        grant = self.system.grant_of(account, rate)
        assert grant is not None
        index = grant["next"]
        grant["next"] += 1
        session = FakeSession(grant["id"], index, stream["id"], account, rate, "")
        self.system.sessions[grant["id"], index] = session
        return session

    def _sdp(self, connection: RTCPeerConnection, headers: dict[str, str]) -> web.Response:
        sdp = connection.localDescription.sdp
        return web.Response(status=201, text=sdp, content_type="application/sdp", headers=headers)

    async def whep_leave(self, request: web.Request) -> web.Response:
        _bearer(self.system, request, "watch")
        found = self.system.whep.pop(request.match_info["resource"], None)
        if found is None:
            raise Problem(404, "resource-not-found", "There is no such connection.")
        connection, session = found
        self.system.tick()
        self.system.end(session, None)
        await connection.close()
        return web.json_response({"delivered_ms": session.delivered()})

    async def whep_action(self, request: web.Request) -> web.Response:
        _bearer(self.system, request, "watch")
        _, session = self.system.whep[request.match_info["resource"]]
        session.run(running=request.match_info["action"] == "resume")
        return web.json_response({})

    async def whip(self, request: web.Request) -> web.Response:
        _bearer(self.system, request, "publish")
        stream = self._stream(request.match_info["id"])
        if stream["status"] == "ended":
            raise Problem(410, "stream-ended", "This stream has ended. Make another one.")
        connection = RTCPeerConnection()
        await connection.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        resource = secrets.token_hex(8)
        self.system.whip[resource] = (connection, stream["id"])
        stream["live"] = True
        return self._sdp(connection, {"Location": f"/whip/{stream['id']}/{resource}"})

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
