"""What HTTP requests carry, read strictly: tokens, numbers and JSON bodies."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

import msgspec
from aiohttp import web

from streaming.http.links import Links
from streaming.http.problem import ProblemError
from streaming.session_state import SessionRef, StreamRef
from streaming.sfu.media_engine import LiveState, MediaEngine

JSON_BYTES_MAX: Final = 64 * 1024
STREAM_MAX: Final = (1 << 64) - 1
IDS_NAMED_MAX: Final = 100
"""Streams that one question may name."""
LINK: Final = web.AppKey("link", Links)
ENGINE: Final = web.AppKey[MediaEngine]("engine", MediaEngine)
REQUEST_TIMEOUT_S: Final = web.AppKey("request_timeout_s", float)
_TOKEN = re.compile(r"ps[wp]_[A-Za-z0-9_-]{1,124}")
"""How every token of a relayer looks: what looks otherwise is refused without asking it."""
_NUMBER = re.compile(r"[0-9]{1,20}")


def is_token(text: str) -> bool:
    """Whether a text looks like a token of a relayer."""
    return _TOKEN.fullmatch(text) is not None


def bearer(request: web.Request) -> str:
    """The token of the request. Raises 401 without one, or with one that cannot be one."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if kind.lower() == "bearer" and token and " " not in token and not is_token(token):
        raise ProblemError(
            401, "token-invalid", "this is no token of PayStream: sign in again", field="token"
        )
    if kind.lower() != "bearer" or not is_token(token):
        raise ProblemError(
            401,
            "token-missing",
            "send a token in the header `Authorization: Bearer ...`; sign in to get one "
            "(POST /api/v1/challenge, then /api/v1/token)",
        )
    return token


def optional_bearer(request: web.Request) -> str | None:
    """The token of the request, if it has one."""
    return bearer(request) if "Authorization" in request.headers else None


def chain_of(request: web.Request) -> str:
    """The name of the chain that the path is about; empty for the one without a name."""
    return request.match_info.get("chain", "")


def place_of(request: web.Request) -> str:
    """What stands in front of every path about the chain of this one."""
    chain = chain_of(request)
    return f"/chains/{chain}" if chain else ""


def stream_of(request: web.Request) -> StreamRef:
    """The stream in the path. Raises 404 for what is no number."""
    text = request.match_info["stream"]
    if not _NUMBER.fullmatch(text) or int(text) > STREAM_MAX:
        raise ProblemError(
            404, "stream-not-found", f"{text[:40]!r} is no stream: streams have numbers"
        )
    return StreamRef(int(text), chain_of(request))


def live_streams(engine: MediaEngine) -> dict[StreamRef, LiveState]:
    """Everything that is being published, by stream."""
    return {
        state.stream: state for state in engine.all_live() if isinstance(state.stream, StreamRef)
    }


def query_number(request: web.Request, name: str) -> int | None:
    """A whole number of the query, None where it is not named. Raises 400 for anything else."""
    text = request.query.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text) or int(text) > STREAM_MAX:
        raise ProblemError(
            400, "query-invalid", f"`{name}` is no whole number: {text[:40]!r}", field=name
        )
    return int(text)


def query_ids(request: web.Request) -> frozenset[int] | None:
    """The streams' numbers in `ids`, None where they are not named. Raises 400."""
    text = request.query.get("ids")
    if text is None:
        return None
    parts = text.split(",", IDS_NAMED_MAX)
    if len(parts) > IDS_NAMED_MAX or not all(
        _NUMBER.fullmatch(each) and int(each) <= STREAM_MAX for each in parts
    ):
        raise ProblemError(
            400,
            "query-invalid",
            f"`ids` is at most {IDS_NAMED_MAX} streams' numbers with commas between, such as 1,5",
            field="ids",
        )
    return frozenset(int(each) for each in parts)


def query_flag(request: web.Request, name: str) -> bool:
    """Whether the query asks for something: `1` does, `0` does not. Raises 400 for the rest."""
    text = request.query.get(name, "0")
    if text not in ("0", "1"):
        raise ProblemError(400, "query-invalid", f"`{name}` is 0 or 1", field=name)
    return text == "1"


def session_of(request: web.Request) -> SessionRef:
    """The session `grant-index` in the path. Raises 404 for what is none."""
    grant, _, index = request.match_info["session"].partition("-")
    if not (_NUMBER.fullmatch(grant) and _NUMBER.fullmatch(index)):
        raise ProblemError(
            404, "session-not-found", "a session is named by its grant and index, such as 3-1"
        )
    return SessionRef(grant=int(grant), index=int(index))


async def json_of(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body. Raises 413, 415 or 400."""
    if request.content_type != "application/json":
        raise ProblemError(
            415, "content-type", "send the body as JSON with Content-Type: application/json"
        )
    body = await body_of(request, JSON_BYTES_MAX, "a request")
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise ProblemError(400, "json-invalid", "the body is no valid JSON") from None
    if not isinstance(value, dict):
        raise ProblemError(400, "json-invalid", "the body is no JSON object; send {...}")
    return value


async def body_of(request: web.Request, limit: int, what: str) -> bytes:
    """The body, at most `limit` bytes of it, within the request's time. Raises 413 or 408."""
    too_large = ProblemError(
        413,
        "too-large",
        f"the body is larger than {limit // 1024} KiB; {what} is never that long",
    )
    if request.content_length is not None and request.content_length > limit:
        raise too_large
    body = bytearray()
    within_s = request.app[REQUEST_TIMEOUT_S]
    try:
        async with asyncio.timeout(within_s or None):
            async for chunk in request.content.iter_chunked(16 * 1024):
                body += chunk
                if len(body) > limit:
                    raise too_large
    except TimeoutError:
        raise ProblemError(
            408,
            "request-timeout",
            f"the body did not arrive within {within_s:g} s (--request-timeout): send it in one go",
            headers={"Connection": "close"},
        ) from None
    except (web.RequestPayloadError, ConnectionError):
        raise ProblemError(
            400,
            "body-incomplete",
            "the body is not what its header says: send all of it, encoded as announced",
            headers={"Connection": "close"},
        ) from None
    return bytes(body)
