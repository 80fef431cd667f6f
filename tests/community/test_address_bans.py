"""Bans of addresses: what is kept of one, who is kept out by it, and for how long."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from streaming.community import accounts
from streaming.community.chat import address_bans, chat
from streaming.community.database import opening
from tests.community.conftest import Place
from tests.community.people import COMMUNITY, Person, signed_in
from tests.community.tables import everything
from tests.http.rig import HttpRig, http_rig

CHAT = "/api/v1/streams/1/chat"
PROXIED: Any = {"trusted_proxies": ("127.0.0.1",)}
HOME, CAFE = "198.51.100.7", "203.0.113.9"


@pytest.fixture(autouse=True)
def no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "SAID_PER_SECOND", 0)


class At(Person):
    """Somebody at an address, as the proxy says."""

    address = HOME

    @property
    def headers(self) -> dict[str, str]:
        return {**super().headers, "X-Forwarded-For": self.address}


async def at(rig: HttpRig, name: str, address: str) -> At:
    person = await signed_in(rig, name)
    there = At(rig, person.key, person.token)
    there.address = address
    return there


def said(number: int) -> dict[str, str]:
    return {"id": f"message-{number:08}", "text": "hello"}


async def ban(alice: Person, who: Person, **more: Any) -> dict[str, Any]:
    body = {"seconds": None, "addresses": True, **more}
    return dict(await alice.ask("PUT", f"{CHAT}/mutes/{who.account}", json=body))


def later(rig: HttpRig, ms: int) -> None:
    community: Any = rig.server.community
    at_ms = accounts.now_ms() + ms
    community._chat._wall = lambda: at_ms


BANNED = (403, "address-banned")


def test_another_account_at_a_banned_address_is_kept_out(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place), **PROXIED) as rig:
            alice, bob = await at(rig, "Alice", HOME), await at(rig, "Bob", CAFE)
            charlie, dave = await at(rig, "Charlie", CAFE), await at(rig, "Dave", HOME)
            await bob.ask("POST", CHAT, json=said(1))
            assert (await ban(alice, bob))["addresses"] == 1
            assert await bob.refused("POST", CHAT, json=said(2)) == (403, "banned")
            assert await charlie.refused("POST", CHAT, json=said(1)) == BANNED
            await dave.ask("POST", CHAT, json=said(1))
            other = CHAT.replace("/1/", "/2/")
            await charlie.ask("POST", other, json=said(1))
            alice.address = CAFE
            await alice.ask("POST", CHAT, json=said(1))  # who moderates is nobody's ban
            await alice.ask("DELETE", f"{CHAT}/mutes/{bob.account}")
            await charlie.ask("POST", CHAT, json=said(2))

    asyncio.run(main())


def test_no_address_is_kept_and_its_digest_dies_with_its_key(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address_bans, "BAN_MAX_MS", 20 * address_bans.DAY_MS)  # sessions last 30

    async def main() -> None:
        async with http_rig(tables=opening.opened(place), **PROXIED) as rig:
            alice, bob = await at(rig, "Alice", HOME), await at(rig, "Bob", CAFE)
            charlie = await at(rig, "Charlie", CAFE)
            await bob.ask("POST", CHAT, json=said(1))
            await ban(alice, bob)
            assert await charlie.refused("POST", CHAT, json=said(1)) == BANNED
            later(rig, address_bans.KEY_FOR_MS)
            charlie.address = HOME
            await charlie.ask("POST", CHAT, json=said(1))  # makes the next key
            charlie.address = CAFE
            assert await charlie.refused("POST", CHAT, json=said(2)) == BANNED
            later(rig, address_bans.BAN_MAX_MS)
            await charlie.ask("POST", CHAT, json=said(2))

    asyncio.run(main())
    tables = everything(place)
    assert CAFE not in repr(tables)
    assert HOME not in repr(tables)
    assert {row[0] for row in tables["address_keys"]} == {1, 2, 3}, "one for each week of these"
    assert len({row[1] for row in tables["address_keys"]}) == 3

    async def much_later() -> None:
        async with http_rig(tables=opening.opened(place), **PROXIED) as rig:
            later(rig, address_bans.KEY_FOR_MS + address_bans.BAN_MAX_MS)
            await (await at(rig, "Dave", HOME)).ask("POST", CHAT, json=said(1))

    asyncio.run(much_later())
    left = everything(place)
    assert {row[0] for row in left["address_keys"]} == {2, 3, 4}, "the old key is gone"
    assert {row[1] for row in left["addresses_seen"]} <= {2, 3, 4}, "and what was under it"
    assert left["address_bans"] == []


def test_who_deletes_the_account_is_still_kept_out_by_address(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place), **PROXIED) as rig:
            alice, bob = await at(rig, "Alice", HOME), await at(rig, "Bob", CAFE)
            await bob.ask("POST", CHAT, json=said(1))
            await ban(alice, bob, seconds=3_600)
            await bob.ask("DELETE", f"{COMMUNITY}/account")
            eve = await at(rig, "Eve", CAFE)
            assert await eve.refused("POST", CHAT, json=said(1)) == BANNED
            later(rig, 3_601_000)
            await eve.ask("POST", CHAT, json=said(1))

    asyncio.run(main())
    assert len(everything(place)["addresses_seen"]) == 1


def test_of_an_account_some_addresses_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address_bans, "SEEN_MAX", 2)

    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite"), **PROXIED) as rig:
            alice, bob = await at(rig, "Alice", HOME), await at(rig, "Bob", CAFE)
            for number in range(4):
                bob.address = f"203.0.113.{number}"
                later(rig, number * 1_000)
                await bob.ask("POST", CHAT, json=said(number))
            assert (await ban(alice, bob))["addresses"] == 2
            body = {"seconds": 5, "addresses": "yes"}
            path = f"{CHAT}/mutes/{bob.account}"
            assert await alice.refused("PUT", path, json=body) == (400, "field-invalid")

    asyncio.run(main())
