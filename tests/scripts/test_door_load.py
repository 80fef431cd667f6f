"""The attack on the door and its relayer: what they may do, and to whom."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from measure.stand_in_relayer import (
    PUBLISH_TOKEN,
    STRANGER_TOKEN,
    WATCH_TOKEN,
    StandInRelayer,
)
from streaming.framing import body_length
from streaming.session_state import (
    ConnectionState,
    HelloAck,
    Leases,
    Request,
    Response,
    SessionRef,
    States,
    encode_frame,
)
from streaming.session_state import Hello as Greeting
from streaming.session_state import decode_from_relayer as decode

SCRIPTS = Path(__file__).parents[2] / "scripts"


async def told(
    relayer: StandInRelayer, folder: Path, *messages: Greeting | States | Request
) -> list[object]:
    """What a relayer says to each message."""
    socket = str(folder / "relay.sock")
    await relayer.listen(socket)
    reader, writer = await asyncio.open_unix_connection(socket)
    answers = []
    for message in messages:
        writer.write(encode_frame(message))
        answers.append(decode(await reader.readexactly(body_length(await reader.readexactly(4)))))
    writer.close()
    await writer.wait_closed()
    await relayer.close()
    return answers


def ask(method: str, token: str) -> Request:
    return Request(id=1, method=method, params={"token": token, "stream": 1})


@pytest.mark.parametrize(
    ("method", "token", "good"),
    [
        ("publish", PUBLISH_TOKEN, True),
        ("publish", WATCH_TOKEN, False),
        ("admit", WATCH_TOKEN, True),
        ("admit", STRANGER_TOKEN, True),
        ("admit", PUBLISH_TOKEN, False),
        ("watch", STRANGER_TOKEN, True),
        ("watch", "psw_wrong-1", False),
    ],
)
def test_the_stand_in_judges_tokens(tmp_path: Path, method: str, token: str, good: bool) -> None:
    async def main() -> None:
        relayer = StandInRelayer()
        hello = Greeting(protocol_version=1, server_id="s", boot_id="b", origin="http://test")
        ack, answer = await told(relayer, tmp_path, hello, ask(method, token))
        assert isinstance(ack, HelloAck)
        assert isinstance(answer, Response)
        assert (answer.problem is None) is good
        if answer.problem is not None:
            assert answer.problem.status == 401

    asyncio.run(main())


def test_only_watching_viewers_are_summed(tmp_path: Path) -> None:
    def state(connection: str, grant: int, final: bool = False) -> ConnectionState:
        return ConnectionState(
            connection=connection,
            session=SessionRef(grant=grant, index=1),
            number=1,
            delivered_ms=900,
            forwarded_ms=1000,
            packets_sent=10,
            final=final,
            end_reason="vanished" if final else None,
        )

    async def main() -> None:
        relayer = StandInRelayer()
        states = States(
            sequence=7,
            connections=[state("a", 1), state("b", 1, final=True), state("c", 2)],
            publishers=[],
        )
        (leases,) = await told(relayer, tmp_path, states)
        assert isinstance(leases, Leases)
        assert ([lease.connection for lease in leases.leases], leases.acknowledged) == (
            ["a", "c"],
            ["b"],
        )
        figures = await relayer.figures()
        assert (figures["delivered_ms"], figures["forwarded_ms"]) == (1800, 2000)
        assert figures["ended"] == {"vanished": 1}

    asyncio.run(main())


def test_only_a_server_on_this_machine_is_attacked() -> None:
    command = [sys.executable, "-m", "measure.door_attack", "posts", "http://192.0.2.1:80", "1"]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, cwd=SCRIPTS
    )
    assert ended.returncode == 1
    assert "only a server on 127.0.0.1 is attacked" in ended.stderr
