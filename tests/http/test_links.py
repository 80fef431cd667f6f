"""A media server with several relayers: who is asked, who is told, and whose word counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streaming.framing import body_length
from streaming.http.links import Links
from streaming.http.problem import ProblemError
from streaming.session_state import (
    PROTOCOL_VERSION,
    ConnectionState,
    Hello,
    HelloAck,
    Leases,
    Problem,
    Request,
    Response,
    SessionRef,
    States,
    decode_from_server,
    encode_frame,
)

HELLO = Hello(protocol_version=PROTOCOL_VERSION, server_id="s", boot_id="b", origin="http://o")
ELSEWHERE = Problem(status=503, code="held-elsewhere", detail="not here", relayer="")


class Relayer:
    """One of several, that answers as it is told."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self.socket = directory / f"{name}.sock"
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.told: list[str] = []
        self.acknowledges: list[str] = []
        self.draining = False
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, str(self.socket))

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        self.socket.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while True:
                body = await reader.readexactly(body_length(await reader.readexactly(4)))
                message = decode_from_server(body)
                match message:
                    case Hello():
                        answer: Any = HelloAck(
                            protocol_version=PROTOCOL_VERSION,
                            relayer_boot_id="b",
                            relayer_id=self.name,
                        )
                    case States():
                        self.told += [state.connection for state in message.connections]
                        answer = Leases(
                            sequence=message.sequence,
                            lease_ms=15_000,
                            leases=[],
                            acknowledged=self.acknowledges,
                            draining=self.draining,
                        )
                    case Request():
                        self.asked.append(message.method)
                        known = self.answers.get(message.method, {"by": self.name})
                        is_problem = isinstance(known, Problem)
                        answer = Response(
                            id=message.id,
                            result=None if is_problem else known,
                            problem=known if is_problem else None,
                        )
                writer.write(encode_frame(answer))
        except (EOFError, OSError):
            writer.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (the links tell nobody)
            await asyncio.sleep(0.01)


@asynccontextmanager
async def linked(directory: Path, count: int = 3) -> AsyncIterator[tuple[Links, list[Relayer]]]:
    relayers = [Relayer(directory, f"r{number}") for number in range(count)]
    for relayer in relayers:
        await relayer.start()
    links = Links([each.socket for each in relayers], HELLO, lambda: ([], []), lambda leases: None)
    links.start()
    await until(lambda: all(link.connected for link in links._links))
    try:
        yield links, relayers
    finally:
        await links.close(0.1)
        for relayer in relayers:
            await relayer.stop()


def test_accounts_are_shared_by_a_hash_and_the_rest_is_the_first_ones(tmp_path: Path) -> None:
    async def run() -> None:
        async with linked(tmp_path) as (links, _):
            assert (await links.request("info", {}))["by"] == "r0"
            by = [(await links.request("terms", {"token": f"t{n}"}))["by"] for n in range(30)]
            assert set(by) == {"r0", "r1", "r2"}
            again = [(await links.request("terms", {"token": f"t{n}"}))["by"] for n in range(30)]
            assert again == by

    asyncio.run(run())


def test_a_question_goes_to_the_relayer_that_holds_the_viewer(tmp_path: Path) -> None:
    async def run() -> None:
        async with linked(tmp_path) as (links, relayers):
            held = Problem(status=503, code="held-elsewhere", detail="r2 has it", relayer="r2")
            for relayer in relayers[:2]:
                relayer.answers["admit"] = held
            for number in range(9):
                assert (await links.request("admit", {"token": f"t{number}"}))["by"] == "r2"
            # nobody is asked twice
            relayers[2].answers["admit"] = held
            with pytest.raises(ProblemError) as refused:
                await links.request("admit", {"token": "t"})
            assert refused.value.problem.code == "held-elsewhere"

    asyncio.run(run())


def test_what_one_does_not_know_another_is_asked(tmp_path: Path) -> None:
    async def run() -> None:
        async with linked(tmp_path) as (links, relayers):
            unknown = Problem(status=400, code="challenge-unknown", detail="not mine")
            relayers[0].answers["token"] = relayers[2].answers["token"] = unknown
            assert (await links.request("token", {"challenge": "c"}))["by"] == "r1"
            relayers[1].answers["token"] = unknown
            with pytest.raises(ProblemError, match="challenge-unknown"):
                await links.request("token", {"challenge": "c"})
            # and what it does know, nobody else is
            relayers[0].answers["admit"] = Problem(status=402, code="payment-required", detail="p")
            for relayer in relayers[1:]:
                relayer.answers["admit"] = ELSEWHERE
            with pytest.raises(ProblemError, match="payment-required"):
                await links.request("admit", {"token": "t"})

    asyncio.run(run())


def test_who_is_drained_silent_or_gone_is_asked_last_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with linked(tmp_path) as (links, relayers):
            relayers[0].draining = True
            await until(lambda: links._links[0].draining)
            assert (await links.request("info", {}))["by"] == "r1"
            links._links[1]._heard_s -= 100
            assert (await links.request("info", {}))["by"] == "r2"
            await relayers[2].stop()
            await until(lambda: not links._links[2].connected)
            by = (await links.request("info", {}))["by"]
            assert by in ("r0", "r1")  # the silent one has spoken again, perhaps
            assert links.connected
            await relayers[2].start()

    asyncio.run(run())


def test_a_final_state_is_told_to_all_until_one_has_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with linked(tmp_path) as (links, relayers):
            state = ConnectionState(
                connection="c1", session=SessionRef(0, 0), number=1, delivered_ms=1, final=True
            )
            links.final(state)
            links.tell_soon()
            await until(lambda: all("c1" in relayer.told for relayer in relayers))
            assert links.unacknowledged == 1
            relayers[1].acknowledges = ["c1"]
            await until(lambda: not links.unacknowledged)

    asyncio.run(run())
