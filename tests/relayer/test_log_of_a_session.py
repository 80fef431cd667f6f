"""A session in the log: three lines at the default level, one id, and no secret at any level."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trio.testing import MockClock

from offchain.cli.log_lines import formatter
from offchain.keys.derivation import DerivedKey
from offchain.keys.signer import dev_key
from streaming.session_state import SessionRef
from tests.http.rig import SDP, WATCHING, http_rig
from tests.relayer.rig import rig


class Lines(logging.Handler):
    """Keeps what both processes would write."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(formatter("json"))
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))

    def of(self, session: SessionRef | str, *levels: str) -> list[dict[str, Any]]:
        told = [json.loads(text) for text in self.texts]
        return [
            one
            for one in told
            if one.get("session") == str(session) and (not levels or one["level"] in levels)
        ]


@contextmanager
def logged() -> Iterator[Lines]:
    root, lines = logging.getLogger(), Lines()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(lines)
    try:
        yield lines
    finally:
        root.removeHandler(lines)
        root.setLevel(level)


async def test_a_life_is_three_lines(tmp_path: Path, autojump_clock: MockClock) -> None:
    with logged() as lines:
        async with rig(tmp_path) as r:
            watching = await r.watch(await r.ready_viewer())
            await r.until(lambda: watching.delivered_ms >= 15_000)
            r.server.leave(watching)
            await r.until(lambda: r.closed(watching) and not r.relayer.core.book.sessions)
        life = lines.of(watching.ref, "info", "warning", "error")
        assert [one["event"] for one in life] == [
            "session-admitted",
            "session-open",
            "session-closed",
        ]
        seconds = watching.delivered_ms // 1000
        assert life[2]["seconds"] == seconds
        assert life[2]["paid"] == seconds * 1000
        assert (life[2]["end"], life[2]["block"] > life[1]["block"]) == ("left", True)
        assert len(lines.of(watching.ref)) > 5


async def test_reloads_and_reports_add_no_line(tmp_path: Path, autojump_clock: MockClock) -> None:
    with logged() as lines:
        async with rig(tmp_path) as r:
            token = await r.ready_viewer()
            watching = await r.watch(token)
            await r.until(lambda: watching.delivered_ms >= 5_000)
            again = await r.watch(token, resume=watching.resume)
            assert again.ref == watching.ref
            await r.until(lambda: again.delivered_ms >= 5_000)
            r.chain.drain_vault("Alice")
            await r.until(lambda: not r.relayer.core.book.sessions, 5_000)
        assert len(lines.of(watching.ref, "info", "warning", "error")) == 3


async def test_no_secret_is_in_any_line(tmp_path: Path, autojump_clock: MockClock) -> None:
    with logged() as lines:
        async with rig(tmp_path) as r:
            token = await r.ready_viewer()
            watching = await r.watch(token)
            await r.ask("admit", token=token[:-1] + "x", stream=1)
            await r.ask("admit", token=token, stream=1, resume="not-the-secret-of-any-session")
            r.chain.unreachable = True
            await r.ask("terms", token=token, stream=1)
            r.chain.unreachable = False
            await r.until(lambda: watching.delivered_ms >= 15_000)
            keys = [await r.keyring.open(name) for name in r.relayer.core.key_names.values()]
            secrets = [token, watching.resume, "not-the-secret-of-any-session"]
            for key in keys:
                assert isinstance(key, DerivedKey)
                secrets.append(key._secret.hex())
            secrets.append(dev_key("Alice").pair.private_key.hex())
        everything = "\n".join(lines.texts)
        assert len(lines.of(watching.ref)) > 4
        for secret in secrets:
            assert secret not in everything
            assert secret.removeprefix("psw_")[:20] not in everything


def test_the_media_server_names_the_same_session() -> None:
    async def main() -> None:
        async with http_rig() as r:
            status, headers, _ = await r.ask(
                "POST", "/whep/1", headers={**WATCHING, **SDP}, data="v=0"
            )
            assert status == 201
            session = headers["PayStream-Session"]
            location = headers["Location"]
            assert (await r.ask("DELETE", location))[0] == 200
            told = [one["event"] for one in lines.of(session)]
            assert told == ["connection-began", "connection-ended"]
            assert lines.of(session, "info", "warning", "error") == []
            everything = "\n".join(lines.texts)
            for secret in (location.rpartition("/")[2], headers["PayStream-Resume"]):
                assert secret not in everything

    with logged() as lines:
        asyncio.run(main())
