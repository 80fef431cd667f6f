"""The community's paths described, for servers that have one."""

from __future__ import annotations

from typing import Any, Final

from streaming.community.accounts import DEVICE_CHARS_MAX
from streaming.community.audit import LISTED_MAX, REASON_CHARS_MAX
from streaming.community.card_routes import PAGES_SEARCHED_MAX
from streaming.community.cards import (
    AGES,
    CATEGORY_CHARS_MAX,
    DESCRIPTION_CHARS_MAX,
    TITLE_CHARS_MAX,
)
from streaming.community.chat import reports
from streaming.community.chat.address_bans import BAN_MAX_MS
from streaming.community.chat.chat import HISTORY_MAX
from streaming.community.chat.filters import HOLD, PATTERN_CHARS_MAX, REFUSE
from streaming.community.chat.messages import TEXT_CHARS_MAX
from streaming.community.chat.settings import LINKS_DAYS_MAX, SLOW_MODE_MAX_S, SPEAKERS
from streaming.community.handles import HANDLE_CHARS_MAX, HANDLE_CHARS_MIN
from streaming.community.ledger import PAGE_STREAMS_MAX
from streaming.community.profiles import ABOUT_CHARS_MAX, NAME_CHARS_MAX
from streaming.community.searching import STARTS_WITHIN_MAX_S
from streaming.community.searching import TEXT_CHARS_MAX as TEXT_CHARS_MAX_SEARCHED
from streaming.http.openapi_parts import FIELDS, STREAMS_ASKED, Security, operation

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
    "text": {
        "type": "string",
        "maxLength": TEXT_CHARS_MAX,
        "description": "who is called by @handle is in the message's `mentions`",
    },
    "reply_to": {"type": "integer", "minimum": 1, "description": "the message that it answers"},
}

_REASON: Final[dict[str, Any]] = {
    "type": "string",
    "maxLength": REASON_CHARS_MAX,
    "description": "why; it stands beside the log, and goes with the account",
}


def _body(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    schema = {"type": "object", "required": list(required), "properties": properties}
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}


def _whole(**names: str) -> list[dict[str, Any]]:
    schema = {"type": "integer", "minimum": 0}
    return [
        {"name": name, "in": "query", "schema": schema, "description": text}
        for name, text in names.items()
    ]


def _query(name: str, schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": text}


_SEARCHED: Final[list[dict[str, Any]]] = [
    _query(
        "category", {"type": "string", "maxLength": CATEGORY_CHARS_MAX}, "in small letters or not"
    ),
    _query("language", {"type": "string"}, "BCP 47; `pt` finds `pt-BR`, too"),
    _query("tag", {"type": "string"}, "a word, with # or without"),
    _query(
        "text",
        {"type": "string", "maxLength": TEXT_CHARS_MAX_SEARCHED},
        "each of its words is in the title, the category, the tags, or the owner's name or handle",
    ),
    _query(
        "starts_within_s",
        {"type": "integer", "minimum": 1, "maximum": STARTS_WITHIN_MAX_S},
        "the schedule has a start from now on within so many seconds",
    ),
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
_TARGET: Final[dict[str, Any]] = {
    "message": {"type": "integer", "minimum": 1, "description": "its number; or the account"},
    "account": {"type": "string", "description": "a handle or an address"},
}
_SETTINGS: Final[dict[str, Any]] = {
    "slow_mode_s": {"type": "integer", "minimum": 0, "maximum": SLOW_MODE_MAX_S},
    "speakers": {"enum": list(SPEAKERS)},
    "links_held": {
        "type": "boolean",
        "description": "what has a link waits for a moderator",
    },
    "links_days": {
        "type": "integer",
        "minimum": 0,
        "maximum": LINKS_DAYS_MAX,
        "description": "but of accounts that signed in so many days ago; 0 for nobody's",
    },
}
_ACTS: Final = _whole(before="a number", limit=f"how many; {LISTED_MAX} at most")
_FILTER: Final[dict[str, Any]] = {
    "pattern": {
        "type": "string",
        "maxLength": PATTERN_CHARS_MAX,
        "description": "a word or some; found however it is written",
    },
    "action": {"enum": [REFUSE, HOLD]},
    "within_words": {"type": "boolean", "default": False},
}


def _filters(*parameters: str) -> dict[str, Any]:
    return {
        "get": operation(
            "The words that are looked for, for who moderates.",
            {"200": "`filters`"},
            parameters=parameters,
            security=SESSION,
        ),
        "post": operation(
            "Refuse or hold back what has some words from now on.",
            {"201": "`number`", "409": "one that reads the same is there, or too many are"},
            parameters=parameters,
            body=_body(_FILTER, "pattern", "action"),
            security=SESSION,
        ),
    }


def _filter(*parameters: str) -> dict[str, Any]:
    return {
        "delete": operation(
            "Look for some words no more.",
            {"200": "`removed`"},
            parameters=(*parameters, "number"),
            security=SESSION,
        )
    }


_OPERATOR: Final[dict[str, dict[str, Any]]] = {
    f"{_PREFIX}/acts": {
        "get": operation(
            "What moderators did everywhere, for the operator, the latest first.",
            {"200": "`acts`, each with its `digest` and that of the one before"},
            headers=_ACTS,
            security=SESSION,
        )
    },
}
_OPERATOR[f"{_PREFIX}/queue"] = {
    "get": operation(
        "What waits for a moderator in all streams, for the operator.",
        {"200": "`reports` and `held`, each with its `chain` and `stream`"},
        security=SESSION,
    )
}
_OPERATOR[f"{_PREFIX}/reports"] = {
    "get": operation(
        "What this account has reported, with the answers.", {"200": "`reports`"}, security=SESSION
    )
}
_OPERATOR[f"{_PREFIX}/filters"] = _filters()
_OPERATOR[f"{_PREFIX}/filters/{{number}}"] = _filter()
_STREAMS: Final[dict[str, dict[str, Any]]] = {
    "/api/v1/cards": {
        "get": operation(
            "What the owners of streams say of them, by the streams' numbers: at most 500, or "
            "`limit`, above `after`. On a server that has media, too, `streams` says the same. "
            "With `category`, `language`, `tag`, `text` or `starts_within_s` those alone that fit; "
            f"{PAGES_SEARCHED_MAX * PAGE_STREAMS_MAX} are looked through at a time, so `next` may "
            "be there though few, or none, are found.",
            {
                "200": "`cards`: `stream`, `card` or null, `owner_name`; `next`: the `after` of "
                "the next page, or null",
                "503": "who owns which stream is not known at the moment",
            },
            headers=[
                *_whole(after="a stream's number", limit="how many"),
                *STREAMS_ASKED,
                *_SEARCHED,
            ],
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
            {
                "200": "the message, with its `number`",
                "202": "`held`: it waits for a moderator",
                "403": "muted or banned, or for followers only",
                "422": "it has words that are refused here",
                "429": "too often",
            },
            parameters=("stream",),
            body=_body(_SAID, "id", "text"),
            security=SESSION,
        ),
    },
    f"{_CHAT}/settings": {
        "get": operation(
            "How the chat is set.",
            {"200": "`slow_mode_s`, `speakers`, `links_held`, `links_days`"},
            parameters=("stream",),
        ),
        "put": operation(
            "Set how the chat is, as who moderates; what is left out stays.",
            {"200": "the settings"},
            parameters=("stream",),
            body=_body(_SETTINGS),
            security=SESSION,
        ),
    },
    f"{_CHAT}/messages/{{number}}": {
        "delete": operation(
            "Delete a message: one's own, or any as who moderates.",
            {"200": "`deleted`"},
            parameters=("stream", "number"),
            body=_body({"reason": _REASON}),
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
            {"200": "`account`, `until_ms`, how many `addresses`"},
            parameters=("stream", "who"),
            body=_body(
                {
                    "seconds": {"type": ["integer", "null"], "minimum": 1},
                    "reason": _REASON,
                    "addresses": {
                        "type": "boolean",
                        "description": "ban the addresses that it spoke from, too, for "
                        f"{BAN_MAX_MS // 86_400_000} days at most",
                    },
                },
                "seconds",
            ),
            security=SESSION,
        ),
        "delete": operation(
            "Let an account speak again.",
            {"200": "`account`"},
            parameters=("stream", "who"),
            body=_body({"reason": _REASON}),
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
            "Name a moderator, as the stream's owner or the operator.",
            {"200": "`account`, `moderates`"},
            parameters=("stream", "who"),
            security=SESSION,
        ),
        "delete": operation(
            "Dismiss a moderator, as the stream's owner or the operator.",
            {"200": "`account`, `moderates`"},
            parameters=("stream", "who"),
            security=SESSION,
        ),
    },
    f"{_CHAT}/reports": {
        "post": operation(
            "Report a message or an account; one open report of each.",
            {
                "201": "`number`",
                "409": "you have reported it, and nobody has answered yet",
                "429": "too often",
            },
            parameters=("stream",),
            body=_body(
                {
                    **_TARGET,
                    "reason": {"enum": list(reports.REASONS)},
                    "text": {"type": "string", "maxLength": reports.TEXT_CHARS_MAX},
                },
                "reason",
            ),
            security=SESSION,
        )
    },
    f"{_CHAT}/reports/answer": {
        "post": operation(
            "Do something about what is reported, as who moderates, and close every report of it. "
            "With all but a dismissal a message is deleted.",
            {
                "200": "`answer`, and how many were `closed`",
                "403": "of oneself, or of who is above",
                "404": "nothing is reported there",
            },
            parameters=("stream",),
            body=_body(
                {
                    **_TARGET,
                    "answer": {"enum": list(reports.ANSWERS)},
                    "seconds": {"type": "integer", "minimum": 1, "description": "of a time-out"},
                    "reason": _REASON,
                },
                "answer",
            ),
            security=SESSION,
        )
    },
    f"{_CHAT}/queue": {
        "get": operation(
            "What waits for a moderator: reports, target by target, and messages that are held.",
            {
                "200": "`reports`: `account`, `message`, `count`, `since_ms`, and why; `held`: "
                "`number`, `author`, `text`, `why`, `pattern`"
            },
            parameters=("stream",),
            security=SESSION,
        )
    },
    f"{_CHAT}/filters": _filters("stream"),
    f"{_CHAT}/filters/{{number}}": _filter("stream"),
    f"{_CHAT}/held": {
        "get": operation(
            "Messages that wait for a moderator, the oldest first.",
            {"200": "`held`: `number`, `author`, `text`, `why` (`filter` or `link`), `pattern`"},
            parameters=("stream",),
            security=SESSION,
        )
    },
    f"{_CHAT}/held/{{number}}": {
        "post": operation(
            "Let a message that waits be said now.",
            {"200": "the message", "404": "it does not wait"},
            parameters=("stream", "number"),
            security=SESSION,
        ),
        "delete": operation(
            "Let a message that waits never be said.",
            {"200": "`rejected`", "404": "it does not wait"},
            parameters=("stream", "number"),
            body=_body({"reason": _REASON}),
            security=SESSION,
        ),
    },
    f"{_CHAT}/acts": {
        "get": operation(
            "What moderators did in this chat, for them, the latest first.",
            {"200": "`acts`: `act`, `actor`, `subject`, `at_ms`, `detail`, `reason`, `digest`"},
            parameters=("stream",),
            headers=_ACTS,
            security=SESSION,
        )
    },
}
PATHS: Final[dict[str, dict[str, Any]]] = {
    **_ACCOUNTS,
    **_PROFILES,
    **_OPERATOR,
    **_DESCRIBED,
    **_STREAMS,
}
