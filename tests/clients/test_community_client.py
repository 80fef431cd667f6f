"""The community's client against the server itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from offchain.cli.rest import AccountSigner
from offchain.keys.signer import dev_key
from streaming.clients.community_client import CommunityClient, new_message_id
from streaming.clients.rest_client import ClientError, RestClient
from streaming.community.database import opening
from tests.http.rig import http_rig


def test_a_program_does_what_a_page_does(tmp_path: Path) -> None:
    async def main() -> None:
        alice = AccountSigner(dev_key("Alice"))
        tables = opening.opened(tmp_path / "c.sqlite")
        async with http_rig(tables=tables) as rig, RestClient(rig.url) as rest:
            client = CommunityClient(rest)
            with pytest.raises(ClientError) as refused:
                await client.sessions()
            assert (refused.value.status, refused.value.code) == (401, "token-missing")
            begun = await client.sign_in(alice, "a script")
            assert begun["account"] == alice.account
            assert client.token is not None
            assert client.token not in repr(client)
            assert [one["device"] for one in await client.sessions()] == ["a script"]
            await client.keep_profile({"name": "Alice", "handle": "älice"})
            assert (await client.profile("älice"))["account"] == alice.account
            assert (await client.describe(1, {"title": "Tea"}, alice))["card"]["title"] == "Tea"
            assert (await client.card(1))["owner"]["name"] == "Alice"
            bob = CommunityClient(rest)
            other = await bob.sign_in(AccountSigner(dev_key("Bob")))
            assert (await bob.follow("älice"))["followers"] == 1
            assert (await bob.follow("älice", follows=False))["followers"] == 0
            name = new_message_id()
            for _ in range(2):
                assert (await bob.say(1, "hello", name))["number"] == 1
            assert [one["text"] for one in await client.messages(1, after=0)] == ["hello"]
            assert await client.messages(1, after=1) == []
            assert (await bob.export())["messages"][0]["text"] == "hello"
            again = CommunityClient(rest, bob.token)
            await again.end_session(other["id"])
            with pytest.raises(ClientError):
                await bob.export()
            await client.sign_out()
            assert client.token is None
            await client.sign_in(alice)
            await client.delete_account()
            with pytest.raises(ClientError) as gone:
                await CommunityClient(rest).profile(alice.account)
            assert gone.value.status == 404

    asyncio.run(main())
