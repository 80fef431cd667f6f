"""The queue of reports: who may report what how often, what answers close, and who is told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from offchain.keys.signer import dev_key
from streaming.community import accounts
from streaming.community.chat import chat, report_desk, reports
from streaming.community.database import opening
from tests.community.chatting import Page
from tests.community.conftest import Place
from tests.community.people import COMMUNITY, Person, give_to, signed_in
from tests.http.rig import HttpRig, http_rig

CHAT = "/api/v1/streams/1/chat"
REPORTS = f"{CHAT}/reports"
ANSWER = f"{REPORTS}/answer"
QUEUE = f"{CHAT}/queue"


@pytest.fixture(autouse=True)
def no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "SAID_PER_SECOND", 0)
    monkeypatch.setattr(report_desk, "REPORTS_PER_HOUR", 0)


async def people(rig: HttpRig) -> tuple[Person, Person, Person, Person]:
    """The owner, one who says something, and two others."""
    alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
    charlie, dave = await signed_in(rig, "Charlie"), await signed_in(rig, "Dave")
    await say(bob, 1, "buy my coin")
    return alice, bob, charlie, dave


async def say(person: Person, number: int, text: str) -> Any:
    return await person.ask("POST", CHAT, json={"id": f"message-{number:08}", "text": text})


async def report(person: Person, **what: Any) -> int:
    told = await person.ask("POST", REPORTS, json={"reason": "spam", **what})
    return int(told["number"])


async def queue(person: Person, path: str = QUEUE) -> list[dict[str, Any]]:
    return list((await person.ask("GET", path))["reports"])


def test_one_act_closes_all_reports_of_a_message_and_reporters_are_told(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob, charlie, dave = await people(rig)
            first = await report(charlie, message=1, text="the third time today")
            await report(dave, message=1, reason="other")
            again = {"reason": "hate", "message": 1}
            assert await charlie.refused("POST", REPORTS, json=again) == (409, "report-open")
            [one] = await queue(alice)
            assert (one["count"], one["account"]["account"]) == (2, bob.account)
            assert one["message"]["text"] == "buy my coin"
            assert [(each["reason"], each["text"]) for each in one["reports"]] == [
                ("spam", "the third time today"),
                ("other", ""),
            ]
            for reporter in (charlie, dave):
                assert reporter.account not in str(one), "nobody is told who reported"
            assert await charlie.refused("GET", QUEUE) == (403, "not-moderator")
            async with Page(rig, charlie) as page, Page(rig) as listener:
                for each in (page, listener):
                    await each.join()
                body = {"message": 1, "answer": "delete", "reason": "an advert"}
                assert await alice.ask("POST", ANSWER, json=body) == {
                    "answer": "delete",
                    "closed": 2,
                }
                assert (await listener.hear("deleted"))["number"] == 1
                await page.hear("deleted")
                told = await page.hear("report_answered")
                assert (told["number"], told["answer"]) == (first, "delete")
                await say(alice, 1, "nothing but this")
                await listener.hear("message")
            assert await queue(alice) == []
            [own] = (await charlie.ask("GET", f"{COMMUNITY}/reports"))["reports"]
            assert (own["number"], own["answer"], own["message"]) == (first, "delete", 1)
            assert await alice.refused("POST", ANSWER, json=body) == (404, "report-not-found")
            [act] = (await alice.ask("GET", f"{CHAT}/acts"))["acts"]
            assert (act["act"], act["reason"]) == ("answer-report", "an advert")
            assert act["detail"] == {
                "answer": "delete",
                "closed": 2,
                "message": 1,
                "seconds": None,
            }

    asyncio.run(main())


def test_an_answer_times_out_or_bans_and_the_message_goes(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob, charlie, dave = await people(rig)
            await report(charlie, message=1)
            async with Page(rig, bob) as page:
                await page.join()
                body = {"message": 1, "answer": "time-out", "seconds": 60}
                await alice.ask("POST", ANSWER, json=body)
                await page.hear("deleted")
                assert (await page.hear("muted"))["until_ms"] > accounts.now_ms()
            message = {"id": "message-2", "text": "x"}
            assert await bob.refused("POST", CHAT, json=message) == (403, "muted")
            await say(dave, 2, "hello")
            await report(charlie, account=dave.account)
            [one] = await queue(alice)
            assert one["message"] is None
            await alice.ask("POST", ANSWER, json={"account": dave.account, "answer": "ban"})
            assert await dave.refused("POST", CHAT, json=message) == (403, "banned")
            _, _, answer = await rig.ask("GET", CHAT)
            assert [each["text"] for each in answer["messages"]] == ["", "hello"]

    asyncio.run(main())


def test_what_is_dismissed_can_be_reported_again(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, _, charlie, _ = await people(rig)
            await report(charlie, message=1)
            await alice.ask("POST", ANSWER, json={"message": 1, "answer": "dismiss"})
            await report(charlie, message=1)
            own = (await charlie.ask("GET", f"{COMMUNITY}/reports"))["reports"]
            assert sorted(str(each["answer"]) for each in own) == ["None", "dismiss"]
            _, _, answer = await rig.ask("GET", CHAT)
            assert answer["messages"][0]["text"] == "buy my coin"

    asyncio.run(main())


def test_a_message_that_its_author_deleted_is_shown_as_that(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob, charlie, _ = await people(rig)
            await report(charlie, message=1)
            await bob.ask("DELETE", f"{CHAT}/messages/1")
            [one] = await queue(alice)
            assert one["message"] == {**one["message"], "text": "", "deleted": True}
            await alice.ask("POST", ANSWER, json={"message": 1, "answer": "delete"})

    asyncio.run(main())


def test_nobody_answers_reports_of_themselves_or_above_them(place: Place) -> None:
    async def main() -> None:
        options: Any = {"community_operators": (dev_key("Dave").address,)}
        async with http_rig(tables=opening.opened(place), **options) as rig:
            alice, bob, charlie, dave = await people(rig)
            await alice.ask("PUT", f"{CHAT}/moderators/{bob.account}")
            await say(alice, 2, "I own this")
            await report(charlie, message=1)
            await report(charlie, message=2)
            not_over = (403, "not-over")
            dismiss = {"answer": "dismiss"}
            for number in (1, 2):
                body = {"message": number, **dismiss}
                assert await bob.refused("POST", ANSWER, json=body) == not_over
            body = {"message": 2, **dismiss}
            assert await alice.refused("POST", ANSWER, json=body) == not_over
            assert await charlie.refused("POST", ANSWER, json=body) == (403, "not-moderator")
            everywhere = await queue(dave, f"{COMMUNITY}/queue")
            assert [(each["stream"], each["message"]["number"]) for each in everywhere] == [
                (1, 1),
                (1, 2),
            ]
            assert await alice.refused("GET", f"{COMMUNITY}/queue") == (403, "not-operator")
            await dave.ask("POST", ANSWER, json={"message": 2, "answer": "time-out", "seconds": 9})
            await alice.ask("POST", ANSWER, json={"message": 1, **dismiss})

    asyncio.run(main())


def test_held_messages_are_in_the_same_queue(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob, _, _ = await people(rig)
            await alice.ask("PUT", f"{CHAT}/settings", json={"links_held": True})
            await say(bob, 2, "https://a.example")
            waits = await alice.ask("GET", QUEUE)
            assert [each["text"] for each in waits["held"]] == ["https://a.example"]
            assert waits["reports"] == []

    asyncio.run(main())


def test_what_is_no_report_and_no_answer_is_refused(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob, charlie, _ = await people(rig)
            for body, refused in (
                ({"message": 1}, (400, "field-missing")),
                ({"reason": "spam"}, (400, "field-missing")),
                ({"reason": "spam", "message": 1, "account": "x"}, (400, "field-missing")),
                ({"reason": "dull", "message": 1}, (400, "field-invalid")),
                ({"reason": "spam", "message": "1"}, (400, "field-invalid")),
                ({"reason": "spam", "message": 99}, (404, "message-not-found")),
                ({"reason": "spam", "account": "nobody"}, (404, "profile-not-found")),
                ({"reason": "spam", "account": 7}, (400, "field-invalid")),
                ({"reason": "spam", "message": 1, "text": "x" * 301}, (413, "too-long")),
                ({"reason": "spam", "message": 1, "x": 1}, (400, "field-unknown")),
            ):
                assert await charlie.refused("POST", REPORTS, json=body) == refused, body
            assert await rig.refused("POST", REPORTS, json={}) == (401, "token-missing")
            body = {"reason": "spam", "message": 1}
            assert await bob.refused("POST", REPORTS, json=body) == (400, "report-oneself")
            assert await queue(alice) == []
            await report(charlie, message=1)
            await report(charlie, account=bob.account)
            for body in (
                {"message": 1, "answer": "burn"},
                {"message": 1, "answer": "time-out"},
                {"message": 1, "answer": "time-out", "seconds": 0},
                {"message": 1, "answer": "ban", "seconds": 5},
                {"account": bob.account, "answer": "delete"},
            ):
                refused = await alice.refused("POST", ANSWER, json=body)
                assert refused == (400, "field-invalid"), body
            assert len(await queue(alice)) == 2

    asyncio.run(main())


def test_reports_are_paced_bounded_and_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_desk, "REPORTS_PER_HOUR", 20)
    monkeypatch.setattr(reports, "OPEN_MAX", 4)

    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            alice, bob, charlie, dave = await people(rig)
            for number in range(2, 7):
                await say(bob, number, "x")
            for number in range(1, report_desk.REPORTS_AT_ONCE):
                await report(charlie, message=number)
            too_many = {"reason": "spam", "message": 5}
            assert await charlie.refused("POST", REPORTS, json=too_many) == (
                409,
                "reports-too-many",
            )
            assert await charlie.refused("POST", REPORTS, json=too_many) == (429, "too-often")
            await alice.ask("POST", ANSWER, json={"message": 1, "answer": "dismiss"})
            community: Any = rig.server.community
            at_ms = accounts.now_ms() + reports.KEPT_FOR_MS
            community._chat._wall = lambda: at_ms
            await report(dave, message=5)
            own = (await charlie.ask("GET", f"{COMMUNITY}/reports"))["reports"]
            assert sorted(each["message"] for each in own) == [2, 3, 4]

    asyncio.run(main())


def test_a_report_is_of_one_stream(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob, charlie, _ = await people(rig)
            other = REPORTS.replace("/1/", "/2/")
            body = {"reason": "spam", "account": bob.account}
            await charlie.ask("POST", other, json=body)
            assert await queue(alice) == []
            give_to(rig, alice.account)
            assert len(await queue(alice, QUEUE.replace("/1/", "/2/"))) == 1

    asyncio.run(main())
