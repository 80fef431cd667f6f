"""Streams are found by what their owners say of them, in bounded steps."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from offchain.keys.signer import dev_key
from streaming.community import card_routes, ledger
from streaming.community.accounts import now_ms
from streaming.community.database import opening
from streaming.community.searching import STARTS_WITHIN_MAX_S
from tests.community.conftest import Place
from tests.community.people import COMMUNITY, Person, describe, signed_in
from tests.http.fake_relayer import STREAM
from tests.http.halves import halves
from tests.http.rig import HttpRig, http_rig

ALICE, BOB = (dev_key(name).address for name in ("Alice", "Bob"))
CARDS = "/api/v1/cards"


def own(rig: HttpRig, owners: dict[int, str]) -> None:
    """Let the ledger have these streams, and answer as a relayer does."""

    def streams(asked: dict[str, Any]) -> dict[str, Any]:
        fits = [
            number
            for number, owner in sorted(owners.items())
            if number > asked.get("after", -1)
            and owner == asked.get("owner", owner)
            and number in asked.get("ids", [number])
        ]
        page = fits[: asked.get("limit", 500)]
        following = page[-1] if len(page) < len(fits) else None
        listed = [{**STREAM, "id": number, "owner": owners[number]} for number in page]
        return {"streams": listed, "next": following}

    rig.relayer.answers["streams"] = streams
    rig.relayer.answers["stream"] = lambda p: {
        **STREAM,
        "id": p["stream"],
        "owner": owners[p["stream"]],
    }


async def found(rig: HttpRig, query: str) -> list[int]:
    status, _, body = await rig.ask("GET", f"{CARDS}?{query}")
    assert status == 200, body
    return [one["stream"] for one in body["cards"]]


async def three_cards(rig: HttpRig) -> None:
    """Two of Alice's and one of Bob's; a fourth stream of which nobody says anything."""
    own(rig, {1: ALICE, 2: ALICE, 3: BOB, 4: BOB})
    alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
    await alice.ask("PUT", f"{COMMUNITY}/profile", json={"name": "Alice", "handle": "wonder"})
    soon, later = now_ms() + 3_600_000, now_ms() + 10 * 86_400_000
    await describe(
        alice,
        1,
        {
            "title": "A mad tea party",
            "category": "Tea",
            "tags": ["hats"],
            "language": "pt-BR",
            "schedule": [{"starts_at_ms": later}],
        },
    )
    await describe(
        alice,
        2,
        {"title": "Croquet", "category": "Sports", "language": "en", "tags": ["hats", "queen"]},
    )
    await describe(
        bob,
        3,
        {
            "title": "Straße in the rain",
            "category": "TEA",
            "language": "ptx",
            "schedule": [{"starts_at_ms": 1}, {"starts_at_ms": soon}],
        },
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("category=tea", [1, 3]),
        ("category=te", []),
        ("language=pt", [1]),
        ("language=PT-BR", None),
        ("language=en", [2]),
        ("tag=hats", [1, 2]),
        ("tag=%23Hats&category=sports", [2]),
        ("text=party%20wonder", [1]),
        ("text=MAD", [1]),
        ("text=STRASSE", [3]),
        ("text=queen", [2]),
        ("text=nothing%20at%20all", []),
        (f"owner={ALICE}&text=wonder", [1, 2]),
        ("ids=2,3&category=tea", [3]),
        ("starts_within_s=86400", [3]),
        (f"starts_within_s={STARTS_WITHIN_MAX_S}", [1, 3]),
        ("category=&text=", [1, 2, 3, 4]),
        (f"owner={BOB}", [3, 4]),
        ("ids=4,99", [4]),
    ],
)
def test_what_fits_is_found_and_nothing_else(
    tmp_path: Path, query: str, expected: list[int] | None
) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            await three_cards(rig)
            if expected is None:
                assert await rig.refused("GET", f"{CARDS}?{query}") == (400, "field-invalid")
            else:
                assert await found(rig, query) == expected

    asyncio.run(main())


@pytest.mark.parametrize(
    ("query", "expected", "field"),
    [
        ("category=" + "c" * 41, (413, "too-long"), "category"),
        ("text=" + "t" * 101, (413, "too-long"), "text"),
        ("tag=" + "t" * 32, (413, "too-long"), "tag"),
        ("text=a%0Ab", (400, "field-invalid"), "text"),
        ("text=%E2%80%AE", (400, "field-invalid"), "text"),
        ("language=english", (400, "field-invalid"), "language"),
        ("starts_within_s=0", (400, "query-invalid"), "starts_within_s"),
        ("starts_within_s=-1", (400, "query-invalid"), "starts_within_s"),
        ("starts_within_s=%D9%A3", (400, "query-invalid"), "starts_within_s"),
        (f"starts_within_s={STARTS_WITHIN_MAX_S + 1}", (400, "query-invalid"), "starts_within_s"),
        ("starts_within_s=" + "9" * 5_000, (400, "query-invalid"), "starts_within_s"),
        ("owner=alice", (400, "account-invalid"), "owner"),
        ("ids=", (400, "query-invalid"), "ids"),
        ("ids=1,,2", (400, "query-invalid"), "ids"),
        ("ids=1,-2", (400, "query-invalid"), "ids"),
        ("ids=" + ",".join("1" * 101), (400, "query-invalid"), "ids"),
    ],
)
def test_bad_filters_are_told_with_their_field(
    tmp_path: Path, query: str, expected: tuple[int, str], field: str
) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            status, _, body = await rig.ask("GET", f"{CARDS}?{query}")
            assert (status, body["code"], body["field"]) == (*expected, field)

    asyncio.run(main())


def test_a_search_goes_on_where_it_ended(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step looks through a bounded part, and together they find all of it, once."""
    monkeypatch.setattr(card_routes, "PAGES_SEARCHED_MAX", 2)
    monkeypatch.setattr(card_routes, "PAGE_STREAMS_MAX", 3)

    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            own(rig, dict.fromkeys(range(1, 21), ALICE))
            alice = Person(rig, dev_key("Alice"))
            for number in (1, 2, 5, 14, 20):
                await describe(alice, number, {"title": "Tea", "category": "tea"})
            seen, steps, after = [], [], ""
            while after is not None:
                _, _, body = await rig.ask("GET", f"{CARDS}?category=tea&limit=2{after}")
                steps.append([one["stream"] for one in body["cards"]])
                seen += steps[-1]
                after = None if body["next"] is None else f"&after={body['next']}"
            assert seen == [1, 2, 5, 14, 20]
            assert all(len(step) <= 2 for step in steps)
            asked = [one for one in rig.relayer.requests if one.method == "streams"]
            assert len(asked) <= 2 * len(steps)

    asyncio.run(main())


def test_who_looks_for_something_else_asks_for_the_same_pages(tmp_path: Path) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            await three_cards(rig)
            for query in ("text=tea", "text=mad", "tag=hats", "category=sports"):
                await found(rig, query)
            asked = [one for one in rig.relayer.requests if one.method == "streams"]
            assert len(asked) == 1
            assert ledger.PAGE_REMEMBERED_S > 0

    asyncio.run(main())


def test_a_card_of_somebody_who_owns_it_no_more_is_not_found(tmp_path: Path) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            await three_cards(rig)
            own(rig, dict.fromkeys((1, 2, 3, 4), BOB))
            assert await found(rig, "category=tea") == [3]

    asyncio.run(main())


def test_a_community_alone_asks_the_media_server_for_an_owner_s_streams(tmp_path: Path) -> None:
    async def main() -> None:
        async with halves(tmp_path) as both:
            own(both.media, {1: ALICE, 2: BOB, 3: ALICE})
            assert await found(both.community, f"owner={ALICE}") == [1, 3]
            assert await found(both.community, "ids=2,3") == [2, 3]
            await describe(Person(both.community, dev_key("Bob")), 2, {"title": "Rain"})
            assert await found(both.community, "text=rain") == [2]
            refused = await both.community.refused("GET", f"{CARDS}?owner=x")
            assert refused == (400, "account-invalid")

    asyncio.run(main())
