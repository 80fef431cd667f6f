"""Web origins (RFC 6454): which other pages may call this server, checked when it starts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

ANY: Final = "*"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]+")
_HEADERS: Final = "Authorization, Accept-Payment, Content-Type, PayStream-Resume, PayStream-Renew"
_METHODS: Final = "GET, POST, PUT, DELETE, PATCH, OPTIONS"
_EXPOSED: Final = (
    "Location, PayStream-Session, PayStream-Resume, Payment-Receipt, Retry-After, WWW-Authenticate"
)
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "media-src 'self' blob:; img-src 'self' data:; form-action 'none'; frame-ancestors 'none'; "
    "base-uri 'none'"
)


class OriginInvalid(ValueError):
    """A text that is no origin; the message says what to write."""


def read_origin(text: str, option: str) -> str:
    """An origin as browsers send it: lower case, no slash at the end, no default port.

    Raises `OriginInvalid` for what is none, with what to write after `option` instead.
    """
    text = text.strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme not in _DEFAULT_PORTS or not _HOST.fullmatch(host):
        raise OriginInvalid(
            f"{option} is {text!r}: write scheme, host and perhaps port, such as "
            "https://live.example or http://127.0.0.1:8080"
        )
    shown = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{shown}"
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        origin += f":{port}"
    if "://" not in text:
        raise OriginInvalid(f"{option} is {text!r}, without a scheme: write {origin}")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise OriginInvalid(
            f"{option} is {text!r}, but an origin has no path, query or user: write {origin}"
        )
    return origin


def read_origins(texts: Iterable[str], option: str = "--cors-origin") -> frozenset[str]:
    """The origins of several options; `*` is every one. Raises `OriginInvalid`."""
    return frozenset(ANY if text.strip() == ANY else read_origin(text, option) for text in texts)


def content_security_policy(elsewhere: str | None = None) -> str:
    """What pages may do: where the other half of the server is elsewhere, ask that one, too."""
    if elsewhere is None:
        return CONTENT_SECURITY_POLICY
    web_socket = "ws" + elsewhere.removeprefix("http")
    return CONTENT_SECURITY_POLICY.replace(
        "connect-src 'self'", f"connect-src 'self' {elsewhere} {web_socket}"
    )


def cross_origin(origins: frozenset[str], elsewhere: str | None = None) -> Middleware:
    """A middleware that lets pages of these origins call the server, and those of its other half.

    `*` lets every page: that is safe here, because nothing depends on cookies. Who has no token
    gets nothing that is not public anyway, and no credentials of a browser are ever allowed.
    """

    policy = content_security_policy(elsewhere)
    if elsewhere is not None:
        origins |= {elsewhere}

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        allowed = origin is not None and (ANY in origins or origin in origins)
        preflight = request.method == "OPTIONS" and (
            "Access-Control-Request-Method" in request.headers
        )
        if preflight:
            response: web.StreamResponse = web.Response(status=204 if allowed else 403)
        else:
            response = await handler(request)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        response.headers.setdefault("Content-Security-Policy", policy)
        if allowed and origin is not None:
            response.headers["Access-Control-Allow-Origin"] = ANY if ANY in origins else origin
            response.headers["Access-Control-Allow-Headers"] = _HEADERS
            response.headers["Access-Control-Allow-Methods"] = _METHODS
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
            response.headers["Vary"] = "Origin"
        return response

    return middleware
