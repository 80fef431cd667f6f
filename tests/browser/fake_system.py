"""The state behind the fake server: a ledger in memory, and real seconds as seconds delivered.

Tests reach into `FakeSystem` to bring about what is rare: a dry vault, a creator who leaves, a
server that is gone.
"""

from __future__ import annotations

import asyncio
import fractions
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiortc import RTCPeerConnection
from aiortc.mediastreams import VideoStreamTrack
from av import VideoFrame

UNIT = 10**12
GENESIS = "0x" + "5a" * 32
ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"


class Problem(Exception):
    """Answered as `application/problem+json`."""

    def __init__(
        self, status: int, code: str, detail: str, *, retry_after_s: int | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
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
class FakeIntents:
    """What one connection's viewer wants, as far as the server has heard."""

    number: int = 0
    paused: bool = False
    sound_alone: bool | None = None
    heard: list[tuple[str, int]] = field(default_factory=list)
    """Every intent that came, also those that were overtaken."""


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
    intents: dict[str, FakeIntents] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    """Why the server does not simply forward."""
    sound_free_ms: int = 10_000
    """How long sound alone is still free, as the server says it."""
    faults: list[str] = field(default_factory=list)
    """What befalls the next requests to pause, resume or go on with sound: `lost` on the way in,
    `unanswered`, `late` (it is overtaken), `busy` (429)."""
    knows_numbers: bool = True
    """A server of before answers 204, and does not say what a connection does."""
    refusals: list[Problem] = field(default_factory=list)
    """Answers to the next joins."""
    opening_s: float = 0.0
    """So long each join waits for the ledger's pace."""
    left_alone: int = 0
    """Joins whose page has hung up meanwhile."""
    stops_lost: int = 0
    """So many requests to leave come to nothing."""
    returning: dict[str, int] = field(default_factory=dict)
    """What accounts' closing sessions still hold."""
    extra_terms: dict[str, Any] = field(default_factory=dict)
    """Is added to `needs` of all terms, and taken into what can be deposited."""
    native: dict[str, int] = field(default_factory=dict)
    """Balances in the chain's own token, where `terms_unit` is another."""
    terms_unit: dict[str, Any] = field(default_factory=dict)
    """The asset of all terms, where it is not the chain's own token."""
    has_community: bool = False
    """Whether people have names here, and talk."""
    forget_challenges: bool = False
    """Texts to be signed are forgotten before they are."""
    offers: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    received: int = 0
    """Frames of picture and sound that came from those who publish."""
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

    def part(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """A page of streams by number, as a server is asked for them."""
        live, after = asked.get("live") == "1", int(asked.get("after", -1))
        fits = [
            each
            for number, each in sorted(self.streams.items())
            if number > after
            and each["owner"] == asked.get("owner", each["owner"])
            and number in asked.get("ids", {number})
            and (each["live"] or not live)
        ]
        page = fits[: int(asked.get("limit", 500))]
        return {"streams": page, "next": page[-1]["id"] if len(page) < len(fits) else None}

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

    def open(self, account: str, stream: int) -> FakeSession:
        """The next session under the account's grant."""
        rate = int(self.streams[stream]["rate_per_second"])
        grant = self.grant_of(account, rate)
        assert grant is not None
        index = grant["next"]
        grant["next"] += 1
        session = FakeSession(grant["id"], index, stream, account, rate, "")
        self.sessions[grant["id"], index] = session
        return session

    def lapse(self, session: FakeSession) -> None:
        """Closes a session, and goes on in another over the same connections."""
        session.run(running=False)
        session.status, session.close_reason = "closed", "Settled"
        following = self.open(session.viewer, session.stream)
        following.run(running=True)
        for resource, (connection, owner) in self.whep.items():
            if owner is session:
                self.whep[resource] = (connection, following)

    def hold_back(self, account: str) -> None:
        """Put all of a vault into a session that is being closed."""
        self.returning[account] = self.vaults.pop(account)

    def give_back(self, account: str) -> None:
        """The close is in a block."""
        self.vaults[account] = self.returning.pop(account)

    def grant_of(self, account: str, rate: int) -> dict[str, Any] | None:
        usable = [g for g in self.grants.values() if g["viewer"] == account and not g["ended"]]
        usable.sort(key=lambda g: (g["cap_left"] >= rate and g["rate_max"] >= rate, g["id"]))
        return usable[-1] if usable else None

    def terms(self, account: str, number: int) -> dict[str, Any]:
        stream = self.streams[number]
        rate = int(stream["rate_per_second"])
        vault, returning = self.vaults.get(account, 0), self.returning.get(account, 0)
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
            "returning_soon": {
                "amount": str(returning),
                "suffices": missing == ["funds"] and vault + returning >= 10 * rate,
            },
            **self._reckoned(account, rate, 10 * rate - vault),
            "payable": not missing,
            **self.terms_unit,
        }

    def _reckoned(self, account: str, rate: int, least: int) -> dict[str, Any]:
        """What a deposit and grant take, as the relayer reckons: an hour, or all, or the least."""
        parts = ("storage_deposit", "fees", "existential_deposit")
        rest = sum(int(self.extra_terms.get(part, 0)) for part in parts)
        balance = self.balances.get(account, 0)
        native = self.native.get(account, 0) if self.terms_unit else balance
        deposit_max = max(0, balance if self.terms_unit else balance - rest)
        deposit = 3600 * rate
        if deposit > deposit_max:
            deposit = deposit_max if deposit_max >= max(1, least) else max(1, least)
        lacks = max(0, rest + (0 if self.terms_unit else deposit) - native)
        return {
            "needs": {
                "deposit": str(deposit),
                "deposit_max": str(deposit_max),
                "cap": str(3600 * rate),
                "rate_max_per_second": str(rate),
                "sessions_max": 1,
                "gap_ms": 120_000,
                **self.extra_terms,
            },
            "has": str(native),
            "short_by": str(lacks),
            "asset_short_by": str(max(0, deposit - balance) if self.terms_unit else 0),
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
