"""The HTTP interface described: OpenAPI 3.1, and one page of it that loads nothing."""

from __future__ import annotations

from html import escape
from typing import Any, Final

from streaming.http.openapi_community import PATHS as COMMUNITY_PATHS
from streaming.http.openapi_parts import STREAMS_ASKED, Security, body_of, operation, sdp
from streaming.sfu.sdp import SDP_BYTES_MAX

_WATCH: Final[Security] = [{"watch": []}]
_PUBLISH: Final[Security] = [{"publish": []}]
_EITHER: Final[Security] = [{"watch": []}, {"publish": []}]


def _amounts(names: dict[str, str]) -> dict[str, Any]:
    return {
        name: {"type": "string", "pattern": "^[0-9]+$", "description": text}
        for name, text in names.items()
    }


_OUTLAY: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What a transaction takes, what the account has, and what it lacks. Fees and "
    "storage deposits are native money, and so are the amounts that do not say otherwise. A "
    "call of kind `deposit_and_grant` (or `deposit`, where no grant is missing) with the amounts "
    "of `needs` succeeds where both `short_by` and `asset_short_by` are 0.",
    "properties": {
        "needs": {
            "type": "object",
            "properties": {
                **_amounts(
                    {
                        "deposit": "to move into the vault, of the stream's asset",
                        "deposit_max": "the largest deposit that can be paid, of that asset",
                        "storage_deposit": "held while the grant or stream lasts",
                        "fees": "the most that the transaction costs",
                        "existential_deposit": "must stay in the account",
                        "frozen": "must stay beyond that, for freezes",
                        "total": "all of these, the deposit too where its asset is native",
                        "asset_total": "the deposit and what must stay, where its asset is not",
                        "cap": "of the suggested grant; in terms alone, as the next three",
                        "rate_max_per_second": "of the suggested grant",
                    }
                ),
                "sessions_max": {"type": "integer"},
                "gap_ms": {"type": "integer"},
            },
        },
        **_amounts(
            {
                "has": "the account's free balance",
                "short_by": "what to send the account first",
                "asset_has": "its free balance of the deposit's asset, where that is not native",
                "asset_short_by": "what to send it of that asset first",
            }
        ),
    },
}

_RESUME_HEADER = {
    "name": "PayStream-Resume",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "the secret that an earlier answer gave, to go on with the same session within "
    "15 s",
}

_RENEW_HEADER = {
    "name": "PayStream-Renew",
    "in": "header",
    "required": False,
    "schema": {"enum": ["1"]},
    "description": "1 asks for another period of a running subscription before its last one ends, "
    "as far as the grant allows renewals",
}

_ACCEPT_PAYMENT_HEADER = {
    "name": "Accept-Payment",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "where there is no `Authorization` yet: `paystream/session` asks for a "
    "challenge (402) in place of 401",
}

_WATCHING_HEADERS: Final = {
    "201": {
        "Location": "the connection",
        "PayStream-Session": "the session as grant-index",
        "PayStream-Resume": "the secret to go on with it within 15 s",
        "Payment-Receipt": "that the session is open and covered, base64url of JSON; `spent` is "
        "what has been paid, not what will be",
    },
    "402": {
        "WWW-Authenticate": "a challenge of the `Payment` scheme, method `paystream`, intent "
        "`session`",
    },
}

_PLAYING: Final = "what is so now: `paused`, `number` (the highest that was heard), `delivered_ms`"
_TOO_MANY: Final = "a limit by address, which `detail` names; `Retry-After` says when to ask again"
_NUMBERED: Final = {**body_of({}, {"number": "count"}), "required": False}

MEDIA_PATHS: Final[dict[str, dict[str, Any]]] = {
    "/whip/{stream}": {
        "post": operation(
            "Publish a stream (WHIP, RFC 9725). `?sound_alone=1` allows an offer without video.",
            {
                "201": "the SDP answer; `Location` is the publication",
                "400": "not SDP, or it contradicts itself; the detail names the line",
                "401": "no valid publish token",
                "403": "the token is for something else",
                "410": "the stream has ended",
                "408": "the offer did not arrive in time",
                "413": f"larger than {SDP_BYTES_MAX // 1024} KiB",
                "415": "not application/sdp",
                "422": "the offer cannot be used; the detail names the line and the remedy",
                "429": _TOO_MANY,
            },
            parameters=("stream",),
            body=sdp("the offer; VP8 or H.264, and Opus"),
            security=_PUBLISH,
        )
    },
    "/whip/{stream}/{resource}": {
        "delete": operation(
            "End a publication.", {"200": "ended"}, parameters=("stream", "resource")
        )
    },
    "/whep/{stream}": {
        "post": operation(
            "Watch a stream (WHEP) under a paid session.",
            {
                "201": "the SDP answer; `Location` is the connection, `PayStream-Session` the "
                "session as grant-index, `PayStream-Resume` the secret to go on with it",
                "400": "several headers `Authorization`",
                "401": "no token, or none that is known",
                "402": "it cannot be paid; `terms` says what is missing. Or a credential was "
                "refused: `malformed-credential`, `invalid-challenge`, `verification-failed`",
                "409": "`not-live`: nobody publishes it at the moment",
                "410": "the stream has ended",
                "422": "nothing in the offer can be used",
                "429": _TOO_MANY,
                "503": "the server is full, or too many viewers of the stream are just "
                "connecting; `Retry-After` says when to ask again",
            },
            parameters=("stream",),
            headers=[_RESUME_HEADER, _RENEW_HEADER, _ACCEPT_PAYMENT_HEADER],
            body=sdp("the offer, receiving video and sound"),
            security=[*_WATCH, {"payment": []}],
            answer_headers=_WATCHING_HEADERS,
        )
    },
    "/whep/{stream}/{resource}": {
        "get": operation(
            "Whether media flows. The address is the secret; no token is needed.",
            {
                "200": "`state`: `connecting`, `forwarding`, `paused`, `held` or `ending`; "
                "`reasons` for which nothing is sent; `delivered_ms`, `forwarded_ms`; `paused`, "
                "`number` and `sound_alone` as below; `sound_free_ms`, how long sound alone would "
                "still be free",
                "404": "it has ended",
            },
            parameters=("stream", "resource"),
        ),
        "delete": operation(
            "Leave. Media stops at once; the answer waits for the report about what was sent last: "
            "at most 1.6 s, or 7.6 s where receiver reports alone tell what has come. Keep the "
            "connection open until then. Who hangs up is ended all the same.",
            {"200": "`delivered_ms` and `session`", "404": "it has ended"},
            parameters=("stream", "resource"),
        ),
    },
    "/whep/{stream}/{resource}/pause": {
        "post": operation(
            "Stop sending; nothing is paid from the answer on. `number` counts the pauses and "
            "resumptions of a connection: send one again until it is answered; one that was "
            "overtaken by a higher number changes nothing.",
            {"200": _PLAYING, "429": "too many of them a second; see `Retry-After`"},
            parameters=("stream", "resource"),
            body=_NUMBERED,
        )
    },
    "/whep/{stream}/{resource}/resume": {
        "post": operation(
            "Go on sending. At most one in a second takes effect, three in a row: the answer "
            "comes when it has, or when something newer was asked for.",
            {"200": _PLAYING, "429": "too many of them a second; see `Retry-After`"},
            parameters=("stream", "resource"),
            body=_NUMBERED,
        )
    },
    "/whep/{stream}/{resource}/sound": {
        "post": operation(
            "Where the path is too narrow for the picture (reason `path`): go on with sound alone "
            "and pay for its seconds (`sound_alone` true), or wait. Sound alone is free for 10 s; "
            "then it waits, too (reason `sound-alone`), until it is chosen. `number` counts these "
            "choices.",
            {
                "200": "what is so now: `sound_alone`, `number`, `delivered_ms`",
                "429": "too many of them a second; see `Retry-After`",
            },
            parameters=("stream", "resource"),
            body=body_of({"sound_alone": "flag"}, {"number": "count"}),
        )
    },
    "/api/v1/info": {"get": operation("Chain, token and limits.", {"200": "facts"})},
    "/api/v1/challenge": {
        "post": operation(
            "A text to be signed by the account's key.",
            {"200": "`challenge`, `message`, `expires_at_ms`, and for watching `delegate`"},
            body=body_of({"account": "account", "purpose": "purpose"}, {"stream": "number"}),
        )
    },
    "/api/v1/token": {
        "post": operation(
            "A token for a signed challenge; sr25519 or ed25519, wrapped in <Bytes> or not.",
            {"200": "`token`, `purpose`, `account`, `expires_at_ms`"},
            body=body_of({"challenge": "text", "signature": "hex"}),
        )
    },
    "/api/v1/token/renew": {
        "post": operation(
            "A token for a token, without a signature.", {"200": "as above"}, security=_EITHER
        )
    },
    "/api/v1/streams": {
        "get": operation(
            "Streams by number, and which are live: at most 500, or `limit`, above `after`.",
            {"200": "`streams`, and `next`: the `after` of the next page, or null"},
            headers=[
                *(
                    {"name": name, "in": "query", "schema": {"type": "integer", "minimum": 0}}
                    for name in ("after", "limit")
                ),
                *STREAMS_ASKED,
                {
                    "name": "live",
                    "in": "query",
                    "schema": {"enum": [0, 1]},
                    "description": "1 for those alone that are live",
                },
            ],
        )
    },
    "/api/v1/streams/{stream}": {
        "get": operation(
            "One stream: asset, price, tiers, payees, earnings, live state.",
            {"200": "it"},
            parameters=("stream",),
        )
    },
    "/api/v1/streams/{stream}/terms": {
        "get": operation(
            "What watching costs this account, and what is missing for it.",
            {
                "200": "the terms: prices, `missing`, with `Outlay` what making it payable takes, "
                "and `returning_soon`: the `amount` that sessions which are being closed will give "
                "back, and whether it `suffices`, so that there is nothing to sign but to ask again"
            },
            parameters=("stream",),
            security=_WATCH,
        )
    },
    "/api/v1/wallet/prepare": {
        "post": operation(
            "The payload that a wallet is to sign.",
            {
                "200": "`payload`, `submission`, `summary`",
                "422": "the account or its vault has too little; `terms` is an `Outlay` where the "
                "account cannot pay",
            },
            body=body_of({"call": "call"}, {"account": "account"}),
        )
    },
    "/api/v1/wallet/submit": {
        "post": operation(
            "Hand in the signature.",
            {"200": "`submission`, `status`"},
            body=body_of({"submission": "text", "signature": "hex"}),
        )
    },
    "/api/v1/wallet/{submission}": {
        "get": operation(
            "Where it is: waiting, in_block, finalized, failed.",
            {"200": "`status`"},
            parameters=("submission",),
        )
    },
    "/api/v1/development/sign": {
        "post": operation(
            "Sign as a development account; on a development chain only, else 404.",
            {"200": "`signature`"},
            body=body_of({"account": "account", "kind": "signed", "data": "signable"}),
        )
    },
    "/api/v1/sessions": {
        "get": operation("The token's sessions.", {"200": "`sessions`"}, security=_EITHER)
    },
    "/api/v1/sessions/{session}": {
        "get": operation(
            "One session (grant-index), as delivered, paid and on the ledger.",
            {"200": "it"},
            parameters=("session",),
            security=_EITHER,
        ),
        "delete": operation(
            "Close a session.", {"200": "its state"}, parameters=("session",), security=_WATCH
        ),
    },
    "/api/v1/status": {"get": operation("Health of server and relayer.", {"200": "facts"})},
    "/healthz": {"get": operation("Whether the server runs.", {"200": "`status`, `boot_id`"})},
    "/readyz": {
        "get": operation(
            "Whether a viewer could be admitted now.",
            {"200": "`ready`", "503": "`failing`: each check that fails, and why"},
        )
    },
}

_SESSION_SCHEME: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "a session's token of the community",
}


COMMUNITY_ALONE_PATHS: Final[dict[str, dict[str, Any]]] = {
    "/healthz": MEDIA_PATHS["/healthz"],
    "/readyz": {
        "get": operation(
            "Whether accounts can be reached, and who owns which stream.",
            {"200": "`ready`", "503": "`failing`: each check that fails, and why"},
        )
    },
}
"""What a server of the community alone has beside the community's paths."""


def document(*, media: bool = True, community: bool) -> dict[str, Any]:
    """The interface as OpenAPI, with the paths of what the server has."""
    if not community:
        return DOCUMENT
    components = DOCUMENT["components"]
    schemes = {**components["securitySchemes"], "session": _SESSION_SCHEME}
    return {
        **DOCUMENT,
        "paths": {**(MEDIA_PATHS if media else COMMUNITY_ALONE_PATHS), **COMMUNITY_PATHS},
        "components": {**components, "securitySchemes": schemes},
    }


DOCUMENT: Final[dict[str, Any]] = {
    "openapi": "3.1.0",
    "info": {
        "title": "PayStream",
        "version": "1",
        "description": "Live streams, paid by the second. Amounts are integers in the smallest "
        "unit, as text.",
    },
    "servers": [
        {"url": "/", "description": "The chain without a name, and the server itself"},
        {
            "url": "/chains/{chain}",
            "description": "Another chain that the relayer follows; `info` lists their names",
            "variables": {"chain": {"default": "other"}},
        },
    ],
    "paths": MEDIA_PATHS,
    "components": {
        "securitySchemes": {
            "watch": {"type": "http", "scheme": "bearer", "description": "a watch token"},
            "publish": {"type": "http", "scheme": "bearer", "description": "a publish token"},
            "payment": {
                "type": "http",
                "scheme": "Payment",
                "description": "a challenge of WHEP's 402 with the watch token as `payload.token`",
            },
        },
        "schemas": {
            "Problem": {
                "type": "object",
                "description": "RFC 9457",
                "required": ["type", "title", "status", "detail", "code"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "code": {"type": "string"},
                    "field": {"type": "string"},
                    "terms": {
                        "description": "with 402 all terms, with `balance-too-low` what is needed",
                        "$ref": "#/components/schemas/Outlay",
                    },
                },
            },
            "Outlay": _OUTLAY,
        },
    },
}

_STYLE: Final = "/static/style.css"


def page(*, media: bool = True, community: bool = False) -> str:
    """The description as one HTML page, without scripts."""
    parts = [
        "<!doctype html><html lang=en><head><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width, initial-scale=1'>",
        f"<title>PayStream API</title><link rel=stylesheet href={_STYLE}></head><body>",
        "<main><h1>PayStream API</h1>",
        f"<p>{escape(DOCUMENT['info']['description'])} ",
        "Errors are <code>application/problem+json</code>. ",
        "The same as <a href=/openapi.json>OpenAPI 3.1</a>.</p>",
    ]
    for path, operations in document(media=media, community=community)["paths"].items():
        for method, described in operations.items():
            parts.append(_section(path, method, described))
    parts.append("</main></body></html>")
    return "".join(parts)


def _section(path: str, method: str, described: dict[str, Any]) -> str:
    parts = [
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2>",
        f"<p>{escape(described['summary'])}</p>",
    ]
    tokens = [name for one in described.get("security", []) for name in one]
    if tokens:
        parts.append(f"<p>Needs a token: {escape(' or '.join(tokens))}.</p>")
    for parameter in described.get("parameters", []):
        if parameter["in"] == "header":
            parts.append(
                f"<p>Header <code>{parameter['name']}</code>: "
                f"{escape(parameter['description'])}.</p>"
            )
    body = described.get("requestBody")
    if body is not None:
        for kind, media in body["content"].items():
            properties = media["schema"].get("properties")
            fields = ", ".join(properties) if properties else body.get("description", "")
            parts.append(f"<p>Body <code>{kind}</code>: {escape(fields)}.</p>")
    parts.append("<dl>")
    for code, answer in described["responses"].items():
        if code != "default":
            told = "".join(
                f"; header <code>{name}</code>: {escape(header['description'])}"
                for name, header in answer.get("headers", {}).items()
            )
            parts.append(f"<dt>{code}</dt><dd>{escape(answer['description'])}{told}</dd>")
    parts.append("</dl></section>")
    return "".join(parts)
