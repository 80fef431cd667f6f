"""402 in words that others understand: challenges, credentials and receipts of WHEP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streaming import payment_auth
from streaming.http.limits import Limits
from streaming.http.whep_payment import LIFETIME_S, SWEEP_EVERY_S, accepts
from streaming.payment_auth import Challenge, Credential
from streaming.session_state import Problem
from tests.http.fake_relayer import STREAM, TERMS, WATCH_TOKEN, unpaid
from tests.http.rig import SDP, WATCHING, HttpRig, http_rig
from tests.http.test_whep import until

POST = {**WATCHING, **SDP}
UNDERSTANDS = {**SDP, "Accept-Payment": "paystream/session"}
EAGER = Limits(joins_per_minute=60_000, requests_per_second=100_000)


async def post(
    r: HttpRig, headers: Mapping[str, str], path: str = "/whep/1"
) -> tuple[int, Any, Any]:
    return await r.ask("POST", path, headers=dict(headers), data="v=0")


async def challenged(r: HttpRig, path: str = "/whep/1") -> Challenge:
    """The challenge that one gets who has shown nothing yet."""
    status, headers, body = await post(r, UNDERSTANDS, path)
    assert (status, body["code"]) == (402, "payment-required")
    return challenge_in(headers)


def challenge_in(headers: Any) -> Challenge:
    (challenge,) = payment_auth.read_challenges(headers["WWW-Authenticate"])
    assert headers["Cache-Control"] == "no-store"
    assert "Payment-Receipt" not in headers
    return challenge


def answer(challenge: Challenge, token: Any = WATCH_TOKEN, **payload: Any) -> dict[str, str]:
    credential = Credential(challenge=challenge, payload={"token": token, **payload})
    return {**SDP, "Authorization": payment_auth.show_credential(credential)}


def test_a_402_carries_a_challenge_beside_the_terms() -> None:
    async def main() -> None:
        async with http_rig() as r:
            r.server.payments.clock = lambda: 1_769_860_800.0
            r.relayer.answers["admit"] = unpaid
            status, headers, body = await post(r, POST)
            assert (status, body["terms"]) == (402, TERMS)
            assert body["type"] == "https://paymentauth.org/problems/payment-required"
            challenge = challenge_in(headers)
            assert (challenge.realm, challenge.method) == ("test", "paystream")
            assert (challenge.intent, challenge.expires) == ("session", "2026-01-31T12:05:00Z")
            assert len(challenge.id) == 43
            asked = challenge.asked()
            details = asked.pop("methodDetails")
            assert asked == {
                "amount": "1000",
                "currency": "native",
                "recipient": STREAM["owner"],
                "unitType": "second",
                "suggestedDeposit": "3600000",
            }
            assert details["genesisHash"] == "0x00"
            assert (details["stream"], details["resource"]) == ("1", "/whep/1")
            assert (details["delegate"], details["missing"]) == ("0x01", ["funds", "grant"])
            assert details["needs"]["rateMaxPerSecond"] == "1000"
            for secret in ("vault", "freeBalance", WATCH_TOKEN):
                assert secret not in str(details)
            assert len(headers["WWW-Authenticate"]) < 4_096

    asyncio.run(main())


def test_who_understands_challenges_gets_one_before_signing_in() -> None:
    async def main() -> None:
        async with http_rig() as r:
            asked = (await challenged(r)).asked()
            assert asked["amount"] == "1000"
            details = asked["methodDetails"]
            assert (details["missing"], details["signIn"]) == (["token"], "/api/v1/challenge")
            assert [q.method for q in r.relayer.requests] == ["info", "stream"]
            for headers in (SDP, {**SDP, "Accept-Payment": "tempo/charge"}):
                status, answered, body = await post(r, headers)
                assert (status, body["code"]) == (401, "token-missing")
                assert answered["WWW-Authenticate"].startswith("Bearer ")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], False),
        (["paystream/session"], True),
        (["tempo/charge, paystream/*;q=0.5"], True),
        (["*/*"], True),
        (["*/*", "paystream/session;q=0"], False),
        (["paystream/session, */*;q=0"], True),
        (["*/session;q=0.0, */*"], False),
        (["paystream/charge"], False),
        (["paystream/session;q=2"], False),
        (["paystream/session, ((("], False),
    ],
)
def test_what_is_accepted_is_what_the_most_specific_range_says(
    values: list[str], expected: bool
) -> None:
    assert accepts(values) == expected


def test_a_credential_is_admitted_and_the_receipt_says_what_is_known() -> None:
    async def main() -> None:
        async with http_rig() as r:
            r.server.payments.clock = lambda: 1_769_860_800.0
            challenge = await challenged(r)
            status, headers, _ = await post(r, answer(challenge))
            assert status == 201
            admit = r.relayer.requests[-1]
            assert (admit.method, admit.params) == (
                "admit",
                {"token": WATCH_TOKEN, "stream": 1, "rate_max_per_second": "1000"},
            )
            assert headers["Cache-Control"] == "private"
            receipt = payment_auth.read_receipt(headers["Payment-Receipt"])
            assert msgspec.to_builtins(receipt) == {
                "status": "success",
                "method": "paystream",
                "intent": "session",
                "timestamp": "2026-01-31T12:00:00Z",
                "reference": headers["PayStream-Session"],
                "challengeId": challenge.id,
                "stream": "1",
                "currency": "native",
                "ratePerSecond": "1000",
                "spent": "0",
            }
            assert WATCH_TOKEN not in str(receipt)

    asyncio.run(main())


def test_the_tick_price_that_a_challenge_named_is_the_most_that_is_taken() -> None:
    async def main() -> None:
        async with http_rig() as r:
            admits, r.relayer.answers["admit"] = r.relayer.answers["admit"], unpaid
            _, headers, _ = await post(r, POST)
            challenge = challenge_in(headers)
            assert challenge.asked()["methodDetails"]["tickPrice"] == "0"
            r.relayer.answers["admit"] = admits
            status, _, _ = await post(r, answer(challenge))
            assert status == 201
            assert r.relayer.requests[-1].params["tick_price_max"] == "0"

    asyncio.run(main())


def test_a_bearer_has_a_receipt_too_and_one_of_a_resumed_session_names_no_sum() -> None:
    async def main() -> None:
        async with http_rig() as r:
            _, headers, _ = await post(r, POST)
            receipt = payment_auth.read_receipt(headers["Payment-Receipt"])
            assert (receipt.challenge_id, receipt.spent) == (None, "0")
            assert "rate_max_per_second" not in r.relayer.requests[-1].params
            resuming = {**POST, "PayStream-Resume": headers["PayStream-Resume"]}
            _, headers, _ = await post(r, resuming)
            receipt = payment_auth.read_receipt(headers["Payment-Receipt"])
            assert (receipt.reference, receipt.spent) == ("1-1", None)

    asyncio.run(main())


def test_a_challenge_is_answered_once() -> None:
    async def main() -> None:
        async with http_rig() as r:
            headers = answer(await challenged(r))
            results = await asyncio.gather(*(post(r, headers) for _ in range(3)))
            assert sorted(status for status, _, _ in results) == [201, 402, 402]
            refused = next(one for one in results if one[0] == 402)
            assert (refused[2]["code"], refused[2]["field"]) == (
                "invalid-challenge",
                "challenge.id",
            )
            assert (await post(r, answer(challenge_in(refused[1]))))[0] == 201

    asyncio.run(main())


def test_who_asks_for_the_same_at_once_has_a_challenge_of_their_own() -> None:
    async def main() -> None:
        async with http_rig() as r:
            r.server.payments.clock = lambda: 1_769_860_800.0
            first, second = await challenged(r), await challenged(r)
            assert first.asked() == second.asked()
            assert first.id != second.id
            for each in (first, second):
                assert (await post(r, answer(each)))[0] == 201

    asyncio.run(main())


def test_a_join_that_fails_leaves_its_challenge_open() -> None:
    async def main() -> None:
        async with http_rig() as r:
            admit = r.relayer.answers["admit"]
            r.relayer.answers["admit"] = lambda _p: Problem(status=429, code="p", detail="wait")
            headers = answer(await challenged(r))
            assert (await post(r, headers))[0] == 429
            r.relayer.answers["admit"] = admit
            assert (await post(r, headers))[0] == 201

    asyncio.run(main())


def test_answered_challenges_are_forgotten_once_they_have_expired() -> None:
    async def main() -> None:
        async with http_rig() as r:
            payments = r.server.payments
            now_s = 1_769_860_800.0
            payments.clock = lambda: now_s
            assert (await post(r, answer(await challenged(r))))[0] == 201
            now_s += LIFETIME_S + SWEEP_EVERY_S
            assert (await post(r, answer(await challenged(r))))[0] == 201
            assert len(payments._used) == 1

    asyncio.run(main())


def test_a_challenge_is_worthless_late_elsewhere_or_changed() -> None:
    async def main() -> None:
        async with http_rig() as r:
            now_s = 1_769_860_800.0
            r.server.payments.clock = lambda: now_s
            challenge = await challenged(r)
            cheaper = payment_auth.encoded({**challenge.asked(), "amount": "1"})
            forged = msgspec.structs.replace(challenge, request=cheaper)
            for shown, path, field in (
                (forged, "/whep/1", "challenge.id"),
                (msgspec.structs.replace(challenge, realm="b"), "/whep/1", "challenge.id"),
                (msgspec.structs.replace(challenge, expires=None), "/whep/1", "challenge.id"),
                (challenge, "/whep/2", "challenge.request"),
            ):
                status, headers, body = await post(r, answer(shown), path)
                assert (status, body["code"], body["field"]) == (402, "invalid-challenge", field)
                assert challenge_in(headers).asked()["methodDetails"]["resource"] == path
            now_s += LIFETIME_S
            status, _, body = await post(r, answer(challenge))
            assert (status, body["field"]) == (402, "challenge.expires")
            async with http_rig() as another:
                assert (await post(another, answer(challenge)))[2]["code"] == "invalid-challenge"
            assert not [q for q in r.relayer.requests if q.method in ("watch", "admit")]

    asyncio.run(main())


def test_a_credential_whose_token_is_none_or_is_refused() -> None:
    async def main() -> None:
        async with http_rig() as r:
            challenge = await challenged(r)
            for token in (None, 7, "", "psp", "a" * 200, {"a": 1}, "psw_x\r\nX: y"):
                status, headers, body = await post(r, answer(challenge, token))
                assert (status, body["code"]) == (402, "malformed-credential")
                assert body["field"] == "payload.token"
                challenge_in(headers)
            status, headers, body = await post(r, answer(challenge, "psw_other"))
            assert (status, body["code"]) == (402, "verification-failed")
            assert "psw_other" not in str(body) + str(headers)
            assert (await post(r, answer(challenge_in(headers))))[0] == 201

    asyncio.run(main())


def test_several_credentials_are_refused() -> None:
    async def main() -> None:
        async with http_rig() as r:
            first = answer(await challenged(r))["Authorization"]
            both = [*SDP.items(), ("Authorization", first), ("Authorization", first)]
            status, _, body = await r.ask("POST", "/whep/1", headers=both, data="v=0")
            assert (status, body["code"]) == (400, "credential-repeated")

    asyncio.run(main())


def test_no_credential_brings_about_an_error_of_ours() -> None:
    """Whatever stands behind `Payment`: 402 with a new challenge, and nobody is admitted."""
    alphabet = st.sampled_from("abcXYZ019-_=. +/,")
    values = st.text(alphabet, max_size=60) | st.binary(max_size=90).map(payment_auth._base64url)

    async def main(given_values: list[str]) -> None:
        async with http_rig(limits=EAGER) as r:
            for value in given_values:
                headers = {**SDP, "Authorization": f"Payment {value}"}
                status, answered, body = await post(r, headers)
                assert (status, body["code"]) == (402, "malformed-credential"), value
                challenge_in(answered)
            assert not [q for q in r.relayer.requests if q.method in ("watch", "admit")]

    @settings(
        max_examples=4, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.lists(values, min_size=10, max_size=25))
    def fuzz(given_values: list[str]) -> None:
        asyncio.run(main(given_values))

    fuzz()


def test_a_page_of_another_origin_may_read_challenge_and_receipt() -> None:
    async def main() -> None:
        async with http_rig(cors_origins=("https://player.example",)) as r:
            headers = {**UNDERSTANDS, "Origin": "https://player.example"}
            _, answered, _ = await post(r, headers)
            exposed = answered["Access-Control-Expose-Headers"]
            assert {"WWW-Authenticate", "Payment-Receipt"} <= set(exposed.split(", "))
            assert "Accept-Payment" in answered["Access-Control-Allow-Headers"]

    asyncio.run(main())


def test_of_several_chains_each_has_challenges_of_its_own() -> None:
    async def main() -> None:
        async with http_rig() as r:
            r.relayer.chains = ("asia",)
            await r.relayer.stop()
            await r.relayer.start()
            await until(lambda: r.server.link.chains == ("asia",))
            path = "/chains/asia/whep/1"
            challenge = await challenged(r, path)
            details = challenge.asked()["methodDetails"]
            assert details["resource"] == path
            assert details["signIn"] == "/chains/asia/api/v1/challenge"
            status, _, body = await post(r, answer(challenge))
            assert (status, body["field"]) == (402, "challenge.request")
            assert (await post(r, answer(challenge), path))[0] == 201

    asyncio.run(main())
