"""The community's paths described, for servers that have one."""

from __future__ import annotations

from typing import Any, Final

from streaming.community.accounts import DEVICE_CHARS_MAX
from streaming.community.cards import AGES, DESCRIPTION_CHARS_MAX, TITLE_CHARS_MAX
from streaming.community.chat.chat import HISTORY_MAX, SLOW_MODE_MAX_S
from streaming.community.chat.messages import TEXT_CHARS_MAX
from streaming.community.handles import HANDLE_CHARS_MAX, HANDLE_CHARS_MIN
from streaming.community.profiles import ABOUT_CHARS_MAX, NAME_CHARS_MAX
from streaming.http.openapi_parts import FIELDS, Security, operation

SESSION: Final[Security] = [{"session": []}]
_EVERYBODY_OR_SESSION: Final[Security] = [{}, *SESSION]
_PREFIX: Final = "/api/v1/community"
_CHAT: Final = "/api/v1/streams/{stream}/chat"

_LIST: Final = {"type": "array"}
_PROFILE: Final[dict[str, Any]] = {
    "name": {"type": "string", "maxLength": NAME_CHARS_MAX},
    "handle": {
        "type": "string",
        "minLength": HANDLE_CHARS_MIN,
        "maxLength": HANDLE_CHARS_MAX,
        "description": "of one script; refused where it looks like another's",
    },
    "about": {"type": "string", "maxLength": ABOUT_CHARS_MAX},
    "links": {**_LIST, "items": {"type": "object", "required": ["label", "url"]}},
    "languages": {**_LIST, "items": {"type": "string", "description": "BCP 47"}},
}
_CARD: Final[dict[str, Any]] = {
    "title": {"type": "string", "maxLength": TITLE_CHARS_MAX},
    "description": {
        "type": "string",
        "maxLength": DESCRIPTION_CHARS_MAX,
        "description": "Markdown, without HTML and pictures",
    },
    "category": {"type": "string"},
    "tags": {**_LIST, "items": {"type": "string"}},
    "language": {"type": "string", "description": "BCP 47"},
    "age_min": {"enum": list(AGES)},
    "schedule": {**_LIST, "items": {"type": "object", "required": ["starts_at_ms"]}},
}
_SIGNED: Final[dict[str, Any]] = {
    **_CARD,
    "version": {"type": "integer", "description": "as it was prepared"},
    "signature": FIELDS["hex"],
}
_SAID: Final[dict[str, Any]] = {
    "id": {"type": "string", "pattern": "^[A-Za-z0-9_-]{8,64}$"},
    "text": {"type": "string", "maxLength": TEXT_CHARS_MAX},
}


def _body(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    schema = {"type": "object", "required": list(required), "properties": properties}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _whole(**names: str) -> list[dict[str, Any]]:
    schema = {"type": "integer", "minimum": 0}
    return [
        {"name": name, "in": "query", "schema": schema, "description": text}
        for name, text in names.items()
    ]


_ACCOUNTS: Final[dict[str, dict[str, Any]]] = {
    f"{_PREFIX}/challenge": {
        "post": operation(
            "A text that an account's key signs to sign in to the community.",
            {"200": "`challenge`, `message`, `expires_at_ms`"},
            body=_body({"account": FIELDS["account"]}, "account"),
        )
    },
    f"{_PREFIX}/sessions": {
        "post": operation(
            "A session for a signed challenge; sr25519 or ed25519, wrapped in <Bytes> or not.",
            {"201": "`token`, `account`, `id`, `expires_at_ms`"},
            body=_body(
                {
                    "challenge": FIELDS["text"],
                    "signature": FIELDS["hex"],
                    "device": {"type": "string", "maxLength": DEVICE_CHARS_MAX},
                },
                "challenge",
                "signature",
            ),
        ),
        "get": operation(
            "Where this account is signed in.", {"200": "`sessions`"}, security=SESSION
        ),
    },
    f"{_PREFIX}/sessions/{{id}}": {
        "delete": operation(
            "End one of this account's sessions; `current` is the one that asks.",
            {"200": "`ended`", "404": "it has none of this id"},
            parameters=("id",),
            security=SESSION,
        )
    },
    f"{_PREFIX}/account/export": {
        "get": operation(
            "Everything that is kept about this account, as one JSON file.",
            {"200": "it"},
            security=SESSION,
        )
    },
    f"{_PREFIX}/account": {
        "delete": operation(
            "Delete this account with everything about it, for good.",
            {"200": "`deleted`"},
            security=SESSION,
        )
    },
}
_PROFILES: Final[dict[str, dict[str, Any]]] = {
    f"{_PREFIX}/profile": {
        "put": operation(
            "Replace this account's profile; what is left out is empty.",
            {"200": "the profile", "409": "the handle is taken, or looks like one that is"},
            body=_body(_PROFILE),
            security=SESSION,
        )
    },
    f"{_PREFIX}/profiles/{{who}}": {
        "get": operation(
            "Somebody's profile, by handle or address; `you_follow` for who is signed in.",
            {"200": "the profile, `followers`, `following`", "404": "nobody of this name is here"},
            parameters=("who",),
            security=_EVERYBODY_OR_SESSION,
        )
    },
    f"{_PREFIX}/follows": {
        "get": operation("Whom this account follows.", {"200": "`follows`"}, security=SESSION)
    },
    f"{_PREFIX}/follows/{{who}}": {
        "put": operation(
            "Follow somebody.",
            {"200": "`you_follow`, `followers`"},
            parameters=("who",),
            security=SESSION,
        ),
        "delete": operation(
            "Follow somebody no more.",
            {"200": "`you_follow`, `followers`"},
            parameters=("who",),
            security=SESSION,
        ),
    },
    f"{_PREFIX}/live": {
        "get": operation(
            "A WebSocket for what is live; `/asyncapi.json` describes its frames, in both "
            "directions.",
            {
                "101": "open; 4008 closes one that is too slow, 4029 one that is too fast, 1001 "
                "says that the server goes down: connect again",
                "426": "this is no WebSocket",
                "503": "the server has no place left",
            },
        )
    },
}
_DESCRIBED: Final[dict[str, dict[str, Any]]] = {
    "/asyncapi.json": {
        "get": operation("What the WebSocket `live` carries, as AsyncAPI 3.", {"200": "it"})
    }
}
_STREAMS: Final[dict[str, dict[str, Any]]] = {
    "/api/v1/cards": {
        "get": operation(
            "What the owners of streams say of them, by the streams' numbers: at most 500, or "
            "`limit`, above `after`. On a server that has media, too, `streams` says the same.",
            {
                "200": "`cards`: `stream`, `card` or null, `owner_name`; `next`: the `after` of "
                "the next page, or null",
                "503": "who owns which stream is not known at the moment",
            },
            headers=_whole(after="a stream's number", limit="how many"),
        )
    },
    "/api/v1/streams/{stream}/card": {
        "get": operation(
            "What the stream's owner says that it is about, with the owner's signature.",
            {
                "200": "`card`, `description_html`, `owner`, `proof`",
                "404": "the owner has not said",
            },
            parameters=("stream",),
        ),
        "post": operation(
            "The text that the stream's owner signs for a card. Keeps nothing.",
            {"200": "`card` as it is kept, `version`, `message`"},
            parameters=("stream",),
            body=_body({**_CARD, "account": FIELDS["account"]}, "title"),
        ),
        "put": operation(
            "Keep a card; the stream's owner has signed it.",
            {
                "200": "as it is shown",
                "403": "not the owner's signature, or not over this card",
                "409": "a later one is there",
            },
            parameters=("stream",),
            body=_body(_SIGNED, "title", "version", "signature"),
        ),
        "delete": operation(
            "Remove the card of one's own stream.",
            {"200": "`removed`"},
            parameters=("stream",),
            security=SESSION,
        ),
    },
    _CHAT: {
        "get": operation(
            f"Messages in order: the latest, or those after or before a number; {HISTORY_MAX} at "
            "most.",
            {"200": "`messages`"},
            parameters=("stream",),
            headers=_whole(after="a number", before="a number", limit="how many"),
        ),
        "post": operation(
            "Say something. Sent again with the same `id`, it is the same message.",
            {"200": "the message, with its `number`", "403": "muted or banned", "429": "too often"},
            parameters=("stream",),
            body=_body(_SAID, "id", "text"),
            security=SESSION,
        ),
    },
    f"{_CHAT}/settings": {
        "put": operation(
            "Set slow mode, as who moderates.",
            {"200": "the settings"},
            parameters=("stream",),
            body=_body(
                {"slow_mode_s": {"type": "integer", "minimum": 0, "maximum": SLOW_MODE_MAX_S}},
                "slow_mode_s",
            ),
            security=SESSION,
        )
    },
    f"{_CHAT}/messages/{{number}}": {
        "delete": operation(
            "Delete a message: one's own, or any as who moderates.",
            {"200": "`deleted`"},
            parameters=("stream", "number"),
            security=SESSION,
        )
    },
    f"{_CHAT}/mutes": {
        "get": operation(
            "Who may not speak, for who moderates.",
            {"200": "`mutes`"},
            parameters=("stream",),
            security=SESSION,
        )
    },
    f"{_CHAT}/mutes/{{who}}": {
        "put": operation(
            "Let an account not speak for some seconds; for good with null.",
            {"200": "`account`, `until_ms`"},
            parameters=("stream", "who"),
            body=_body({"seconds": {"type": ["integer", "null"], "minimum": 1}}, "seconds"),
            security=SESSION,
        ),
        "delete": operation(
            "Let an account speak again.",
            {"200": "`account`"},
            parameters=("stream", "who"),
            security=SESSION,
        ),
    },
    f"{_CHAT}/moderators": {
        "get": operation(
            "Who moderates beside the owner.", {"200": "`moderators`"}, parameters=("stream",)
        )
    },
    f"{_CHAT}/moderators/{{who}}": {
        "put": operation(
            "Name a moderator, as the stream's owner.",
            {"200": "`account`, `moderates`"},
            parameters=("stream", "who"),
            security=SESSION,
        ),
        "delete": operation(
            "Dismiss a moderator, as the stream's owner.",
            {"200": "`account`, `moderates`"},
            parameters=("stream", "who"),
            security=SESSION,
        ),
    },
}
PATHS: Final[dict[str, dict[str, Any]]] = {**_ACCOUNTS, **_PROFILES, **_DESCRIBED, **_STREAMS}
