"""What watching costs, in the words of the `Payment` scheme: method `paystream`, intent `session`.

Every 402 of WHEP carries a challenge; a credential that answers one carries the watch token; the
answer to a join carries a receipt. `docs/whep-402.md` is the specification.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from streaming import payment_auth
from streaming.http.problem import ProblemError
from streaming.http.request_input import LINK, is_token, place_of
from streaming.payment_auth import Challenge, PaymentAuthInvalid, Receipt
from streaming.session_state import SessionRef, StreamRef

METHOD: Final = "paystream"
INTENT: Final = "session"
LIFETIME_S: Final = 300
"""How long a challenge may be answered: as long as a wallet's owner may take to sign."""
NONCE_BYTES: Final = 12
SWEEP_EVERY_S: Final = 60
RECEIPT: Final = "Payment-Receipt"
ACCEPT: Final = "Accept-Payment"
PAYMENT_REQUIRED: Final = 402
UNAUTHORIZED: Final = 401

_RANGE: Final = re.compile(
    r"([a-z]+|\*)/([A-Za-z0-9-]+|\*)(?:[ \t]*;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?"
)


@dataclass(frozen=True)
class Shown:
    """A credential that was read: its watch token, and the prices that its challenge named.

    A challenge to anybody names no tick price.
    """

    challenge: Challenge
    token: str = field(repr=False)
    rate_per_second: str
    tick_price: str | None


class Payments:
    """Makes challenges, judges what comes back, and writes receipts, for one server."""

    def __init__(self, origin: str, clock: Callable[[], float] = time.time) -> None:
        """`origin` is the server's public one; its host is the realm. `clock` is unix seconds."""
        self._realm = urlsplit(origin).netloc
        self.clock = clock
        self._secret = secrets.token_bytes(32)
        self._used: dict[str, float] = {}
        """Challenges that a join is under, or was made under, and when they expire."""
        self._swept_s = clock()

    # --- asking ------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def asking(self, request: web.Request, stream: StreamRef) -> AsyncIterator[None]:
        """Give every 402 from within its challenge."""
        try:
            yield
        except ProblemError as error:
            if error.problem.status == PAYMENT_REQUIRED:
                await self._add_challenge(error, request, stream)
            raise

    async def _add_challenge(
        self, error: ProblemError, request: web.Request, stream: StreamRef
    ) -> None:
        terms = error.problem.terms
        resource = resource_of(request, stream)
        if terms is not None:
            asked = asked_by_terms(terms, resource)
        else:
            link = request.app[LINK]
            info = await link.request("info", {}, chain=stream.chain)
            entry = await link.request("stream", {"stream": stream.number}, chain=stream.chain)
            asked = asked_of_anybody(entry, info["genesis_hash"], resource)
        challenge = self.challenge(asked, f"Watch stream {stream}, paid by the second")
        error.headers["WWW-Authenticate"] = payment_auth.show_challenge(challenge)
        error.headers["Cache-Control"] = "no-store"

    def challenge(self, asked: dict[str, Any], description: str) -> Challenge:
        """A challenge that only this process could have made, for the next `LIFETIME_S`."""
        unbound = Challenge(
            id="",  # until it is bound
            realm=self._realm,
            method=METHOD,
            intent=INTENT,
            request=payment_auth.encoded(asked),
            expires=payment_auth.show_time(self.clock() + LIFETIME_S),
            description=description,
            # Who asks for the same in the same second has another challenge to answer.
            opaque=payment_auth.encoded({"nonce": secrets.token_urlsafe(NONCE_BYTES)}),
        )
        return msgspec.structs.replace(unbound, id=payment_auth.bound_id(self._secret, unbound))

    # --- what comes back -----------------------------------------------------------------

    def shown(self, request: web.Request, stream: StreamRef) -> Shown | None:
        """The credential of a request, None where there is none of this scheme.

        Raises `ProblemError`: 400, or 402 to which `asking` gives a new challenge.
        """
        given = request.headers.getall("Authorization", [])
        if not any(payment_auth.is_credential(value) for value in given):
            if not given and accepts(request.headers.getall(ACCEPT, [])):
                raise payment_required()
            return None
        if len(given) > 1:
            raise ProblemError(
                400,
                "credential-repeated",
                "the request has several headers `Authorization`: send the one that answers the "
                "challenge",
                field="Authorization",
            )
        try:
            credential = payment_auth.read_credential(given[0])
        except PaymentAuthInvalid as error:
            raise _malformed(error.field, str(error)) from None
        asked = self._check(credential.challenge, resource_of(request, stream))
        token = credential.payload.get("token")
        if not isinstance(token, str) or not is_token(token):
            raise _malformed("payload.token", "payload.token is no watch token of PayStream")
        price = asked["methodDetails"].get("tickPrice")
        return Shown(credential.challenge, token, str(asked["amount"]), price)

    def _check(self, challenge: Challenge, resource: str) -> dict[str, Any]:
        """Judge a challenge that came back; returns what it asked for. Raises 402."""
        if not payment_auth.is_bound(self._secret, challenge):
            raise _not_ours("challenge.id", "this server has made no such challenge since it began")
        asked = challenge.asked()  # it is ours, so it can be read
        if challenge.expires is None or self.clock() >= payment_auth.read_time(
            challenge.expires, "challenge.expires"
        ):
            raise _not_ours("challenge.expires", "the challenge has expired")
        if asked["methodDetails"]["resource"] != resource:
            raise _not_ours("challenge.request", "the challenge is for another stream")
        if challenge.id in self._used:
            raise _not_ours("challenge.id", "the challenge has been answered already")
        return asked

    @contextlib.contextmanager
    def answering(self, shown: Shown | None) -> Iterator[None]:
        """Let a challenge be answered by one join at most; one that fails leaves it open."""
        if shown is None:
            yield
            return
        self._sweep()
        challenge = shown.challenge
        self._used[challenge.id] = payment_auth.read_time(challenge.expires or "", "expires")
        try:
            yield
        except BaseException:
            self._used.pop(challenge.id, None)
            raise

    def _sweep(self) -> None:
        now_s = self.clock()
        if 0 <= now_s - self._swept_s < SWEEP_EVERY_S:
            return  # and a clock that was put back delays nothing
        self._swept_s = now_s
        self._used = {known: until for known, until in self._used.items() if until > now_s}

    # --- answering -----------------------------------------------------------------------

    def receipt(
        self, session: SessionRef, stream: StreamRef, admitted: dict[str, Any], shown: Shown | None
    ) -> str:
        """The `Payment-Receipt` of a join: that the session is open, and what it has cost so far.

        A new session has cost nothing yet. What a resumed one has is the ledger's to say.
        """
        return payment_auth.show_receipt(
            Receipt(
                status="success",
                method=METHOD,
                intent=INTENT,
                timestamp=payment_auth.show_time(self.clock()),
                reference=session.on_chain,
                challenge_id=None if shown is None else shown.challenge.id,
                stream=str(stream.number),
                currency=admitted.get("asset"),
                rate_per_second=admitted.get("rate_per_second"),
                spent=None if admitted.get("resumed") else "0",
            )
        )


def resource_of(request: web.Request, stream: StreamRef) -> str:
    """The path that a challenge is for."""
    return f"{place_of(request)}/whep/{stream.number}"


def payment_required() -> ProblemError:
    """The first 402 of one who understands challenges and has shown nothing yet."""
    return ProblemError(
        PAYMENT_REQUIRED,
        "payment-required",
        "watching costs what the challenge says: sign in for a watch token (POST "
        "/api/v1/challenge, then /api/v1/token), and answer with it as payload.token",
    )


def verification_failed(error: ProblemError) -> ProblemError:
    """What the relayer said of a credential's token, as the scheme has it: 402 in place of 401."""
    return ProblemError(
        PAYMENT_REQUIRED, "verification-failed", error.problem.detail, field="payload.token"
    )


def accepts(values: list[str]) -> bool:
    """Whether an `Accept-Payment` names this method: its most specific range decides."""
    best: tuple[int, bool] = (-1, False)
    for text in ",".join(values).split(","):
        found = _RANGE.fullmatch(text.strip(" \t"))
        if found is None:
            if text.strip(" \t"):
                return False
            continue
        method, intent, quality = found.groups()
        if method in (METHOD, "*") and intent in (INTENT, "*"):
            rank = 2 * (method != "*") + (intent != "*")
            best = max(best, (rank, quality is None or float(quality) > 0))
    return best[1]


def _malformed(field: str, detail: str) -> ProblemError:
    return ProblemError(
        PAYMENT_REQUIRED,
        "malformed-credential",
        f"{detail}: send `Authorization: Payment` with base64url of JSON with the challenge as it "
        "came and a payload with the watch token",
        field=field,
    )


def _not_ours(field: str, detail: str) -> ProblemError:
    return ProblemError(
        PAYMENT_REQUIRED,
        "invalid-challenge",
        f"{detail}: answer the new one, whose text must come back unchanged",
        field=field,
    )


# --- the request of the method ---------------------------------------------------------------


def asked_by_terms(terms: dict[str, Any], resource: str) -> dict[str, Any]:
    """What one viewer is asked for, by the terms that the relayer gave for them.

    What the account owns is in the terms and not here: a challenge is echoed and passed on.
    """
    needs = terms["needs"]
    return {
        "amount": terms["rate_per_second"],
        "currency": terms["asset"],
        "recipient": terms["owner"],
        "unitType": "second",
        "suggestedDeposit": needs["deposit"],
        "methodDetails": {
            **_details(terms, terms["genesis_hash"], str(terms["stream"]), resource),
            "tickPrice": terms["tick_price"],
            "viewer": terms["viewer"],
            "delegate": terms["delegate"],
            "proof": terms["proof"],
            "missing": terms["missing"],
            "needs": {
                "deposit": needs["deposit"],
                "cap": needs["cap"],
                "rateMaxPerSecond": needs["rate_max_per_second"],
                "sessionsMax": needs["sessions_max"],
                "gapMs": needs["gap_ms"],
            },
        },
    }


def asked_of_anybody(entry: dict[str, Any], genesis_hash: str, resource: str) -> dict[str, Any]:
    """What a stream costs whoever comes: without an account nobody can say what is missing."""
    return {
        "amount": entry["rate_per_second"],
        "currency": entry["asset"],
        "recipient": entry["owner"],
        "unitType": "second",
        "methodDetails": {
            **_details(entry, genesis_hash, str(entry["id"]), resource),
            "missing": ["token"],
        },
    }


def _details(
    named: dict[str, Any], genesis_hash: str, stream: str, resource: str
) -> dict[str, Any]:
    place = resource.removesuffix(f"/whep/{stream}")
    return {
        "genesisHash": genesis_hash,
        "stream": stream,
        "resource": resource,
        "symbol": named["symbol"],
        "decimals": named["decimals"],
        "signIn": f"{place}/api/v1/challenge",
        "terms": f"{place}/api/v1/streams/{stream}/terms",
    }
