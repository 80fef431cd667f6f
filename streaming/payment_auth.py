"""The `Payment` scheme of HTTP authentication: challenges, credentials and receipts as text.

As draft-httpauth-payment-01 has it. Pure: nothing here waits, asks, or looks at a clock. Everything
that is read may come from a stranger, so its length is bounded before it is decoded, and what is
wrong raises `PaymentAuthInvalid`, which names the field and never its value.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeVar

import msgspec

T = TypeVar("T")

SCHEME: Final = "Payment"
CHALLENGE_CHARS_MAX: Final = 8 * 1024
"""The draft's bound of a challenge."""
HEADER_CHARS_MAX: Final = 4 * CHALLENGE_CHARS_MAX
"""So much of a header is read: it may have several challenges."""
CREDENTIAL_CHARS_MAX: Final = 8_000
"""The draft asks for 4,096 at least; a header line ends at 8,190 (aiohttp, nginx)."""
RECEIPT_CHARS_MAX: Final = 8 * 1024
INTEGER_MAX: Final = (1 << 53) - 1
"""Larger integers are not the same in every reader of JSON: amounts are text."""

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")
_METHOD: Final = re.compile(r"[a-z]+")
_INTENT: Final = re.compile(r"[A-Za-z0-9-]+")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TOKEN68: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*[ \t]*(?:,|\Z)")
_BETWEEN: Final = re.compile(r"[ \t,]*")
_EQUALS: Final = re.compile(r"[ \t]*=[ \t]*")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')


class PaymentAuthInvalid(ValueError):
    """A text that is none of the scheme's: `field` names what is wrong, the message the remedy."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


class Challenge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a server asks for. `request` and `opaque` are base64url, as they were on the wire."""

    id: str
    realm: str
    method: str
    intent: str
    request: str
    expires: str | None = None
    """RFC 3339; after it no credential for this challenge is taken."""
    digest: str | None = None
    description: str | None = None
    """For people; nothing may depend on it, and nothing is bound to it."""
    opaque: str | None = None

    def asked(self) -> dict[str, Any]:
        """What `request` says. Raises `PaymentAuthInvalid`."""
        return decoded(self.request, "request", CHALLENGE_CHARS_MAX)


class Credential(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a client shows: the challenge as it came, and the method's proof in `payload`."""

    challenge: Challenge
    payload: dict[str, Any]
    source: str | None = None

    def __repr__(self) -> str:
        return f"Credential(challenge={self.challenge.id!r})"  # the payload is a secret


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What a server says of a request that it has served: the draft's fields, then the session's.

    In the intent `session` it says that the session is open and covered, not that all of it is
    paid: `spent` is what had been charged at `timestamp`, None where that is not known.
    """

    status: Literal["success"]
    method: str
    timestamp: str
    """RFC 3339."""
    reference: str
    """The session: `grant-index`."""
    intent: str = ""
    challenge_id: str | None = None
    stream: str | None = None
    currency: str | None = None
    rate_per_second: str | None = None
    """In the currency's smallest unit."""
    spent: str | None = None
    """In the currency's smallest unit."""


def canonical(value: Any) -> bytes:
    """JSON in the one form that RFC 8785 (JCS) gives it, of text, integers, lists and objects.

    Raises `TypeError` for a fraction and for an integer that not every reader of JSON can hold.
    """
    _check_canonical(value)
    # With names in ASCII, code points and UTF-16 units have one order; escapes are the same.
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _check_canonical(value: Any) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            if not (isinstance(name, str) and name.isascii()):
                raise TypeError("a name in canonical JSON is text in ASCII")
            _check_canonical(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_canonical(inner)
    elif isinstance(value, float):
        raise TypeError("a fraction: write amounts as text")
    elif isinstance(value, int) and abs(value) > INTEGER_MAX:
        raise TypeError("an integer of more than 53 bits: write it as text")


def encoded(value: Any) -> str:
    """Canonical JSON in base64url without padding. Raises `TypeError`."""
    return _base64url(canonical(value))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def decoded(text: str, field: str, chars_max: int) -> dict[str, Any]:
    """The JSON object in a base64url text. Raises `PaymentAuthInvalid`."""
    return _json_of(text, field, chars_max, dict[str, Any])


def _json_of(text: str, field: str, chars_max: int, kind: type[T]) -> T:
    if len(text) > chars_max:
        raise PaymentAuthInvalid(field, f"{field} has more than {chars_max} characters")
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise PaymentAuthInvalid(field, f"{field} is no base64url without padding")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        # It says what was expected where, and nothing of what is there.
        raise PaymentAuthInvalid(field, f"{field} is not as it should be: {error}") from None
    except (msgspec.DecodeError, RecursionError):
        raise PaymentAuthInvalid(field, f"{field} is no JSON object in base64url") from None


# --- challenges ----------------------------------------------------------------------------


def bound_id(secret: bytes, challenge: Challenge) -> str:
    """The id that binds a challenge to all that counts in it: HMAC-SHA256 over seven slots."""
    slots = (
        challenge.realm,
        challenge.method,
        challenge.intent,
        challenge.request,
        challenge.expires or "",
        challenge.digest or "",
        challenge.opaque or "",
    )
    return _base64url(hmac.digest(secret, _bytes("|".join(slots)), hashlib.sha256))


def is_bound(secret: bytes, challenge: Challenge) -> bool:
    """Whether a challenge that came back is one that was made with this secret, unchanged."""
    return hmac.compare_digest(_bytes(bound_id(secret, challenge)), _bytes(challenge.id))


def _bytes(text: str) -> bytes:
    """Any text at all: what a stranger wrote may have halves of characters in it."""
    return text.encode("utf-8", "surrogatepass")


def show_challenge(challenge: Challenge) -> str:
    """The value of `WWW-Authenticate`. Raises `ValueError` for what no header can carry."""
    parameters = msgspec.to_builtins(challenge)
    return f"{SCHEME} " + ", ".join(
        f"{name}={_quoted(text)}" for name, text in parameters.items() if text is not None
    )


def _quoted(text: str) -> str:
    if not text.isascii() or any(not character.isprintable() for character in text):
        raise ValueError("a parameter of a challenge is one line of ASCII")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def read_challenges(value: str) -> list[Challenge]:
    """The challenges of this scheme in a `WWW-Authenticate`, which may have those of others.

    Raises `PaymentAuthInvalid`.
    """
    if len(value) > HEADER_CHARS_MAX:
        raise PaymentAuthInvalid(
            "WWW-Authenticate", f"it has more than {HEADER_CHARS_MAX} characters"
        )
    return [
        _challenge_of(parameters)
        for scheme, parameters in _schemes(value)
        if scheme.lower() == SCHEME.lower()
    ]


def _schemes(value: str) -> list[tuple[str, dict[str, str]]]:
    """Take `WWW-Authenticate` apart (RFC 9110, 11.6.1). Raises `PaymentAuthInvalid`."""
    found: list[tuple[str, dict[str, str]]] = []
    at = _after(_BETWEEN, value, 0)
    while at < len(value):
        name = _TOKEN.match(value, at)
        if name is None:
            raise PaymentAuthInvalid("WWW-Authenticate", f"character {at} begins no parameter")
        equals = _EQUALS.match(value, name.end())
        if equals is None:
            found.append((name[0], {}))
            at = _after_scheme(value, name.end())
        else:
            text, at = _value_at(value, equals.end())
            parameters = found[-1][1] if found else {}
            if not found or name[0].lower() in parameters:
                raise PaymentAuthInvalid(
                    name[0].lower(), "a parameter without a scheme, or one that stands twice"
                )
            parameters[name[0].lower()] = text
        at = _after(_BETWEEN, value, at)
    return found


def _after_scheme(value: str, at: int) -> int:
    """Where a scheme's parameters begin: a lone token68, such as `Basic` has, is passed over."""
    return _after(_TOKEN68, value, _after(_BETWEEN, value, at))


def _after(pattern: re.Pattern[str], value: str, at: int) -> int:
    """Where what matches at a place ends; the place itself where nothing does."""
    match = pattern.match(value, at)
    return at if match is None else match.end()


def _value_at(value: str, at: int) -> tuple[str, int]:
    """A parameter's value and where it ends. Raises `PaymentAuthInvalid`."""
    quoted = _QUOTED.match(value, at)
    if quoted is not None:
        return re.sub(r"\\(.)", r"\1", quoted[1]), quoted.end()
    token = _TOKEN.match(value, at)
    if token is None:
        raise PaymentAuthInvalid(
            "WWW-Authenticate", f"character {at} begins neither a token nor a quoted text"
        )
    return token[0], token.end()


def _challenge_of(parameters: Mapping[str, str]) -> Challenge:
    for name in ("id", "realm", "method", "intent", "request"):
        if not parameters.get(name):
            raise PaymentAuthInvalid(name, f"the challenge has no {name}")
    if not _METHOD.fullmatch(parameters["method"]):
        raise PaymentAuthInvalid("method", "the method is not lower-case letters alone")
    if not _INTENT.fullmatch(parameters["intent"]):
        raise PaymentAuthInvalid("intent", "the intent is not letters, digits and hyphens alone")
    challenge = msgspec.convert(dict(parameters), Challenge)
    challenge.asked()
    return challenge


# --- credentials and receipts --------------------------------------------------------------


def show_credential(credential: Credential) -> str:
    """The value of `Authorization`."""
    return f"{SCHEME} {_base64url(msgspec.json.encode(credential))}"


def is_credential(value: str) -> bool:
    """Whether an `Authorization` is of this scheme."""
    return value[: len(SCHEME) + 1].lower() == f"{SCHEME.lower()} " or (
        value.strip().lower() == SCHEME.lower()
    )


def read_credential(value: str) -> Credential:
    """The credential in an `Authorization` of this scheme. Raises `PaymentAuthInvalid`."""
    if len(value) > CREDENTIAL_CHARS_MAX:
        raise PaymentAuthInvalid(
            "Authorization", f"the credential has more than {CREDENTIAL_CHARS_MAX} characters"
        )
    text = value[len(SCHEME) :].strip(" ")
    return _json_of(text, "credential", CREDENTIAL_CHARS_MAX, Credential)


def show_receipt(receipt: Receipt) -> str:
    """The value of `Payment-Receipt`."""
    return _base64url(msgspec.json.encode(receipt))


def read_receipt(value: str) -> Receipt:
    """The receipt in a `Payment-Receipt`. Raises `PaymentAuthInvalid`."""
    found = _json_of(value.strip(" "), "Payment-Receipt", RECEIPT_CHARS_MAX, Receipt)
    read_time(found.timestamp, "timestamp")
    return found


# --- moments -------------------------------------------------------------------------------


def show_time(unix_s: float) -> str:
    """A moment in RFC 3339, by whole seconds of UTC."""
    return datetime.fromtimestamp(int(unix_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_time(text: str, field: str) -> float:
    """Unix seconds of a moment in RFC 3339. Raises `PaymentAuthInvalid`."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.timestamp()
    except (ValueError, OverflowError):
        pass
    raise PaymentAuthInvalid(field, f"{field} is no moment such as 2026-01-31T12:00:00Z")
