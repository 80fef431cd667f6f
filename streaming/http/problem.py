"""Errors as the outside sees them: `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from streaming.session_state import Problem

MIME = "application/problem+json"
_TYPE = "urn:paystream:problem:"
_PAYMENT_TYPE = "https://paymentauth.org/problems/"
_OF_PAYMENT = frozenset(
    ("payment-required", "malformed-credential", "invalid-challenge", "verification-failed")
)
"""Problems that the `Payment` scheme has names for."""
_RETRIED = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class ProblemError(Exception):
    """A request that cannot be served, and what to do about it."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        terms: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.problem = Problem(status=status, code=code, detail=detail, field=field, terms=terms)
        self.headers = headers or {}

    @classmethod
    def of(cls, problem: Problem) -> ProblemError:
        """The exception for a problem that the relayer answered."""
        wait_s = problem.retry_after_s
        error = cls(
            problem.status,
            problem.code,
            problem.detail,
            field=problem.field,
            terms=problem.terms,
            headers=None if wait_s is None else {"Retry-After": str(max(1, wait_s))},
        )
        error.problem = problem
        return error


def response(error: ProblemError) -> web.Response:
    """The HTTP response for a problem, with the headers that its status asks for."""
    problem = error.problem
    body: dict[str, Any] = {
        "type": (_PAYMENT_TYPE if problem.code in _OF_PAYMENT else _TYPE) + problem.code,
        "title": _title(problem.status),
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
    }
    if problem.field is not None:
        body["field"] = problem.field
    if problem.terms is not None:
        body["terms"] = problem.terms
    headers = dict(error.headers)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="paystream"')
    if problem.status in _RETRIED or problem.code == "not-live":
        headers.setdefault("Retry-After", "1")
    answer = web.Response(
        body=msgspec.json.encode(body), status=problem.status, content_type=MIME, headers=headers
    )
    if headers.get("Connection") == "close":
        answer.force_close()
    return answer


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
