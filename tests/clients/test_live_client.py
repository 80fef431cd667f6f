"""Our own end of the WebSocket."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from offchain.keys.signer import dev_key
from streaming.clients.live_client import LiveClient
from streaming.clients.rest_client import ClientError
from streaming.community.database import opening
from streaming.live_frames import Joined, MessageSaid, Refused, Said, Welcome
from tests.community.people import Person
from tests.http.rig import http_rig


def test_what_is_said_is_heard_as_types(tmp_path: Path) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            bob = await Person(rig, dev_key("Bob")).sign_in()
            async with LiveClient(rig.url) as live:
                await live.join(1)
                assert isinstance(await anext(live), Joined)
                await live.say(1, "hello")
                refused = await anext(live)
                assert isinstance(refused, Refused)
                assert (refused.status, refused.stream) == (401, 1)
                await live.hello(bob.token)
                welcome = await anext(live)
                assert isinstance(welcome, Welcome)
                assert welcome.account == bob.account
                name = await live.say(1, "hello")
                heard = {type(one): one for one in (await anext(live), await anext(live))}
                message, said = heard[MessageSaid], heard[Said]
                assert isinstance(message, MessageSaid)
                assert isinstance(said, Said)
                assert (message.message.text, message.message.id, said.id) == ("hello", name, name)
                await live.say(1, "hello", name)  # the same message: it is not told again
                assert await anext(live) == said
                await live.say(1, "and again", reply_to=said.number)
                heard = {type(one): one for one in (await anext(live), await anext(live))}
                message = heard[MessageSaid]
                assert isinstance(message, MessageSaid)
                assert message.message.reply_to == said.number
                await live.leave(1)

    asyncio.run(main())


def test_who_ends_it_is_said(tmp_path: Path) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            assert rig.server.community is not None
            async with LiveClient(rig.url) as live:
                closing = asyncio.ensure_future(rig.server.community.close())
                with pytest.raises(ClientError, match="going down") as ended:
                    await anext(live)
                assert ended.value.code == "live-closing"
                await closing

    asyncio.run(main())


def test_a_server_without_a_community_and_none_at_all() -> None:
    async def main() -> None:
        async with http_rig(only="media") as rig:
            with pytest.raises(ClientError, match="no community") as none:
                await LiveClient(rig.url).__aenter__()
            assert (none.value.code, none.value.status) == ("no-community", 404)
        with pytest.raises(ClientError, match="paystream serve") as away:
            await LiveClient("http://127.0.0.1:1").__aenter__()
        assert away.value.code == "server-unreachable"

    asyncio.run(main())
