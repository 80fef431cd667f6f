"""What is kept about an account: all of it in the export, and none of it after its deletion."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from streaming.community import audit
from streaming.community.database import opening
from tests.community.conftest import Place
from tests.community.people import COMMUNITY, Person, describe, give_to, signed_in
from tests.community.tables import everything
from tests.http.rig import http_rig

NOT_ABOUT_PEOPLE = {"meta", "rooms", "used_challenges", "audit", "address_keys", "address_bans"}
"""The audit log's entries name pseudonyms: whose they are is in `pseudonyms`, until they leave. A
banned address's digest names nobody, and is nothing when its key is deleted."""
PROXIED: Any = {"trusted_proxies": ("127.0.0.1",)}
WORDS = [
    "alices-laptop",
    "Alice Wonder",
    "wonder_alice",
    "down the hole",
    "a mad tea party",
    "who stole the tarts",
    "https://alice.example",
]
"""What Alice has said of herself, all over the tables."""


GONE = "off with her head"


async def live_a_life(alice: Person, bob: Person) -> None:
    """Leave something of Alice in every table that can have something of an account."""
    await alice.ask(
        "PUT",
        f"{COMMUNITY}/profile",
        json={
            "name": "Alice Wonder",
            "handle": "wonder_alice",
            "about": "down the hole",
            "links": [{"label": "me", "url": "https://alice.example"}],
            "languages": ["en"],
        },
    )
    await alice.ask("PUT", f"{COMMUNITY}/follows/{bob.account}")
    await bob.ask("PUT", f"{COMMUNITY}/follows/wonder_alice")
    chat = "/api/v1/streams/1/chat"
    await alice.ask("POST", chat, json={"id": "message-1", "text": GONE})
    await alice.ask("PUT", f"{chat}/moderators/{bob.account}")
    mute = {"seconds": 60, "reason": "he called me wonder_alice"}
    await alice.ask("PUT", f"{chat}/mutes/{bob.account}", json=mute)
    give_to(alice.rig, bob.account)
    await bob.ask("PUT", f"{chat}/moderators/{alice.account}")
    await alice.ask("DELETE", f"{chat}/messages/1")
    await alice.ask("POST", chat, json={"id": "message-2", "text": "who stole the tarts"})
    mute = {"seconds": None, "reason": "Alice Wonder shouts"}
    await bob.ask("PUT", f"{chat}/mutes/{alice.account}", json=mute)
    give_to(alice.rig, alice.account)
    await describe(alice, 1, {"title": "a mad tea party"})
    await alice.ask("POST", f"{chat}/filters", json={"pattern": "jabberwock", "action": "hold"})
    give_to(alice.rig, bob.account)
    waits = {"id": "message-3", "text": f"down the hole, jabberwock: {WORDS[0]}"}
    await alice.ask("DELETE", f"{chat}/mutes/{bob.account}")
    await bob.ask("DELETE", f"{chat}/mutes/{alice.account}")
    await bob.ask("DELETE", f"{chat}/moderators/{alice.account}")
    headers = {**alice.headers, "X-Forwarded-For": "203.0.113.9"}
    _, _, told = await alice.rig.ask("POST", chat, headers=headers, json=waits)
    assert told["held"]
    about = {"reason": "other", "account": bob.account, "text": "alices-laptop is none of his"}
    await alice.ask("POST", f"{chat}/reports", json=about)
    about = {"reason": "other", "account": alice.account, "text": "Alice Wonder again"}
    await bob.ask("POST", f"{chat}/reports", json=about)
    await bob.ask("PUT", f"{chat}/moderators/{alice.account}")
    mute = {"seconds": 3_600, "addresses": True}
    await bob.ask("PUT", f"{chat}/mutes/{alice.account}", json=mute)
    give_to(alice.rig, alice.account)


def test_deletion_leaves_nothing_in_any_table(place: Place) -> None:
    async def main() -> tuple[bytes, list[str]]:
        async with http_rig(tables=opening.opened(place), **PROXIED) as rig:
            alice, bob = await signed_in(rig, "Alice", "alices-laptop"), await signed_in(rig, "Bob")
            await live_a_life(alice, bob)
            await bob.ask("GET", f"{COMMUNITY}/sessions")
            return alice.key.public_key, [alice.account, alice.token, GONE, *WORDS]

    async def leave() -> None:
        async with http_rig(tables=opening.opened(place), **PROXIED) as rig:
            alice = await signed_in(rig, "Alice")
            await alice.ask("DELETE", f"{COMMUNITY}/account")
            assert await alice.refused("GET", f"{COMMUNITY}/sessions") == (401, "token-invalid")

    public, texts = asyncio.run(main())
    before = everything(place)
    about = {name for name, rows in before.items() if public in repr_of(rows, public)}
    empty = {name for name, rows in before.items() if not rows}
    assert not empty - {"used_challenges"}, "this test has no row of theirs to delete"
    assert about | NOT_ABOUT_PEOPLE == set(before)
    asyncio.run(leave())
    after = everything(place)
    assert {name for name, rows in after.items() if repr_of(rows, public)} == set()
    for text in texts:
        assert text not in repr(after)
    assert after["mutes"], "they are still muted, should they come back"
    assert after["accounts"], "Bob's is still there"
    assert after["audit"] == before["audit"], "what was done stays, without names"
    with opening.reading_beside(place) as execute:
        assert audit.verified(execute).faults == ()
    if isinstance(place, Path):
        files = b"".join(file.read_bytes() for file in place.parent.iterdir())
        for secret in (public, *(text.encode() for text in texts)):
            assert secret not in files


def repr_of(rows: list[tuple[object, ...]], public: bytes) -> list[bytes]:
    """The key, if any of the rows has it."""
    return [public for row in rows for value in row if value == public][:1]


def test_the_export_has_everything_and_no_secret(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place), **PROXIED) as rig:
            alice, bob = await signed_in(rig, "Alice", "alices-laptop"), await signed_in(rig, "Bob")
            await live_a_life(alice, bob)
            status, headers, answer = await rig.ask(
                "GET", f"{COMMUNITY}/account/export", headers=alice.headers
            )
            assert status == 200
            assert headers["Content-Disposition"] == (
                'attachment; filename="paystream-account.json"'
            )
            told = json.dumps(answer)
            for word in (alice.account, *WORDS):
                assert word in told
            assert alice.token not in told
            assert GONE not in told

    asyncio.run(main())
