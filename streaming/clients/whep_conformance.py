"""Whether a WHEP server asks for payment as `docs/whep-402.md` says: one finding for each rule.

It speaks HTTP only, so any server can be judged. Without a watch token it sees what a stranger
sees; with one, a session is opened under it and ended at once.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import aiohttp
import msgspec

from streaming import payment_auth
from streaming.clients.finding import Finding
from streaming.clients.rest_client import ClientError
from streaming.payment_auth import (
    CHALLENGE_CHARS_MAX,
    HEADER_CHARS_MAX,
    Challenge,
    Credential,
    PaymentAuthInvalid,
    Receipt,
)
from streaming.sfu import aiortc_adapter

TIMEOUT_S: Final = 20.0
BODY_BYTES_MAX: Final = 256 * 1024
LIFETIME_S_MIN: Final = 30
"""A wallet's owner needs so long to sign, at least."""
CREDENTIAL_CHARS: Final = 4_096
"""What every server of the scheme has to take."""
METHOD: Final = "paystream"
INTENT: Final = "session"
PROBLEMS: Final = "https://paymentauth.org/problems/"
NOBODY: Final = "psw_" + "0" * 43
"""A token that no relayer has given."""
_AMOUNT: Final = re.compile(r"0|[1-9][0-9]{0,38}")


def _kept(name: str, found: str) -> Finding:
    return Finding(name, kept=True, found=found)


def _broken(name: str, found: str, remedy: str) -> Finding:
    return Finding(name, kept=False, found=found, remedy=remedy)


@dataclass(frozen=True)
class Answer:
    """What a server said: status, headers in lower case, and the start of its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def challenge(self) -> Challenge:
        """The one challenge of our method. Raises `PaymentAuthInvalid`."""
        ours = [
            each
            for each in payment_auth.read_challenges(self.headers.get("www-authenticate", ""))
            if (each.method, each.intent) == (METHOD, INTENT)
        ]
        if len(ours) != 1:
            raise PaymentAuthInvalid(
                "WWW-Authenticate", f"{len(ours)} challenges of {METHOD}/{INTENT} are in it"
            )
        return ours[0]

    @property
    def problem(self) -> dict[str, Any]:
        """The body as problem details; empty where it is none."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip()
        try:
            value = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError):
            return {}
        is_problem = kind == "application/problem+json" and isinstance(value, dict)
        return value if is_problem else {}


@dataclass
class Tried:
    """A server's resource, and how it is asked."""

    url: str
    client: aiohttp.ClientSession
    offer: str

    async def post(self, **headers: str) -> Answer:
        """Offer to watch. Raises `ClientError` where the server is not reached."""
        given = {"Content-Type": "application/sdp"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("POST", self.url, given, self.offer)

    async def show(self, credential: Credential) -> Answer:
        """Offer to watch with a credential."""
        return await self.post(Authorization=payment_auth.show_credential(credential))

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str], data: str | None = None
    ) -> Answer:
        """One request. Raises `ClientError`."""
        try:
            async with self.client.request(
                method, url, headers=headers, data=data, allow_redirects=False
            ) as response:
                body = await response.content.read(BODY_BYTES_MAX)
                named: dict[str, str] = {}
                for name, value in response.headers.items():
                    known = named.get(name.lower())
                    named[name.lower()] = value if known is None else f"{known}, {value}"
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise ClientError(
                f"{url} cannot be asked ({str(error) or type(error).__name__}): does the server "
                "run there?",
                code="server-unreachable",
            ) from None
        return Answer(response.status, named, body)


async def examine(url: str, token: str | None = None) -> AsyncIterator[Finding]:
    """Judge the WHEP resource at `url`, such as `https://live.example/whep/7`.

    Ends early where there is no challenge to go on with. Raises `ClientError` for what is no
    address, and where nobody answers.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ClientError(
            f"{url!r} is no address of a WHEP resource: write one such as "
            "https://live.example/whep/7",
            code="url-invalid",
        )
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(
        timeout=timeout, max_field_size=HEADER_CHARS_MAX, max_line_size=HEADER_CHARS_MAX
    ) as client:
        tried = Tried(url, client, await _offer())
        yield _encrypted(url)
        first = await tried.post(Accept_Payment=f"{METHOD}/{INTENT}")
        asked = _asked(first)
        yield asked
        if not asked.kept:
            return
        yield _no_store(first)
        yield _no_receipt(first)
        yield _has_problem(first, "payment-required")
        challenge = first.challenge
        for finding in _challenge_findings(challenge, first, url):
            yield finding
        second = await tried.post(Accept_Payment=f"{METHOD}/{INTENT}")
        yield _another(challenge, second)
        async for finding in _refusals(tried, challenge):
            yield finding
        async for finding in _paying(tried, token):
            yield finding


async def _offer() -> str:
    """An offer to receive a picture and sound, of which nothing is ever connected."""
    peer = aiortc_adapter.new_peer()
    try:
        for kind in ("video", "audio"):
            peer.addTransceiver(kind, direction="recvonly")
        await peer.setLocalDescription(await peer.createOffer())
        return str(peer.localDescription.sdp)
    finally:
        await peer.close()


# --- what a stranger is asked for ------------------------------------------------------------


def _encrypted(url: str) -> Finding:
    host = urlsplit(url).hostname or ""
    try:
        here = ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost"
    kept = urlsplit(url).scheme == "https" or here
    found = "over TLS, or on this machine" if kept else "challenges and tokens go in the clear"
    return Finding("encrypted", kept, found, "serve it over TLS: what is shown here is a secret")


def _asked(first: Answer) -> Finding:
    remedy = (
        "answer a POST with `Accept-Payment: paystream/session` and without `Authorization` by 402 "
        "and one `WWW-Authenticate: Payment` of that method and intent"
    )
    if first.status != 402:
        return _broken("asked", f"the server answered {first.status}", remedy)
    try:
        challenge = first.challenge
    except PaymentAuthInvalid as error:
        return _broken("asked", f"{error.field}: {error}", remedy)
    return _kept("asked", f"402 with a challenge for realm {challenge.realm[:80]!r}")


def _no_store(first: Answer) -> Finding:
    found = first.headers.get("cache-control", "")
    kept = "no-store" in [each.strip().lower() for each in found.split(",")]
    return Finding(
        "no-store", kept, f"Cache-Control: {found[:80]}", "send `Cache-Control: no-store` with 402"
    )


def _no_receipt(first: Answer) -> Finding:
    kept = "payment-receipt" not in first.headers
    found = "no receipt for what was refused" if kept else "a refusal carries a receipt"
    return Finding("no-receipt", kept, found, "send `Payment-Receipt` with 2xx alone")


def _has_problem(answer: Answer, *names: str, as_name: str = "problem") -> Finding:
    problem = answer.problem
    kind = str(problem.get("type", ""))
    kept = (
        answer.status == 402
        and kind in [PROBLEMS + name for name in names]
        and problem.get("status") == 402
        and bool(problem.get("detail"))
    )
    found = f"{answer.status}, type {kind[:120]!r}"
    wanted = " or ".join(names)
    return Finding(
        as_name,
        kept,
        found,
        f"answer 402 with application/problem+json: `type` {PROBLEMS}{wanted}, `status`, `detail`",
    )


def _challenge_findings(challenge: Challenge, first: Answer, url: str) -> list[Finding]:
    length = len(first.headers.get("www-authenticate", ""))
    asked = challenge.asked()
    return [
        Finding(
            "challenge-size",
            length < CHALLENGE_CHARS_MAX,
            f"{length} characters",
            "keep challenges below 8 KiB",
        ),
        _canonical(challenge, asked),
        _expires(challenge),
        _price(asked),
        _details(asked, urlsplit(url).path),
    ]


def _canonical(challenge: Challenge, asked: dict[str, Any]) -> Finding:
    try:
        kept = payment_auth.encoded(asked) == challenge.request
        found = "JSON as RFC 8785 writes it" if kept else "another form of JSON than RFC 8785's"
    except TypeError as error:
        kept, found = False, str(error)
    return Finding(
        "canonical", kept, found, "serialize `request` by JCS; amounts and large numbers as text"
    )


def _expires(challenge: Challenge) -> Finding:
    remedy = f"name a moment in RFC 3339, {LIFETIME_S_MIN} s ahead at least"
    if challenge.expires is None:
        return _broken("expires", "the challenge never expires", remedy)
    try:
        left_s = payment_auth.read_time(challenge.expires, "expires") - time.time()
    except PaymentAuthInvalid as error:
        return _broken("expires", str(error), remedy)
    return Finding("expires", left_s >= LIFETIME_S_MIN, f"in {left_s:.0f} s", remedy)


def _price(asked: dict[str, Any]) -> Finding:
    amount = asked.get("amount")
    wrong = [
        name
        for name, kept in {
            "amount": isinstance(amount, str) and _AMOUNT.fullmatch(amount) is not None,
            "currency": _is_text(asked.get("currency")),
            "recipient": _is_text(asked.get("recipient")),
            "unitType": asked.get("unitType") == "second",
        }.items()
        if not kept
    ]
    found = f"missing or no text: {', '.join(wrong)}" if wrong else f"{amount} a second"
    return Finding(
        "price",
        not wrong,
        found,
        "name `amount` (decimal text, smallest unit, per second), `currency`, `recipient` and "
        '`unitType` "second"',
    )


def _details(asked: dict[str, Any], path: str) -> Finding:
    details = asked.get("methodDetails")
    details = details if isinstance(details, dict) else {}
    wrong = [
        name
        for name in ("genesisHash", "stream", "resource", "signIn", "terms")
        if not _is_text(details.get(name))
    ]
    if not isinstance(details.get("missing"), list):
        wrong.append("missing")
    if "resource" not in wrong and details["resource"] != path:
        wrong.append(f"resource (it is not {path[:80]})")
    found = f"wrong: {', '.join(wrong)}" if wrong else "chain, stream and where to sign in"
    return Finding("details", not wrong, found, "name all of `methodDetails`, for this resource")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _another(challenge: Challenge, second: Answer) -> Finding:
    try:
        kept = second.challenge.id != challenge.id
        found = "each request has a challenge of its own" if kept else "two requests share an id"
    except PaymentAuthInvalid as error:
        kept, found = False, str(error)
    return Finding("unique", kept, found, "make an id for each 402, bound to what is in it")


# --- what is refused -------------------------------------------------------------------------


async def _refusals(tried: Tried, challenge: Challenge) -> AsyncIterator[Finding]:
    answer = await tried.post(Authorization="Payment !")
    yield _has_problem(answer, "malformed-credential", as_name="malformed")
    yield _fresh(answer)
    for name, forged in {
        "bound-request": {"request": payment_auth.encoded({"amount": "0"})},
        "bound-expires": {"expires": "2999-12-31T23:59:59Z"},
        "bound-realm": {"realm": "another.example"},
        "unknown-id": {"id": "0" * 43},
    }.items():
        bent = msgspec.structs.replace(challenge, **forged)
        answer = await tried.show(Credential(challenge=bent, payload={"token": NOBODY}))
        yield _has_problem(answer, "invalid-challenge", as_name=name)
    proofless = Credential(challenge=challenge, payload={})
    answer = await tried.show(proofless)
    yield _has_problem(answer, "malformed-credential", "verification-failed", as_name="proof")
    # What no field is known for has to be ignored, and so much has to be taken.
    long = Credential(challenge=challenge, payload={"token": NOBODY, "padding": ""})
    room = (CREDENTIAL_CHARS - len(payment_auth.show_credential(long))) * 3 // 4
    long.payload["padding"] = "x" * max(0, room)
    answer = await tried.show(long)
    yield _has_problem(answer, "verification-failed", as_name="stranger")


def _fresh(answer: Answer) -> Finding:
    try:
        kept, found = bool(answer.challenge.id), "a refusal carries a new challenge"
    except PaymentAuthInvalid as error:
        kept, found = False, str(error)
    return Finding("fresh", kept, found, "send a new challenge with every 402")


# --- what is paid ------------------------------------------------------------------------------

_PAID: Final = ("paid", "receipt", "receipt-private", "replay", "leave")


async def _paying(tried: Tried, token: str | None) -> AsyncIterator[Finding]:
    if token is None:
        for name in _PAID:
            yield Finding(name, None, "no watch token was given")
        return
    try:
        challenge = (await tried.post(Accept_Payment=f"{METHOD}/{INTENT}")).challenge
    except PaymentAuthInvalid as error:
        yield _broken("paid", str(error), "ask everybody who comes in the same way")
        return
    shown = Credential(challenge=challenge, payload={"token": token})
    answer = await tried.show(shown)
    location = answer.headers.get("location")
    kept = answer.status == 201 and location is not None
    detail = str(answer.problem.get("detail", ""))[:200]
    yield Finding(
        "paid",
        kept,
        f"{answer.status} {detail}".strip(),
        "answer 201 with `Location` to a credential whose account has a vault and a grant for this "
        "stream (see that the token's has)",
    )
    if not kept or location is None:
        for name in _PAID[1:]:
            yield Finding(name, None, "no session was opened")
        return
    try:
        yield _receipt(answer, challenge)
        found = answer.headers.get("cache-control", "")
        private = "private" in [each.strip().lower() for each in found.split(",")]
        remedy = "send `Cache-Control: private` with every receipt"
        yield Finding("receipt-private", private, f"Cache-Control: {found[:80]}", remedy)
        again = await tried.show(shown)
        yield _has_problem(again, "invalid-challenge", as_name="replay")
        if "location" in again.headers:
            await tried.ask("DELETE", urljoin(tried.url, again.headers["location"]), {})
    finally:
        gone = await tried.ask("DELETE", urljoin(tried.url, location), {})
    yield Finding(
        "leave", gone.status == 200, f"DELETE is answered {gone.status}", "end the session then"
    )


def _receipt(answer: Answer, challenge: Challenge) -> Finding:
    remedy = (
        "send `Payment-Receipt` with 201: base64url of JSON with `status` success, `method`, "
        "`timestamp`, `reference`, `intent`, `challengeId` and what is `spent`"
    )
    try:
        receipt = payment_auth.read_receipt(answer.headers.get("payment-receipt", ""))
    except PaymentAuthInvalid as error:
        return _broken("receipt", str(error), remedy)
    return Finding("receipt", _says_enough(receipt, challenge), receipt.reference[:80], remedy)


def _says_enough(receipt: Receipt, challenge: Challenge) -> bool:
    """Whether it is of this session; one that has just been opened has spent nothing."""
    return (
        (receipt.method, receipt.intent) == (METHOD, INTENT)
        and bool(receipt.reference)
        and receipt.challenge_id == challenge.id
        and receipt.spent == "0"
    )
