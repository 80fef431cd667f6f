"""The pieces of which a description in OpenAPI is made."""

from __future__ import annotations

from typing import Any, Final

from streaming.sfu.sdp import SDP_BYTES_MAX

Security = list[dict[str, list[str]]]

FIELDS: Final[dict[str, dict[str, Any]]] = {
    "account": {"type": "string", "description": "SS58 address"},
    "amount": {
        "type": "string",
        "pattern": "^[0-9]+$",
        "description": "integer in the smallest unit, as text",
    },
    "purpose": {"enum": ["watch", "publish"]},
    "number": {"type": "integer", "minimum": 0},
    "count": {"type": "integer", "minimum": 1, "maximum": (1 << 53) - 1},
    "text": {"type": "string"},
    "flag": {"type": "boolean"},
    "hex": {"type": "string", "pattern": "^0x[0-9a-f]*$"},
    "signed": {"enum": ["raw", "payload"]},
    "signable": {"description": "0x-hex of a text, or the payload of a prepared transaction"},
    "call": {
        "type": "object",
        "description": "one of `deposit_and_grant`, `deposit`, `withdraw`, `revoke`, "
        "`create_stream`, `claim` as `kind`, with its arguments; `asset` where it is not `native`",
    },
}


STREAMS_ASKED: Final[list[dict[str, Any]]] = [
    {
        "name": "owner",
        "in": "query",
        "schema": {"type": "string"},
        "description": "an address: its streams alone",
    },
    {
        "name": "ids",
        "in": "query",
        "schema": {"type": "string", "pattern": "^[0-9]+(,[0-9]+){0,99}$"},
        "description": "numbers with commas between: those streams alone",
    },
]
"""What says, in the query, which streams are meant."""


def parameter(name: str) -> dict[str, Any]:
    """A part of the path."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def body_of(required: dict[str, str], optional: dict[str, str] | None = None) -> dict[str, Any]:
    """A JSON object; each field is of a kind in `FIELDS`."""
    properties = {name: FIELDS[kind] for name, kind in {**required, **(optional or {})}.items()}
    schema = {"type": "object", "required": list(required), "properties": properties}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def sdp(what: str) -> dict[str, Any]:
    """A body of SDP."""
    return {
        "required": True,
        "description": what,
        "content": {"application/sdp": {"schema": {"type": "string", "maxLength": SDP_BYTES_MAX}}},
    }


def operation(
    summary: str,
    answers: dict[str, str],
    *,
    parameters: tuple[str, ...] = (),
    body: dict[str, Any] | None = None,
    security: Security | None = None,
    headers: list[dict[str, Any]] | None = None,
    answer_headers: dict[str, dict[str, str]] | None = None,
) -> dict[str, Any]:
    """One method of a path; `headers` are further parameters.

    `answer_headers` has by status the headers of an answer, and what each says.
    """
    responses: dict[str, Any] = {code: {"description": text} for code, text in answers.items()}
    for code, told in (answer_headers or {}).items():
        responses[code]["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in told.items()
        }
    responses["default"] = {
        "description": "What is wrong and how to mend it",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
    described: dict[str, Any] = {"summary": summary, "responses": responses}
    named = [parameter(name) for name in parameters] + (headers or [])
    if named:
        described["parameters"] = named
    if body is not None:
        described["requestBody"] = body
    if security is not None:
        described["security"] = security
    return described
