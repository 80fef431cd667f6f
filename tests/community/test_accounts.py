"""Signing in with a wallet, the list of devices, and how each ends."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from substrateinterface import Keypair

from offchain.keys.signer import LocalKey, dev_key
from streaming.community import accounts, challenges
from streaming.community.challenges import Challenges
from streaming.community.database import opening
from streaming.community.refusal import Refused
from tests.community.conftest import Place
from tests.community.people import COMMUNITY, Person, signed_in
from tests.http.rig import HttpRig, http_rig


@asynccontextmanager
async def rig_at(place: Place) -> AsyncIterator[HttpRig]:
    async with http_rig(tables=opening.opened(place)) as rig:
        yield rig


async def try_to_sign_in(rig: HttpRig, body: dict[str, Any]) -> tuple[int, str]:
    return await rig.refused("POST", f"{COMMUNITY}/sessions", json=body)


def test_a_wallet_signs_a_text_that_a_person_can_read_and_is_in(place: Place) -> None:
    async def main() -> None:
        async with rig_at(place) as rig:
            alice = Person(rig, dev_key("Alice"))
            challenge = await alice.challenge()
            first, second, _, *rest = challenge["message"].split("\n")
            assert first == "PayStream: sign in to chat, to follow, and to edit your profile."
            assert second == "This signature moves no money."
            assert rest[:2] == ["Origin: http://test", f"Account: {alice.account}"]
            alice = await alice.sign_in("Firefox on a laptop")
            answer = await alice.ask("GET", f"{COMMUNITY}/sessions")
            assert answer["account"] == alice.account
            [device] = answer["sessions"]
            assert (device["device"], device["current"]) == ("Firefox on a laptop", True)
            assert alice.token not in json.dumps(answer)

    asyncio.run(main())


def test_both_kinds_of_keys_sign_in_wrapped_or_not_and_with_the_scheme_in_front(
    place: Place,
) -> None:
    async def main() -> None:
        async with rig_at(place) as rig:
            ed25519 = LocalKey(Keypair.create_from_seed(bytes(range(32)), crypto_type=0))
            for key, tag in ((dev_key("Alice"), "01"), (ed25519, "00")):
                person = Person(rig, key)
                for wrapped in (True, False):
                    for front in ("", tag):
                        challenge = await person.challenge()
                        text = challenge["message"].encode()
                        if wrapped:
                            text = b"<Bytes>" + text + b"</Bytes>"
                        signature = "0x" + front + key.sign(text).hex()
                        body = {"challenge": challenge["challenge"], "signature": signature}
                        path = f"{COMMUNITY}/sessions"
                        status, _, answer = await rig.ask("POST", path, json=body)
                        assert (status, answer["account"]) == (201, person.account)

    asyncio.run(main())


def test_a_challenge_gives_one_session_to_its_own_account_alone(place: Place) -> None:
    async def main() -> None:
        async with rig_at(place) as rig:
            alice, bob = Person(rig, dev_key("Alice")), Person(rig, dev_key("Bob"))
            challenge = await alice.challenge()
            name, message = challenge["challenge"], challenge["message"]
            body = {"challenge": name, "signature": bob.sign(message)}
            assert await try_to_sign_in(rig, body) == (401, "signature-invalid")
            body["signature"] = alice.sign(message + "!")
            assert await try_to_sign_in(rig, body) == (401, "signature-invalid")
            for nothing in ("", "0x", "0x" + "00" * 63, "0x" + "zz" * 64, 7, "0x" + "00" * 65_000):
                body["signature"] = nothing
                status, code = await try_to_sign_in(rig, body)
                assert (status, code) in ((400, "signature-invalid"), (413, "too-large"))
            body["signature"] = "0x" + "00" * 64
            assert await try_to_sign_in(rig, body) == (401, "signature-invalid")
            body["signature"] = alice.sign(message)
            status, _, _ = await rig.ask("POST", f"{COMMUNITY}/sessions", json=body)
            assert status == 201
            assert await try_to_sign_in(rig, body) == (400, "challenge-used")
            forged = ("A" if name[0] != "A" else "B") + name[1:]
            for unknown in (forged, "", "é", None, "A" * 2_000):
                body["challenge"] = unknown
                assert await try_to_sign_in(rig, body) == (400, "challenge-unknown")

    asyncio.run(main())


def test_a_challenge_expires_and_is_no_other_server_s() -> None:
    made = Challenges("http://here")
    name, challenge = made.make(bytes(32), 1_000)
    expires_ms = 1_000 + challenges.CHALLENGE_LIFETIME_MS
    assert made.read(name, expires_ms - 1) == challenge
    with pytest.raises(Refused, match="challenge-expired"):
        made.read(name, expires_ms)
    with pytest.raises(Refused, match="challenge-unknown"):
        Challenges("http://here").read(name, 1_000)


def test_challenges_cost_no_memory() -> None:
    made = Challenges("http://here")
    before = repr(vars(made))
    for number in range(100):
        made.make(bytes([number]) * 32, 0)
    assert repr(vars(made)) == before


def test_each_session_can_be_ended_and_no_other_s(place: Place) -> None:
    async def main() -> None:
        async with rig_at(place) as rig:
            here, there = (
                await signed_in(rig, "Alice", "here"),
                await signed_in(rig, "Alice", "there"),
            )
            bob = await signed_in(rig, "Bob")
            listed = (await here.ask("GET", f"{COMMUNITY}/sessions"))["sessions"]
            other = next(one["id"] for one in listed if not one["current"])
            path = f"{COMMUNITY}/sessions/{other}"
            assert await bob.refused("DELETE", path) == (404, "session-not-found")
            await here.ask("DELETE", path)
            assert await there.refused("GET", f"{COMMUNITY}/sessions") == (401, "token-invalid")
            await here.ask("DELETE", f"{COMMUNITY}/sessions/current")
            assert await here.refused("GET", f"{COMMUNITY}/sessions") == (401, "token-invalid")
            assert len((await bob.ask("GET", f"{COMMUNITY}/sessions"))["sessions"]) == 1

    asyncio.run(main())


def test_an_account_has_some_sessions_and_the_oldest_make_room(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "SESSIONS_MAX", 2)

    async def main() -> None:
        async with rig_at(place) as rig:
            first = await signed_in(rig, "Alice", "1")
            await asyncio.sleep(0.002)  # they are told apart by milliseconds
            await signed_in(rig, "Alice", "2")
            await asyncio.sleep(0.002)
            third = await signed_in(rig, "Alice", "3")
            assert await first.refused("GET", f"{COMMUNITY}/sessions") == (401, "token-invalid")
            listed = (await third.ask("GET", f"{COMMUNITY}/sessions"))["sessions"]
            assert sorted(one["device"] for one in listed) == ["2", "3"]

    asyncio.run(main())


def test_a_session_ends_by_itself(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with rig_at(place) as rig:
            alice = await signed_in(rig, "Alice")
            await alice.ask("GET", f"{COMMUNITY}/sessions")
            assert rig.server.community is not None
            later = accounts.now_ms() + accounts.SESSION_LIFETIME_MS
            monkeypatch.setattr(rig.server.community.accounts._accounts, "_clock", lambda: later)
            assert await alice.refused("GET", f"{COMMUNITY}/sessions") == (401, "token-invalid")

    asyncio.run(main())


def test_of_a_token_the_database_has_a_digest_alone_and_the_log_nothing(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> str:
        async with rig_at(place) as rig:
            alice = await signed_in(rig, "Alice")
            await alice.ask("GET", f"{COMMUNITY}/sessions")
            await alice.refused("GET", "/api/v1/sessions")  # a relayer's path, with our token
            session = await rig.server.community.accounts._accounts.session(alice.token)  # type: ignore[union-attr]
            assert alice.token not in repr(session)
            return alice.token

    token = asyncio.run(main())
    engine = opening.opened(place)
    with engine.reading() as execute:
        [row] = execute("SELECT digest, id, device FROM sessions")
    engine.close()
    assert bytes(row[0]) == accounts.digest_of(token)
    assert token not in repr(row)
    assert token not in caplog.text


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({}, "token-missing"),
        ({"Authorization": "Bearer"}, "token-missing"),
        ({"Authorization": "Basic psc_x"}, "token-missing"),
        ({"Authorization": "Bearer psw_" + "a" * 43}, "token-invalid"),
        ({"Authorization": "Bearer psc_" + "a" * 43}, "token-invalid"),
        ({"Authorization": "Bearer psc_" + "a" * 3_000}, "token-invalid"),
    ],
)
def test_without_a_session_nothing_is_told(
    tmp_path: Any, header: dict[str, str], expected: str
) -> None:
    async def main() -> None:
        async with rig_at(tmp_path / "c.sqlite") as rig:
            for method, path in (
                ("GET", "sessions"),
                ("DELETE", "sessions/current"),
                ("GET", "account/export"),
                ("DELETE", "account"),
            ):
                answer = await rig.refused(method, f"{COMMUNITY}/{path}", headers=header)
                assert answer == (401, expected), path

    asyncio.run(main())


@pytest.mark.parametrize(
    ("path", "body", "expected", "field"),
    [
        ("challenge", {}, (400, "field-missing"), "account"),
        ("challenge", {"account": "x"}, (400, "account-invalid"), "account"),
        ("challenge", {"account": "0x" + "00" * 20}, (400, "account-invalid"), "account"),
        ("challenge", {"account": "x", "more": 1}, (400, "field-unknown"), "more"),
        ("sessions", {"challenge": "x"}, (400, "field-missing"), "signature"),
        (
            "sessions",
            {"challenge": "x", "signature": "0x", "device": "d" * 81},
            (413, "too-long"),
            "device",
        ),
        (
            "sessions",
            {"challenge": "x", "signature": "0x", "device": "a\nb"},
            (400, "field-invalid"),
            "device",
        ),
    ],
)
def test_bad_input_is_told_with_its_field(
    tmp_path: Any, path: str, body: dict[str, Any], expected: tuple[int, str], field: str
) -> None:
    async def main() -> None:
        async with rig_at(tmp_path / "c.sqlite") as rig:
            status, _, answer = await rig.ask("POST", f"{COMMUNITY}/{path}", json=body)
            assert (status, answer["code"], answer["field"]) == (*expected, field)

    asyncio.run(main())


def test_an_address_signs_in_so_often_a_minute(tmp_path: Any) -> None:
    async def main() -> None:
        async with http_rig(
            tables=opening.opened(tmp_path / "c.sqlite"), trusted_proxies=("127.0.0.1",)
        ) as rig:
            path, codes = f"{COMMUNITY}/sessions", []
            for _ in range(31):
                status, headers, answer = await rig.ask(
                    "POST", path, json={}, headers={"X-Forwarded-For": "203.0.113.9"}
                )
                codes.append(answer["code"])
            assert codes == ["field-missing"] * 30 + ["too-often"]
            assert status == 429
            assert int(headers["Retry-After"]) >= 1

    asyncio.run(main())


def test_without_tables_there_is_no_community() -> None:
    async def main() -> None:
        async with http_rig() as rig:
            assert await rig.refused("POST", f"{COMMUNITY}/challenge", json={}) == (
                404,
                "not-found",
            )

    asyncio.run(main())
