"""Our viewer when nothing comes: what the server says of it is told, and is no lost connection."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streaming.clients import viewer as viewers
from streaming.clients.config import WatchConfig
from streaming.clients.rest_client import ClientError
from tests.http.fake_relayer import FakeSigner

S = 1_000_000


class Server:
    """Answers what a viewer asks it."""

    def __init__(self, *answers: dict[str, Any] | ClientError) -> None:
        self.answers = list(answers)
        self.chosen: list[str] = []

    async def connection(self, _resource: str) -> dict[str, Any]:
        answer = self.answers.pop(0)
        if isinstance(answer, ClientError):
            raise answer
        return answer

    async def choose_sound(self, resource: str) -> None:
        self.chosen.append(resource)

    async def health(self) -> dict[str, Any]:
        return {"boot_id": "one"}

    async def stream(self, _stream: int) -> dict[str, Any]:
        return {"live": True, "frozen_ms": 20}


def saying(*reasons: str, **facts: Any) -> dict[str, Any]:
    return {"state": "held" if reasons else "forwarding", "reasons": list(reasons), **facts}


def concludes(
    server: Server, *silent_s: float, sound: bool = False, sound_alone: bool = False
) -> tuple[list[bool], list[dict[str, Any]]]:
    """Whether a viewer is lost after so many seconds without a picture each, and what it tells."""

    async def main() -> tuple[list[bool], list[dict[str, Any]]]:
        told: list[dict[str, Any]] = []
        config = WatchConfig(
            server="http://test",
            stream=1,
            signer=FakeSigner(),
            sound_alone=sound_alone,
            on_progress=told.append,
        )
        rest: Any = server
        watching = viewers._Watching(config, rest)
        watching._resource = "/whep/1/abc"
        found = []
        for each_s in silent_s:
            now_us = round(each_s * S)
            if sound:
                watching._clock.sound(now_us)
            found.append(await watching._lost_silently(now_us))
        return found, told

    return asyncio.run(main())


GONE = ClientError("it has ended", code="connection-not-found", status=404)
UNREACHED = ClientError("no", code="server-unreachable")


@pytest.mark.parametrize(
    "reasons",
    [("wait",), ("wait", "budget:block"), ("budget:money", "wait"), ("lease",), ("sound-alone",)],
)
def test_what_the_server_waits_for_is_told_once_and_is_not_lost(reasons: tuple[str, ...]) -> None:
    found, told = concludes(Server(*[saying(*reasons)] * 4), 3, 10, 60, 300)
    assert found == [False] * 4
    assert [event["event"] for event in told] == ["held"]
    assert told[0]["reasons"] == list(reasons)
    assert len(told[0]["why"]) > 20


def test_that_it_is_over_is_told_too() -> None:
    _, told = concludes(Server(saying("wait")), 3, 1)
    assert [event["event"] for event in told] == ["held", "flowing"]


def test_a_narrow_path_is_not_lost_while_its_sound_comes() -> None:
    narrow = saying("path", sound_free_ms=8_000)
    found, told = concludes(Server(*[narrow] * 3), 3, 10, 60, sound=True)
    assert found == [False] * 3
    assert told[0]["choices"] == ["sound-alone", "wait"]
    assert (told[0]["choice"], told[0]["sound_free_ms"]) == ("wait", 8_000)
    found, _ = concludes(Server(*[narrow] * 3), 3, 4.9, 5.1)
    assert found == [False, False, True], "nothing comes at all: the path itself is gone"


def test_a_picture_that_is_there_before_anybody_looks_is_told_too() -> None:
    async def main() -> list[str]:
        told: list[str] = []
        signer = FakeSigner()
        config = WatchConfig(
            server="http://test",
            stream=1,
            signer=signer,
            seconds=0,
            on_progress=lambda event: told.append(event["event"]),
        )
        rest: Any = Server()
        watching = viewers._Watching(config, rest)
        watching._clock.frame(0)
        for _ in range(2):  # again after a reconnection: it is told once
            assert await watching._until_over(asyncio.Event()) == "seconds"
        return told

    assert asyncio.run(main()) == ["playing"]


def test_once_the_server_tries_the_picture_again_it_has_time_to_come() -> None:
    answers = [saying("path"), saying("path", "sound-alone"), saying(), saying(), saying()]
    found, _ = concludes(Server(*answers), 3, 30, 31, 34, 36)
    assert found == [False, False, False, False, True]


def test_while_sound_comes_the_connection_is_there() -> None:
    assert concludes(Server(*[saying()] * 3), 3, 10, 60, sound=True)[0] == [False] * 3


def test_sound_alone_is_chosen_once_a_connection_where_it_is_wanted() -> None:
    narrow, chosen = saying("path"), saying("path", sound_alone=True)
    server = Server(saying("wait"), narrow, chosen, chosen)
    _, told = concludes(server, 3, 4, 5, 6, sound=True, sound_alone=True)
    assert server.chosen == ["/whep/1/abc"]
    assert [event.get("choice") for event in told] == [None, "wait", "sound-alone"]
    unasked = Server(narrow)
    concludes(unasked, 3, sound=True)
    assert unasked.chosen == []


def test_what_the_server_does_not_explain_is_lost_as_before() -> None:
    assert concludes(Server(GONE), 3)[0] == [True]
    assert concludes(Server(UNREACHED), 3)[0] == [False], "it answers that it is the same"
    for unexplained in (saying(), saying("unconfirmed"), saying("path", "unconfirmed")):
        assert concludes(Server(unexplained, unexplained), 3, 6)[0] == [False, True]
