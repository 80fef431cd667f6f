"""Words that are refused or held, links that wait, and what moderators do with what waits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offchain.keys.signer import dev_key
from streaming.community import accounts
from streaming.community.chat import chat, filters, held
from streaming.community.chat.filters import HOLD, REFUSE, Compiled, Filter, read_filter
from streaming.community.chat.links import has_link
from streaming.community.database import opening
from streaming.community.lookalikes import readings
from streaming.community.refusal import Refused
from tests.community.chatting import Page
from tests.community.conftest import Place
from tests.community.people import COMMUNITY, Person, signed_in
from tests.http.rig import http_rig

CHAT = "/api/v1/streams/1/chat"
FILTERS = f"{CHAT}/filters"
HELD = f"{CHAT}/held"


@pytest.fixture(autouse=True)
def no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "SAID_PER_SECOND", 0)


def said(number: int, text: str) -> dict[str, str]:
    return {"id": f"message-{number:08}", "text": text}


def action_of(text: str, *known: Filter) -> str | None:
    match = Compiled(known).first(readings(text))
    return None if match is None else match.action


async def waiting(person: Person) -> list[dict[str, Any]]:
    return list((await person.ask("GET", HELD))["held"])


async def heard(person: Person) -> list[str]:
    return [one["text"] for one in (await person.ask("GET", CHAT))["messages"]]


# --- words ---------------------------------------------------------------------------------


def test_a_word_is_found_as_a_word_or_within_others() -> None:
    assert action_of("buy SPAM now", Filter("spam", HOLD)) == HOLD
    assert action_of("spammers", Filter("spam", HOLD)) is None
    assert action_of("spammers", Filter("spam", HOLD, within_words=True)) == HOLD
    assert action_of("Scunthorpe", Filter("cunt", REFUSE)) is None
    assert action_of("my coin is best", Filter("coin is", HOLD)) == HOLD
    assert action_of("\U0001f346", Filter("\U0001f346", HOLD)) == HOLD
    assert action_of("nothing", Filter("spam", HOLD)) is None
    assert action_of("anything") is None


def test_what_refuses_goes_before_what_holds() -> None:
    both = (Filter("spam", HOLD), Filter("eggs", REFUSE))
    assert action_of("spam and eggs", *both) == REFUSE
    assert action_of("eggs and spam", *reversed(both)) == REFUSE


@pytest.mark.parametrize(
    ("pattern", "action", "within"),
    [
        ("", HOLD, False),
        ("...", HOLD, False),
        ("\u200d", HOLD, False),
        ("ab", HOLD, True),
        ("x" * (filters.PATTERN_CHARS_MAX + 1), HOLD, False),
        ("spam", "burn", False),
        ("spam", None, False),
        (7, HOLD, False),
        ("spam", HOLD, "yes"),
        ("a\nb", HOLD, False),
    ],
)
def test_what_is_no_filter_is_refused(pattern: object, action: object, within: object) -> None:
    with pytest.raises(Refused) as refused:
        read_filter(pattern, action, within)
    assert refused.value.problem.status in (400, 413)
    assert refused.value.problem.field in ("pattern", "action", "within_words")


@given(st.text(max_size=filters.PATTERN_CHARS_MAX), st.text(max_size=80), st.booleans())
def test_no_pattern_and_no_text_break_it(pattern: str, text: str, within: bool) -> None:
    try:
        wanted = read_filter(pattern, HOLD, within)
    except Refused:
        return
    assert action_of(pattern, wanted) == HOLD, "a pattern meets itself"
    action_of(text, wanted)


def test_filters_refuse_and_hold_what_others_say(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            for pattern, action in (("coin", REFUSE), ("moon", HOLD)):
                body = {"pattern": pattern, "action": action}
                assert (await alice.ask("POST", FILTERS, json=body))["number"] > 0
            code = (422, "words-refused")
            assert await bob.refused("POST", CHAT, json=said(1, "buy my c.o.i.n")) == code
            told = await bob.ask("POST", CHAT, json=said(2, "to the МООN"))
            assert (told["held"], told["number"]) == (True, None)
            again = await bob.ask("POST", CHAT, json=said(2, "to the МООN"))
            assert again == told, "sent again it is the same, and waits once"
            assert await heard(bob) == []
            await alice.ask("POST", CHAT, json=said(3, "coin and moon"))
            assert await heard(bob) == ["coin and moon"], "who moderates is under no filter"
            [one] = await waiting(alice)
            assert (one["text"], one["why"], one["pattern"]) == ("to the МООN", "filter", "moon")
            assert await bob.refused("GET", HELD) == (403, "not-moderator")
            async with Page(rig, bob) as page:
                await page.join()
                await alice.ask("POST", f"{HELD}/{one['number']}")
                assert (await page.hear("message"))["message"]["text"] == "to the МООN"
                await page.say("moon again", 4)
                assert (await page.hear("held"))["id"] == "message-00000004"
                [other] = await waiting(alice)
                await alice.ask("DELETE", f"{HELD}/{other['number']}", json={"reason": "enough"})
                assert (await page.hear("rejected"))["id"] == "message-00000004"
            assert await heard(bob) == ["coin and moon", "to the МООN"]
            released = await bob.ask("POST", CHAT, json=said(2, "to the МООN"))
            assert released["number"] == 2
            gone = (404, "held-not-found")
            assert await alice.refused("POST", f"{HELD}/{one['number']}") == gone
            assert await alice.refused("DELETE", f"{HELD}/x") == gone
            acts = (await alice.ask("GET", f"{CHAT}/acts"))["acts"]
            assert [(each["act"], each["reason"]) for each in acts] == [
                ("reject", "enough"),
                ("release", None),
                ("add-filter", "moon"),
                ("add-filter", "coin"),
            ]

    asyncio.run(main())


def test_filters_are_listed_removed_and_bounded(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "FILTERS_MAX", 2)

    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            body = {"pattern": "moon", "action": REFUSE}
            first = await alice.ask("POST", FILTERS, json=body)
            there = {"pattern": "M O O N", "action": HOLD}
            await alice.ask("POST", FILTERS, json=there)  # as it is written: another
            assert await alice.refused("POST", FILTERS, json={**body, "action": HOLD}) == (
                409,
                "filters-too-many",
            )
            monkeypatch.setattr(filters, "FILTERS_MAX", 3)
            same = {"pattern": "Mооn", "action": HOLD}
            assert await alice.refused("POST", FILTERS, json=same) == (409, "filter-there")
            assert await bob.refused("POST", CHAT, json=said(1, "moon")) == (422, "words-refused")
            number = first["number"]
            assert await bob.refused("DELETE", f"{FILTERS}/{number}") == (403, "not-moderator")
            other = FILTERS.replace("/1/", "/2/")
            assert await alice.refused("DELETE", f"{other}/{number}") == (404, "filter-not-found")
            await alice.ask("DELETE", f"{FILTERS}/{number}")
            listed = (await alice.ask("GET", FILTERS))["filters"]
            assert [one["pattern"] for one in listed] == ["M O O N"]
            assert listed[0]["made_by"]["account"] == alice.account
            assert "number" in await bob.ask("POST", CHAT, json=said(1, "moon"))
            for who in (bob,):
                assert await who.refused("GET", FILTERS) == (403, "not-moderator")
                assert await who.refused("POST", FILTERS, json=body) == (403, "not-moderator")

    asyncio.run(main())


def test_the_operator_s_words_are_looked_for_everywhere(place: Place) -> None:
    async def main() -> None:
        operator = dev_key("Charlie").address
        options: Any = {"community_operators": (operator,)}
        async with http_rig(tables=opening.opened(place), **options) as rig:
            bob, charlie = await signed_in(rig, "Bob"), await signed_in(rig, "Charlie")
            path = f"{COMMUNITY}/filters"
            body = {"pattern": "moon", "action": REFUSE}
            assert await bob.refused("POST", path, json=body) == (403, "not-operator")
            added = await charlie.ask("POST", path, json=body)
            for stream in (1, 2):
                where = CHAT.replace("/1/", f"/{stream}/")
                refused = await bob.refused("POST", where, json=said(1, "moon"))
                assert refused == (422, "words-refused")
            assert [one["pattern"] for one in (await charlie.ask("GET", path))["filters"]] == [
                "moon"
            ]
            await charlie.ask("DELETE", f"{path}/{added['number']}")
            await bob.ask("POST", CHAT, json=said(1, "moon"))
            acts = (await charlie.ask("GET", f"{COMMUNITY}/acts"))["acts"]
            assert [(one["act"], one["stream"]) for one in acts] == [
                ("remove-filter", None),
                ("add-filter", None),
            ]

    asyncio.run(main())


# --- what waits ----------------------------------------------------------------------------


def test_few_messages_wait_of_one_account_and_none_of_a_banned_one(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            await alice.ask("POST", FILTERS, json={"pattern": "moon", "action": HOLD})
            for number in range(held.HELD_OF_ACCOUNT_MAX):
                await bob.ask("POST", CHAT, json=said(number, f"moon {number}"))
            assert await bob.refused("POST", CHAT, json=said(99, "moon")) == (429, "too-often")
            assert len(await waiting(alice)) == held.HELD_OF_ACCOUNT_MAX
            await alice.ask("PUT", f"{CHAT}/mutes/{bob.account}", json={"seconds": None})
            assert await waiting(alice) == []

    asyncio.run(main())


def test_what_nobody_looked_at_for_a_week_is_forgotten(tmp_path: Path) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            await alice.ask("POST", FILTERS, json={"pattern": "moon", "action": HOLD})
            await bob.ask("POST", CHAT, json=said(1, "moon one"))
            community: Any = rig.server.community
            at_ms = accounts.now_ms() + held.HELD_FOR_MS
            community._chat._wall = lambda: at_ms
            await bob.ask("POST", CHAT, json=said(2, "moon two"))
            assert [one["text"] for one in await waiting(alice)] == ["moon two"]

    asyncio.run(main())


def test_slow_mode_counts_what_waits(tmp_path: Path) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            await alice.ask("POST", FILTERS, json={"pattern": "moon", "action": HOLD})
            await alice.ask("PUT", f"{CHAT}/settings", json={"slow_mode_s": 60})
            await bob.ask("POST", CHAT, json=said(1, "moon"))
            assert await bob.refused("POST", CHAT, json=said(2, "x")) == (429, "too-often")

    asyncio.run(main())


# --- links and followers -------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "see https://a.example/x",
        "HTTP://A.EXAMPLE",
        "hxxps://a.example",
        "www.a.example",
        "go to example.com",
        "example。com",
        "ｅｘａｍｐｌｅ．ｃｏｍ",
        "exam\u200dple.com",
        "example dot com",
        "example (dot) com",
        "example [.] com",
        "foo.bar/baz",
        "10.0.0.1:8080/x",
        "javascript:alert(1)",
        "data:text/html,x",
        "t.me/x",
        "https:/a.example",
    ],
)
def test_a_link_is_one_however_it_is_written(text: str) -> None:
    assert has_link(text)


@pytest.mark.parametrize(
    "text",
    ["hello", "e.g. this", "Mr.Smith", "3.5 seconds", "what...", "@bob.com?", "and so on.", "1:0"],
)
def test_a_sentence_is_no_link(text: str) -> None:
    assert not has_link(text)


@given(st.text(max_size=200))
def test_looking_for_links_never_raises(text: str) -> None:
    has_link(text)


def test_links_wait_but_of_those_who_have_been_here(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            link = "look at https://a.example"
            await bob.ask("POST", CHAT, json=said(1, link))
            settings = {"links_held": True, "links_days": 3}
            kept = await alice.ask("PUT", f"{CHAT}/settings", json=settings)
            assert kept == {"slow_mode_s": 0, "speakers": "everybody", **settings}
            assert (await bob.ask("POST", CHAT, json=said(2, link)))["held"]
            assert [one["why"] for one in await waiting(alice)] == ["link"]
            assert "held" not in await alice.ask("POST", CHAT, json=said(3, link))
            assert "held" not in await bob.ask("POST", CHAT, json=said(4, "no link"))
            community: Any = rig.server.community
            at_ms = accounts.now_ms() + 3 * 24 * 3_600_000
            community._chat._wall = lambda: at_ms
            assert "held" not in await bob.ask("POST", CHAT, json=said(5, link))
            await alice.ask("PUT", f"{CHAT}/settings", json={"links_days": 0})
            assert (await bob.ask("POST", CHAT, json=said(6, link)))["held"], "0 is never"

    asyncio.run(main())


def test_followers_only(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            await alice.ask("PUT", f"{CHAT}/settings", json={"speakers": "followers"})
            refused = (403, "followers-only")
            assert await bob.refused("POST", CHAT, json=said(1, "hello")) == refused
            await alice.ask("POST", CHAT, json=said(1, "hello"))
            await bob.ask("PUT", f"{COMMUNITY}/follows/{alice.account}")
            await bob.ask("POST", CHAT, json=said(1, "hello"))
            for body in (
                {},
                {"speakers": "nobody"},
                {"links_held": 1},
                {"links_days": -1},
                {"links_days": 366},
                {"mood": 1},
            ):
                status, _ = await alice.refused("PUT", f"{CHAT}/settings", json=body)
                assert status == 400, body

    asyncio.run(main())
