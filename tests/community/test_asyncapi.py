"""The WebSocket's description, and real frames against it."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from offchain.keys.signer import dev_key
from streaming.community.database import opening
from streaming.http.asyncapi import document
from streaming.live_frames import ASKED, HEARD, frame, read_asked, read_heard
from tests.community.chatting import Page
from tests.community.people import COMMUNITY, Person
from tests.http.rig import HttpRig, http_rig

CHAT = "/api/v1/streams/1/chat"
Frames = list[dict[str, Any]]


def kinds(structs: tuple[type[msgspec.Struct], ...]) -> set[str]:
    return {str(one.__struct_config__.tag) for one in structs}


class Recording(Page):
    """A page that keeps what it says and hears."""

    frames: Frames

    def __init__(self, rig: HttpRig, person: Person) -> None:
        super().__init__(rig, person)
        self.person = person

    async def send(self, kind: str, **fields: Any) -> None:
        self.frames.append({"by": "page", "frame": {"type": kind, **fields}})
        await super().send(kind, **fields)

    async def next(self) -> dict[str, Any]:
        heard = await super().next()
        self.frames.append({"by": "server", "frame": heard})
        return heard


async def answered(owner: Person, other: Person, page: Recording) -> None:
    """Let the page have a message that waits, and a report, and the owner answer both."""
    await owner.ask("POST", f"{CHAT}/filters", json={"pattern": "moon", "action": "hold"})
    await page.say("to the moon", 4)
    assert (await page.hear("held"))["id"] == "message-00000004"
    [waits] = (await owner.ask("GET", f"{CHAT}/held"))["held"]
    await owner.ask("DELETE", f"{CHAT}/held/{waits['number']}")
    assert (await page.hear("rejected"))["id"] == "message-00000004"
    await page.person.ask("PUT", f"{COMMUNITY}/profile", json={"name": "Bob", "handle": "bob"})
    said = {"id": "message-00000005", "text": "buy my coin, @bob", "reply_to": 1}
    await other.ask("POST", CHAT, json=said)
    told = (await page.hear("message"))["message"]
    assert (told["reply_to"], [one["handle"] for one in told["mentions"]]) == (1, ["bob"])
    await page.send("say", stream=1, id="message-00000006", text="no", reply_to=told["number"])
    assert (await page.hear("message"))["message"]["reply_to"] == told["number"]
    await page.hear("said")
    about = {"message": told["number"]}
    await page.person.ask("POST", f"{CHAT}/reports", json={**about, "reason": "spam"})
    await owner.ask("POST", f"{CHAT}/reports/answer", json={**about, "answer": "delete"})
    assert (await page.hear("deleted"))["number"] == told["number"]
    assert (await page.hear("report_answered"))["answer"] == "delete"


async def journey(rig: HttpRig, frames: Frames) -> None:
    """Let an owner and a guest do all that makes the server say something."""
    alice = await Person(rig, dev_key("Alice")).sign_in()
    bob = await Person(rig, dev_key("Bob")).sign_in()
    Recording.frames = frames
    async with Recording(rig, bob) as page:
        await page.join()
        await page.say("hello", 1)
        await page.hear("message")
        number = (await page.hear("said"))["number"]
        await page.say("x" * 501, 2)
        await page.hear("refused")
        await page.send("dance")
        await page.hear("refused")
        await answered(alice, await Person(rig, dev_key("Charlie")).sign_in(), page)
        await alice.ask("PUT", f"{CHAT}/settings", json={"slow_mode_s": 9})
        await page.hear("settings")
        await alice.ask("PUT", f"{CHAT}/moderators/{bob.account}")
        assert (await page.hear("role"))["role"] == "moderator"
        await alice.ask("DELETE", f"{CHAT}/moderators/{bob.account}")
        assert (await page.hear("role"))["role"] is None
        for seconds in (60, None):
            await alice.ask("PUT", f"{CHAT}/mutes/{bob.account}", json={"seconds": seconds})
            await page.hear("muted")
        await alice.ask("DELETE", f"{CHAT}/mutes/{bob.account}")
        await page.hear("unmuted")
        await alice.ask("DELETE", f"{CHAT}/messages/{number}")
        await page.hear("deleted")
        await page.send("leave", stream=1)
        await page.join()
        await bob.ask("DELETE", f"{COMMUNITY}/account")
        await page.hear("erased")
        await page.hear("signed_out")
        await page.say("again", 3)
        assert (await page.refused()) == (401, "token-missing")


def captured(folder: Path) -> tuple[dict[str, Any], Frames]:
    """The description as it is served, and every frame of a journey."""
    frames: Frames = []

    async def main() -> dict[str, Any]:
        async with http_rig(tables=opening.opened(folder / "c.sqlite")) as rig:
            await journey(rig, frames)
            status, _, body = await rig.ask("GET", "/asyncapi.json")
            assert status == 200
            return dict(body)

    return asyncio.run(main()), frames


def test_every_frame_that_goes_either_way_is_what_its_type_says(tmp_path: Path) -> None:
    served, frames = captured(tmp_path)
    assert served == json.loads(json.dumps(document("http://test")))
    seen = {(each["by"], each["frame"]["type"]) for each in frames}
    assert seen >= {("server", kind) for kind in kinds(HEARD)}
    assert seen >= {("page", kind) for kind in kinds(ASKED)}
    for each in frames:
        text = json.dumps(each["frame"])
        if each["by"] == "server":  # nothing is missing, and nothing is there that is not described
            assert msgspec.to_builtins(read_heard(text)) == each["frame"]
        elif each["frame"]["type"] != "dance":
            read_asked(text)


def test_a_frame_of_which_its_type_knows_nothing_is_never_written() -> None:
    with pytest.raises(TypeError, match="colour"):
        frame("deleted", stream=1, chain="", number=1, colour="red")
    with pytest.raises(TypeError, match="number"):
        frame("deleted", stream=1, chain="")
    with pytest.raises(KeyError, match="dance"):
        frame("dance")


def test_who_has_no_community_describes_no_socket() -> None:
    async def main() -> None:
        async with http_rig() as rig:
            assert (await rig.ask("GET", "/asyncapi.json"))[0] == 404

    asyncio.run(main())


def judged(said: dict[str, Any], frames: Frames) -> list[str]:
    """What AsyncAPI's own schema has against a description, and the description against frames."""
    node = shutil.which("node")
    if node is None:
        pytest.fail("Node.js is missing: apt-get install nodejs", pytrace=False)
    done = subprocess.run(
        [node, Path(__file__).with_name("asyncapi.mjs")],
        input=json.dumps({"document": said, "frames": frames}),
        capture_output=True,
        text=True,
        check=True,
    )
    return list(json.loads(done.stdout))


@pytest.mark.browser
def test_the_description_is_asyncapi_and_real_frames_fit_it(tmp_path: Path) -> None:
    served, frames = captured(tmp_path)
    frames = [each for each in frames if each["frame"]["type"] != "dance"]
    assert judged(served, frames) == []


@pytest.mark.browser
def test_what_does_not_fit_would_be_found() -> None:
    said = document("http://test")
    bad: Frames = [
        {"by": "server", "frame": {"type": "deleted", "stream": 1, "chain": ""}},
        {"by": "page", "frame": {"type": "join", "stream": "1"}},
        {"by": "page", "frame": {"type": "join", "stream": 1, "colour": "red"}},
        {"by": "server", "frame": {"type": "join", "stream": 1}},
    ]
    assert len(judged(said, bad)) == len(bad)
    del said["channels"]["live"]["messages"]["say"]
    said["asyncapi"] = "4.0.0"
    wrong = judged(said, [])
    assert any("leads nowhere" in each for each in wrong)
    assert any(each.startswith("document: /asyncapi") for each in wrong)
