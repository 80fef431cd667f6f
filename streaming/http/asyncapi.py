"""The WebSocket described: AsyncAPI 3, made of the types that its frames are written by."""

from __future__ import annotations

import inspect
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from streaming.community.community import PREFIX
from streaming.live_frames import ASKED, HEARD

PATH: Final = "/asyncapi.json"
_CHANNEL: Final = "#/channels/live"
_REPLIES: Final = {
    "hello": ("welcome", "refused"),
    "join": ("joined", "refused"),
    "leave": (),
    "say": ("said", "held", "refused"),
}
"""What answers which frame; `leave` is not answered."""


def document(origin: str) -> dict[str, Any]:
    """Describe the WebSocket of the server with this public address."""
    place = urlsplit(origin)
    _, schemas = msgspec.json.schema_components(
        (*ASKED, *HEARD), ref_template="#/components/schemas/{name}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "PayStream: what is live",
            "version": "1",
            "description": "One WebSocket for each page. Frames are JSON objects in text frames, "
            "told apart by `type`; the token of a session comes in `hello`, and never in the "
            "address. The server closes with 4008 who is too slow, with 4029 who is too fast, and "
            "with 1001 when it goes down: connect again, join again, and say again under the same "
            "`id` what was not answered.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "this": {
                "host": place.netloc,
                "protocol": "wss" if place.scheme == "https" else "ws",
            }
        },
        "channels": {
            "live": {
                "address": f"{PREFIX}/live",
                "title": "What is live",
                "messages": {
                    _kind(one): {"$ref": f"#/components/messages/{_kind(one)}"}
                    for one in (*ASKED, *HEARD)
                },
                "bindings": {"ws": {"method": "GET"}},
            }
        },
        "operations": {
            **{_kind(one): _operation(_kind(one)) for one in ASKED},
            "hear": {
                "action": "send",
                "channel": {"$ref": _CHANNEL},
                "summary": "What happens in the chats that were joined, and to the session.",
                "messages": [_message(_kind(one)) for one in HEARD],
            },
        },
        "components": {
            "messages": {
                _kind(one): {
                    "name": _kind(one),
                    "summary": inspect.getdoc(one),
                    "payload": {"$ref": f"#/components/schemas/{one.__name__}"},
                }
                for one in (*ASKED, *HEARD)
            },
            "schemas": schemas,
        },
    }


def _kind(one: type[msgspec.Struct]) -> str:
    return str(one.__struct_config__.tag)


def _message(kind: str) -> dict[str, str]:
    return {"$ref": f"{_CHANNEL}/messages/{kind}"}


def _operation(kind: str) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "action": "receive",
        "channel": {"$ref": _CHANNEL},
        "messages": [_message(kind)],
    }
    replies = _REPLIES[kind]
    if replies:
        asked["reply"] = {
            "channel": {"$ref": _CHANNEL},
            "messages": [_message(reply) for reply in replies],
        }
    return asked


def route(origin: str) -> web.RouteDef:
    """Where it is: `/asyncapi.json`."""
    body = msgspec.json.encode(document(origin))

    async def description(request: web.Request) -> web.Response:  # noqa: ARG001
        headers = {"Cache-Control": "no-store"}
        return web.Response(body=body, content_type="application/json", headers=headers)

    return web.get(PATH, description)
