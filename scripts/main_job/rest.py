"""The media server's REST API, as far as the job needs it, for trio."""

from __future__ import annotations

import http.client
import json
from typing import Any, Final
from urllib.parse import urlsplit

import trio

from offchain.keys.signer import LocalKey

REQUEST_SECONDS_MAX: Final = 10.0
ANSWER_BYTES_MAX: Final = 4 << 20


class RestFailed(Exception):
    """The server refused a request or did not answer. Carries its own words."""

    def __init__(self, status: int, detail: str) -> None:
        self.status = status
        super().__init__(detail)


class Rest:
    """One server and, after `sign_in`, one token."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._host = urlsplit(url).netloc
        self._token: str | None = None

    async def get(self, path: str) -> dict[str, Any]:
        """GET below `/api/v1/`. Raises RestFailed."""
        return await self._call("GET", path, None)

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST a JSON object below `/api/v1/`. Raises RestFailed."""
        return await self._call("POST", path, body)

    async def sign_in(self, key: LocalKey, purpose: str, stream: int | None = None) -> None:
        """Prove an account with its key and keep the token. Raises RestFailed."""
        ask: dict[str, Any] = {"account": key.address, "purpose": purpose}
        if stream is not None:
            ask["stream"] = stream
        challenge = await self.post("challenge", ask)
        signature = key.sign(challenge["message"].encode())
        answer = await self.post(
            "token", {"challenge": challenge["challenge"], "signature": "0x" + signature.hex()}
        )
        self._token = answer["token"]

    async def _call(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        return await trio.to_thread.run_sync(
            self._call_blocking, method, path, body, abandon_on_cancel=True
        )

    def _call_blocking(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        connection = http.client.HTTPConnection(self._host, timeout=REQUEST_SECONDS_MAX)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, f"/api/v1/{path}", data, headers)
            answer = connection.getresponse()
            value = json.loads(answer.read(ANSWER_BYTES_MAX))
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise RestFailed(0, f"no answer from {self.url}: {error}") from None
        finally:
            connection.close()
        if answer.status >= 400:
            raise RestFailed(answer.status, _words(answer.status, value))
        if not isinstance(value, dict):
            raise RestFailed(0, f"{self.url} answered {method} {path} with no JSON object")
        return value


def _words(status: int, problem: object) -> str:
    if isinstance(problem, dict) and "detail" in problem:
        return f"{problem.get('title', status)}: {problem['detail']}"
    return f"the server answered {status}"
