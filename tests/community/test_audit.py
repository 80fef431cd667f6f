"""The log of moderators' acts: complete, unchangeable, and what is found where it was changed."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from offchain.keys.signer import dev_key
from streaming.community import audit
from streaming.community.audit import Act
from streaming.community.database import opening
from streaming.community.database.engine import Engine
from streaming.community.database.migrations import Execute
from streaming.community.ledger import StreamKey
from tests.community.conftest import Place
from tests.community.people import COMMUNITY, Person, signed_in
from tests.community.tables import everything
from tests.http.rig import http_rig

CHAT = "/api/v1/streams/1/chat"
KEY = StreamKey("0x00", 1)
ACTOR, SUBJECT = bytes(32), bytes(range(32))
INSERTED = (
    "INSERT INTO audit SELECT 7, at_ms, chain, stream, actor, act, subject, detail, reason, "
    "previous, digest FROM audit WHERE number = 1"
)
IS_GUARDED = "only appended to"


def written(execute: Execute, entries: int = 3) -> None:
    """Two accounts, and what the one did to the other."""
    for public in (ACTOR, SUBJECT):
        execute("INSERT INTO accounts (public, created_at_ms) VALUES (?, ?)", (public, 1))
    for number in range(entries):
        act = Act("time-out", ACTOR, SUBJECT, f"reason {number}", {"seconds": number})
        audit.record(execute, KEY, act, 1_000 + number)


def unguarded(engine: Engine, place: Place, *statements: str) -> None:
    """Change the tables as somebody who owns the database can."""
    with engine.writing() as execute:
        if isinstance(place, Path):
            for table in ("audit", "audit_reasons"):
                found = execute(
                    "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?",
                    (table,),
                )
                for (name,) in found:
                    execute(f"DROP TRIGGER {name}")
        else:
            for table in ("audit", "audit_reasons"):
                execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in statements:
            execute(statement)


def faults_of(engine: Engine, noted: str | None = None) -> tuple[str, ...]:
    with engine.reading() as execute:
        return audit.verified(execute, noted).faults


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET act = 'nothing'",
        "UPDATE audit SET number = 9 WHERE number = 3",
        "DELETE FROM audit WHERE number = 2",
        "DELETE FROM audit",
        INSERTED,
        "UPDATE audit_reasons SET text = 'other'",
    ],
)
def test_the_database_refuses_to_change_the_log(place: Place, statement: str) -> None:
    engine = opening.opened(place)
    with contextlib.closing(engine):
        with engine.writing() as execute:
            written(execute)
        with pytest.raises(Exception, match=IS_GUARDED), engine.writing() as execute:
            execute(statement)
        assert faults_of(engine) == ()


def test_nor_does_it_replace_an_entry(place: Place) -> None:
    replace = (
        "INSERT OR REPLACE INTO audit SELECT number, at_ms, chain, stream, actor, 'x', subject, "
        "detail, reason, previous, digest FROM audit WHERE number = 1"
        if isinstance(place, Path)
        else "TRUNCATE audit"
    )
    engine = opening.opened(place)
    with contextlib.closing(engine):
        with engine.writing() as execute:
            written(execute)
        with pytest.raises(Exception, match=IS_GUARDED), engine.writing() as execute:
            execute(replace)
        assert faults_of(engine) == ()


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE audit SET act = 'ban' WHERE number = 2", "entry 2 is not what it was"),
        ("UPDATE audit SET at_ms = 5 WHERE number = 3", "entry 3 is not what it was"),
        ("UPDATE audit SET subject = actor WHERE number = 1", "entry 1 is not what it was"),
        ("DELETE FROM audit WHERE number = 1", "entry 1 is missing"),
        ("DELETE FROM audit WHERE number = 2", "entry 2 is missing"),
        ("DELETE FROM audit WHERE number = 3", "the log ended with 3:"),
        ("DELETE FROM audit", "the log ended with 3:"),
        ("UPDATE audit SET digest = previous WHERE number = 2", "entry 3 does not follow"),
        ("UPDATE audit_reasons SET text = 'x' WHERE number = 2", "the reason of entry 2 is not"),
        ("DELETE FROM audit_reasons WHERE number = 2", "the reason of entry 2 is gone"),
    ],
)
def test_what_was_changed_all_the_same_is_found(place: Place, statement: str, fault: str) -> None:
    engine = opening.opened(place)
    with contextlib.closing(engine):
        with engine.writing() as execute:
            written(execute)
        assert faults_of(engine) == ()
        unguarded(engine, place, statement)
        assert any(text.startswith(fault) for text in faults_of(engine)), faults_of(engine)


def test_a_log_that_was_written_anew_is_found_by_a_head_that_was_noted(place: Place) -> None:
    engine = opening.opened(place)
    with contextlib.closing(engine):
        with engine.writing() as execute:
            written(execute)
            noted = str(audit.head(execute))
            audit.record(execute, KEY, Act("ban", ACTOR, SUBJECT), 2_000)
        assert faults_of(engine, noted) == ()
        unguarded(engine, place, "DELETE FROM audit", "DELETE FROM audit_reasons")
        with engine.writing() as execute:
            audit.record(execute, KEY, Act("ban", ACTOR, SUBJECT), 1_000)
        assert faults_of(engine) == ()
        assert faults_of(engine, noted) == (f"no entry is {noted}, which was noted elsewhere",)


def test_names_go_with_the_account_and_acts_stay(place: Place) -> None:
    """The decision: a deleted account's pseudonym stands for nobody, its reasons are gone."""
    engine = opening.opened(place)
    with contextlib.closing(engine):
        with engine.writing() as execute:
            written(execute)
            execute("DELETE FROM accounts WHERE public = ?", (SUBJECT,))
        assert faults_of(engine) == ()
        with engine.reading() as execute:
            shown = audit.acts(execute, KEY, None, 10)
        assert [one["number"] for one in shown] == [3, 2, 1]
        for one in shown:
            assert one["subject"]["account"] is None
            assert one["subject"]["pseudonym"].startswith("p_")
            assert one["actor"]["account"] is not None
            assert one["reason"] is None
        with engine.writing() as execute:
            execute("INSERT INTO accounts (public, created_at_ms) VALUES (?, ?)", (SUBJECT, 9))
            audit.record(execute, KEY, Act("ban", ACTOR, SUBJECT), 2_000)
            latest = audit.acts(execute, KEY, None, 1)[0]
        assert latest["subject"]["pseudonym"] != shown[0]["subject"]["pseudonym"], (
            "who comes back is not known again by what they left"
        )


async def acts(person: Person, path: str = f"{CHAT}/acts") -> list[dict[str, Any]]:
    return list((await person.ask("GET", path))["acts"])


def test_each_act_of_a_moderator_is_logged(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            await bob.ask("POST", CHAT, json={"id": "message-1", "text": "spam"})
            await bob.ask("POST", CHAT, json={"id": "message-2", "text": "sorry"})
            mute = f"{CHAT}/mutes/{bob.account}"
            await alice.ask("PUT", mute, json={"seconds": 60, "reason": "spam"})
            await alice.ask("PUT", mute, json={"seconds": None})
            await alice.ask("DELETE", mute, json={"reason": "said sorry"})
            await alice.ask("DELETE", mute)  # again: nothing happens, and nothing is logged
            await alice.ask("DELETE", f"{CHAT}/messages/1", json={"reason": "an advert"})
            await alice.ask("DELETE", f"{CHAT}/messages/1")
            await alice.ask("PUT", f"{CHAT}/moderators/{bob.account}")
            await alice.ask("DELETE", f"{CHAT}/moderators/{bob.account}")
            await alice.ask("PUT", f"{CHAT}/settings", json={"slow_mode_s": 5})
            await bob.ask("DELETE", f"{CHAT}/messages/2")  # one's own is no act of a moderator
            told = [(one["act"], one["reason"], one["detail"]) for one in await acts(alice)]
            assert told == [
                ("settings", None, {"slow_mode_s": 5}),
                ("dismiss-moderator", None, {}),
                ("name-moderator", None, {}),
                ("delete-message", "an advert", {"message": 1}),
                ("let-speak", "said sorry", {}),
                ("ban", None, {"addresses": False}),
                ("time-out", "spam", {"addresses": False, "seconds": 60}),
            ]
            for one in await acts(alice):
                assert one["actor"]["account"] == alice.account
                assert one["subject"] is None or one["subject"]["account"] == bob.account
            assert [
                one["number"] for one in await acts(alice, f"{CHAT}/acts?before=3&limit=1")
            ] == [2]
            assert await bob.refused("GET", f"{CHAT}/acts") == (403, "not-moderator")
            export = await bob.ask("GET", f"{COMMUNITY}/account/export")
            assert [one["act"] for one in export["acts"]][:2] == ["time-out", "ban"]
            assert alice.account not in str(export["acts"]), "by whom is not theirs to know"

    asyncio.run(main())


def test_what_is_refused_is_no_act(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            body: dict[str, Any] = {"seconds": 60, "reason": "x" * (audit.REASON_CHARS_MAX + 1)}
            mute = f"{CHAT}/mutes/{alice.account}"
            assert await bob.refused("PUT", mute, json={"seconds": 5}) == (403, "not-moderator")
            mute = f"{CHAT}/mutes/{bob.account}"
            assert await alice.refused("PUT", mute, json=body) == (413, "too-long")
            assert await alice.refused("DELETE", mute, json={"why": "x"}) == (400, "field-unknown")
            assert await acts(alice) == []

    asyncio.run(main())
    assert everything(place)["audit"] == []


def test_the_operator_has_every_stream_in_care_and_nobody_over_the_operator(place: Place) -> None:
    async def main(operator: str) -> None:
        options: Any = {"community_operators": (operator,)}
        async with http_rig(tables=opening.opened(place), **options) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            charlie = await signed_in(rig, "Charlie")
            assert charlie.account == operator
            said = await charlie.ask("POST", CHAT, json={"id": "message-1", "text": "hello"})
            assert said["role"] == "operator"
            mute = f"{CHAT}/mutes/{charlie.account}"
            assert await alice.refused("PUT", mute, json={"seconds": 5}) == (403, "not-muted")
            await charlie.ask("PUT", f"{CHAT}/mutes/{alice.account}", json={"seconds": 5})
            await charlie.ask("PUT", f"{CHAT}/moderators/{bob.account}")
            other = CHAT.replace("/1/", "/2/")
            await charlie.ask("PUT", f"{other}/settings", json={"slow_mode_s": 5})
            everywhere = await acts(charlie, f"{COMMUNITY}/acts")
            assert [(one["stream"], one["act"]) for one in everywhere] == [
                (2, "settings"),
                (1, "name-moderator"),
                (1, "time-out"),
            ]
            for person in (alice, bob):
                assert await person.refused("GET", f"{COMMUNITY}/acts") == (403, "not-operator")

    asyncio.run(main(dev_key("Charlie").address))
