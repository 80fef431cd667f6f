"""What the community asks of the ledger where it runs alone: the REST API of the media server.

That is public: which chain it is, and who owns which stream. So no relayer's socket is needed, and
the two may be on different machines. What comes is read by its types and nothing more of it.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import msgspec

from streaming.http.problem import ProblemError
from streaming.session_state import Problem

ANSWER_WITHIN_S: Final = 5.0
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
"""500 streams with all that is said of them are a tenth of it."""
NOT_FOUND: Final = 404


class _Info(msgspec.Struct):
    genesis_hash: str


class _Stream(msgspec.Struct):
    id: int
    owner: str


class _Streams(msgspec.Struct):
    streams: list[_Stream]
    next: int | None = None


_TYPES: Final[dict[str, Any]] = {"info": _Info, "stream": _Stream, "streams": _Streams}


class LedgerOverRest:
    """The media server at an origin, asked as a relayer is."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._client: aiohttp.ClientSession | None = None

    async def request(self, method: str, params: dict[str, Any], *, chain: str = "") -> Any:
        """Ask `info`, `stream` or `streams`. Raises `ProblemError`: 404, or 503."""
        place = f"/chains/{chain}" if chain else ""
        status, body = await self._get(f"{place}/api/v1/{_path(method, params)}")
        try:
            if status == NOT_FOUND:
                raise ProblemError.of(msgspec.json.decode(body, type=Problem))
            if status == 200:
                return msgspec.to_builtins(msgspec.json.decode(body, type=_TYPES[method]))
        except msgspec.MsgspecError:
            raise self._unreachable("answers what is no answer of PayStream's") from None
        raise self._unreachable(f"answers {status}")

    async def _get(self, path: str) -> tuple[int, bytes]:
        if self._client is None:
            timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
            self._client = aiohttp.ClientSession(timeout=timeout, auto_decompress=False)
        body = bytearray()
        try:
            async with self._client.get(self.origin + path, allow_redirects=False) as response:
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > ANSWER_BYTES_MAX:
                        raise self._unreachable("answers more than is ever said of streams")
                return response.status, bytes(body)
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise self._unreachable("does not answer") from None

    def _unreachable(self, why: str) -> ProblemError:
        return ProblemError.of(
            Problem(
                status=503,
                code="ledger-unreachable",
                detail=f"who owns which stream is asked at {self.origin} (--media-origin), which "
                f"{why}; try again in a moment",
                retry_after_s=2,
            )
        )

    async def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            await self._client.close()


def _path(method: str, params: dict[str, Any]) -> str:
    if method == "stream":
        return f"streams/{params['stream']}"
    if "ids" in params:
        params = {**params, "ids": ",".join(str(each) for each in params["ids"])}
    query = urlencode({name: value for name, value in params.items() if value is not None})
    return f"{method}?{query}" if query else method
