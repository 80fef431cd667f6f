"""What a stream is about: signed by its owner, shown beside what the ledger says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from offchain.keys.signer import dev_key
from streaming.community import cards, ledger
from streaming.community.cards import message_of
from streaming.community.database import opening
from streaming.community.ledger import Owned, StreamKey
from streaming.community.signatures import check_signed
from streaming.session_state import Problem
from tests.community.conftest import Place
from tests.community.people import (
    CARD,
    COMMUNITY,
    Person,
    describe,
    give_to,
    signed_card,
    signed_in,
)
from tests.http.rig import http_rig

PATH = CARD.format(stream=1)
ALICES = Owned(StreamKey("0x00", 1), dev_key("Alice").public_key)
TEA = {
    "title": "A mad tea party",
    "description": "# Come\n<b>in</b> **now**",
    "category": "Tea",
    "tags": ["#Tea", "hats", "tea"],
    "language": "en",
    "age_min": 12,
    "schedule": [
        {"starts_at_ms": 1_800_000_000_000, "title": "again"},
        {"starts_at_ms": 1_790_000_000_000},
    ],
}


def test_a_card_is_kept_with_its_owner_s_signature(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice = Person(rig, dev_key("Alice"))
            kept = await describe(alice, 1, TEA)
            assert kept["card"]["title"] == "A mad tea party"
            assert kept["card"]["tags"] == ["tea", "hats"]
            assert [one["title"] for one in kept["card"]["schedule"]] == ["", "again"]
            assert "<strong>now</strong>" in kept["description_html"]
            assert "<b>" not in kept["description_html"]
            status, _, found = await rig.ask("GET", PATH)
            assert (status, found) == (200, kept)
            proof = found["proof"]
            text = message_of(ALICES, found["card"], proof["version"])
            assert text == proof["message"]
            assert "Title: A mad tea party" in text.split("\n")
            check_signed(alice.key.public_key, text, proof["signature"])

    asyncio.run(main())


def test_streams_show_what_their_owners_say(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            _, _, body = await rig.ask("GET", "/api/v1/streams")
            assert body["streams"][0]["card"] is None
            alice = await signed_in(rig, "Alice")
            await alice.ask(
                "PUT", f"{COMMUNITY}/profile", json={"name": "Alice", "handle": "alice"}
            )
            await describe(alice, 1, TEA)
            for path in ("/api/v1/streams", "/api/v1/streams/1"):
                _, _, body = await rig.ask("GET", path)
                one = body["streams"][0] if "streams" in body else body
                assert (one["card"]["title"], one["live"]) == ("A mad tea party", True)
                assert "description" not in one["card"]
                assert one["owner_name"] == {
                    "account": alice.account,
                    "handle": "alice",
                    "name": "Alice",
                }

    asyncio.run(main())


def test_a_stream_s_new_owner_shows_nothing_of_the_old_one(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            await describe(alice, 1, TEA)
            late = await signed_card(alice, 1, {"title": "still mine"})
            give_to(rig, bob.account)
            assert await alice.refused("PUT", PATH, json=late) == (403, "not-owner")
            _, _, body = await rig.ask("GET", "/api/v1/streams")
            assert body["streams"][0]["card"] is None
            assert await rig.refused("GET", PATH) == (404, "card-not-found")
            await describe(bob, 1, {"title": "Bob's"})
            _, _, body = await rig.ask("GET", "/api/v1/streams")
            assert body["streams"][0]["card"]["title"] == "Bob's"

    asyncio.run(main())


def test_nobody_else_signs_nor_changes_what_was_signed(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = Person(rig, dev_key("Alice")), Person(rig, dev_key("Bob"))
            forged = await signed_card(bob, 1, TEA)
            assert await rig.refused("PUT", PATH, json=forged) == (403, "not-owner")
            signed = await signed_card(alice, 1, TEA)
            for changed in (
                {"title": "Buy my coin"},
                {"description": "other"},
                {"tags": []},
                {"age_min": 0},
                {"version": signed["version"] + 1},
            ):
                body = {**signed, **changed}
                assert await rig.refused("PUT", PATH, json=body) == (403, "not-owner"), changed
            asked = {**TEA, "account": bob.account}
            assert await rig.refused("POST", PATH, json=asked) == (403, "not-owner")
            await alice.ask("POST", PATH, json={**TEA, "account": alice.account})
            other = CARD.format(stream=2)
            assert await rig.refused("PUT", other, json=signed) == (403, "not-owner")
            assert await rig.refused("GET", PATH) == (404, "card-not-found")

    asyncio.run(main())


def test_the_later_signature_counts_and_an_old_one_never_again(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice = Person(rig, dev_key("Alice"))
            first = await signed_card(alice, 1, TEA)
            await asyncio.sleep(0.002)  # versions are milliseconds
            await describe(alice, 1, {"title": "second"})
            assert await rig.refused("PUT", PATH, json=first) == (409, "version-older")
            for ago_ms in (cards.VERSION_AGE_MAX_MS + 5_000, -cards.VERSION_AHEAD_MAX_MS - 60_000):
                version = first["version"] - ago_ms
                text = message_of(ALICES, cards.read_card(TEA), version)
                body = {**TEA, "version": version, "signature": alice.sign(text)}
                assert await rig.refused("PUT", PATH, json=body) == (400, "version-invalid")

    asyncio.run(main())


def test_a_card_is_removed_by_its_stream_s_owner(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            await describe(alice, 1, TEA)
            assert await bob.refused("DELETE", PATH) == (403, "not-owner")
            assert await rig.refused("DELETE", PATH) == (401, "token-missing")
            await alice.ask("DELETE", PATH)
            assert await rig.refused("GET", PATH) == (404, "card-not-found")

    asyncio.run(main())


def test_without_a_relayer_what_was_known_is_shown_and_nothing_changes(tmp_path: Path) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            alice = Person(rig, dev_key("Alice"))
            await describe(alice, 1, TEA)
            body = await signed_card(alice, 1, {"title": "later"})
            away = Problem(status=503, code="relayer-unavailable", detail="away")
            rig.relayer.answers["stream"] = lambda _p: away
            facts = rig.server.community._ledger  # type: ignore[union-attr]
            facts._clock = lambda: 1e12
            assert (await rig.ask("GET", PATH))[0] == 200
            assert await rig.refused("PUT", PATH, json=body) == (503, "relayer-unavailable")

    asyncio.run(main())


def test_many_who_ask_about_a_stream_ask_the_relayer_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            await asyncio.gather(*(rig.ask("GET", PATH) for _ in range(20)))
            asked = [one for one in rig.relayer.requests if one.method == "stream"]
            assert len(asked) == 1
            assert ledger.REMEMBERED_S > 1

    asyncio.run(main())


def test_streams_are_listed_though_the_tables_are_away(tmp_path: Path) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            rig.server.community._database._closed = True  # type: ignore[union-attr]
            status, _, body = await rig.ask("GET", "/api/v1/streams")
            assert (status, body["streams"][0]["id"]) == (200, 1)
            assert "card" not in body["streams"][0]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("change", "expected", "field"),
    [
        ({"title": ""}, (400, "field-invalid"), "title"),
        ({"title": None}, (400, "field-invalid"), "title"),
        ({"title": "t" * 101}, (413, "too-long"), "title"),
        ({"title": "a\nVersion: 1"}, (400, "field-invalid"), "title"),
        ({"description": "d" * 5_001}, (413, "too-long"), "description"),
        ({"category": "c" * 41}, (413, "too-long"), "category"),
        ({"tags": ["t"] * 11}, (413, "too-long"), "tags"),
        ({"tags": ["a b"]}, (400, "field-invalid"), "tags"),
        ({"tags": "tea"}, (400, "field-invalid"), "tags"),
        ({"language": "english"}, (400, "field-invalid"), "language"),
        ({"age_min": 17}, (400, "field-invalid"), "age_min"),
        ({"age_min": True}, (400, "field-invalid"), "age_min"),
        ({"age_min": [18]}, (400, "field-invalid"), "age_min"),
        ({"schedule": [{"title": "x"}]}, (400, "field-invalid"), "schedule"),
        ({"schedule": [{"starts_at_ms": 1e15}]}, (400, "field-invalid"), "schedule"),
        ({"schedule": [{"starts_at_ms": -1}]}, (400, "field-invalid"), "schedule"),
        ({"schedule": [{"starts_at_ms": 1}] * 21}, (413, "too-long"), "schedule"),
        ({"thumbnail": "x"}, (400, "field-unknown"), "thumbnail"),
    ],
)
def test_bad_fields_are_told(
    tmp_path: Path, change: dict[str, Any], expected: tuple[int, str], field: str
) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            signed = {"version": 1, "signature": "0x"}
            for method, more in (("POST", {}), ("PUT", signed)):
                status, _, answer = await rig.ask(method, PATH, json={**TEA, **more, **change})
                assert (status, answer["code"], answer["field"]) == (*expected, field)

    asyncio.run(main())


@pytest.mark.parametrize("stream", ["x", "-1", "01", "9" * 19, "1.0"])
def test_what_is_no_stream_is_not_found(tmp_path: Path, stream: str) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            path = CARD.format(stream=stream)
            assert await rig.refused("GET", path) == (404, "stream-not-found")

    asyncio.run(main())


def test_the_same_number_on_another_chain_is_another_stream(tmp_path: Path) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            rig.relayer.chains = ("asia",)
            await rig.relayer.stop()
            await rig.relayer.start()
            alice = Person(rig, dev_key("Alice"))
            await describe(alice, 1, TEA)
            rig.relayer.answers["info"] = lambda _p: {"genesis_hash": "0x11"}
            path = f"/chains/asia{PATH}"
            assert await rig.refused("GET", path) == (404, "card-not-found")
            prepared = await alice.ask("POST", path, json=TEA)
            assert "Chain: 0x11" in prepared["message"].split("\n")

    asyncio.run(main())
