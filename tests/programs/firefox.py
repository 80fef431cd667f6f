"""Firefox ESR, headless, driven by WebDriver BiDi: nothing but the browser itself is needed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import re
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.programs.scene import program

PREFERENCES: dict[str, Any] = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "media.autoplay.default": 0,
    "media.gmp-manager.updateEnabled": False,
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "network.captive-portal-service.enabled": False,
}
STARTS_WITHIN_S = 60.0
ANSWERS_WITHIN_S = 60.0


class Firefox:
    """One window of it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._window = ""
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        async for message in self._socket:
            answer = json.loads(message.data)
            waiting = self._waiting.pop(answer.get("id"), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)

    async def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol."""
        number = next(self._number)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        answer = await asyncio.wait_for(waiting, ANSWERS_WITHIN_S)
        assert answer["type"] == "success", answer
        result: dict[str, Any] = answer["result"]
        return result

    async def begin(self, before_pages: str) -> str:
        """Opens a session; `before_pages` runs in each page first. Gives the version."""
        session = await self.command("session.new", capabilities={})
        tree = await self.command("browsingContext.getTree")
        self._window = tree["contexts"][0]["context"]
        function = f"() => {{ {before_pages} }}"
        await self.command("script.addPreloadScript", functionDeclaration=function)
        return str(session["capabilities"]["browserVersion"])

    async def go(self, url: str) -> None:
        """Loads a page."""
        await self.command(
            "browsingContext.navigate", context=self._window, url=url, wait="complete"
        )

    async def run(self, body: str) -> Any:
        """The value of an expression in the page, awaited."""
        said = await self.command(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({body}) ?? null))()",
            target={"context": self._window},
            awaitPromise=True,
            userActivation=True,
        )
        assert said["type"] == "success", (body, said)
        return json.loads(said["result"]["value"])

    async def until(self, expression: str, within_s: float = 20.0) -> None:
        """Waits until an expression is true in the page."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not await self.run(expression):  # noqa: ASYNC110 - it is in the browser
                    await asyncio.sleep(0.1)
                return
        raise AssertionError(
            f"{expression}; the page says {await self.run('document.body.innerText')}"
        )

    async def click(self, selector: str) -> None:
        """Clicks the first element that fits, once it is there and enabled."""
        element = f"document.querySelector({json.dumps(selector)})"
        await self.until(f"Boolean({element}) && !{element}.disabled")
        await self.run(f"{element}.click()")

    async def close(self) -> None:
        """Ends the session."""
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading


@contextlib.asynccontextmanager
async def firefox(before_pages: str) -> AsyncIterator[Firefox]:
    """A Firefox with a profile of its own and a camera that shows a test picture."""
    command = program("firefox-esr", "firefox-esr")
    with tempfile.TemporaryDirectory(prefix="firefox-", ignore_cleanup_errors=True) as profile:
        lines = (f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items())
        (Path(profile) / "user.js").write_text("\n".join(lines))
        process = await asyncio.create_subprocess_exec(
            *(command, "--headless", "--no-remote", "--profile", profile),
            *("--remote-debugging-port", "0"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "HOME": profile},
            start_new_session=True,
        )
        draining: asyncio.Future[None] | None = None
        try:
            async with asyncio.timeout(STARTS_WITHIN_S):
                url = await _address(process)
            draining = asyncio.ensure_future(_drain(process))
            async with (
                aiohttp.ClientSession() as http,
                http.ws_connect(f"{url}/session", max_msg_size=0) as socket,
            ):
                driven = Firefox(socket)
                try:
                    await driven.begin(before_pages)
                    yield driven
                finally:
                    await driven.close()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            if draining is not None:
                await draining


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    said = ""
    async for line in process.stderr:
        said += line.decode(errors="replace")
        found = re.search(r"WebDriver BiDi listening on (ws://\S+)", said)
        if found is not None:
            return found[1]
    raise AssertionError(f"Firefox ended: {said}")


async def _drain(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None
    async for _ in process.stderr:
        pass
