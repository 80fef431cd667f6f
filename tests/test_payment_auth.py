"""The `Payment` scheme as text: what is written can be read, and what is wrong says where."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming import payment_auth
from streaming.payment_auth import Challenge, Credential, PaymentAuthInvalid, Receipt

SECRET = b"s" * 32
ASKED = {"amount": "1000", "currency": "native", "methodDetails": {"stream": "7", "missing": []}}


def challenge(**changes: Any) -> Challenge:
    made = Challenge(
        id="",
        realm="live.example",
        method="paystream",
        intent="session",
        request=payment_auth.encoded(ASKED),
        expires="2026-01-31T12:00:00Z",
        description='he said "so"; C:\\',
    )
    made = msgspec.structs.replace(made, id=payment_auth.bound_id(SECRET, made))
    return msgspec.structs.replace(made, **changes)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_a_challenge_is_read_as_it_was_written_among_those_of_other_schemes() -> None:
    shown = payment_auth.show_challenge(challenge())
    assert shown.startswith('Payment id="')
    for value in (
        shown,
        f'Bearer realm="a, Payment id=x", {shown}',
        f"Negotiate, Basic YWJjZA==, {shown}",
        f"{shown}, Digest nonce=abc",
        shown.replace("Payment", "pAyMeNt").replace("realm=", "REALM = "),
    ):
        assert payment_auth.read_challenges(value) == [challenge()], value
    assert payment_auth.read_challenges('Bearer realm="x"') == []
    assert len(payment_auth.read_challenges(f"{shown}, {shown}")) == 2
    assert challenge().asked() == ASKED


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ('Payment id="1"', "realm"),
        ('Payment id="", realm="r", method="m", intent="i", request="e30"', "id"),
        ('Payment id="1", realm="r", method="Mm", intent="i", request="e30"', "method"),
        ('Payment id="1", realm="r", method="m", intent="a/b", request="e30"', "intent"),
        ('Payment id="1", realm="r", method="m", intent="i", request="W10"', "request"),
        ('Payment id="1", realm="r", method="m", intent="i", request="e30="', "request"),
        ('Payment id="1", realm="r", method="m", intent="i", request="e"', "request"),
        ('Payment id="1", ID="2"', "id"),
        ('Payment id="1', "WWW-Authenticate"),
        ("Payment id=;", "WWW-Authenticate"),
        ("id=1", "id"),
        ("@", "WWW-Authenticate"),
        ("Payment " + "a" * 40_000, "WWW-Authenticate"),
    ],
)
def test_a_challenge_that_is_none_says_which_part_is_wrong(value: str, field: str) -> None:
    with pytest.raises(PaymentAuthInvalid) as raised:
        payment_auth.read_challenges(value)
    assert raised.value.field == field


@pytest.mark.parametrize(
    "name", ["id", "realm", "method", "intent", "request", "expires", "digest", "opaque"]
)
def test_an_id_is_bound_to_all_that_counts_and_to_the_secret(name: str) -> None:
    assert payment_auth.is_bound(SECRET, challenge())
    assert not payment_auth.is_bound(b"t" * 32, challenge())
    assert not payment_auth.is_bound(SECRET, challenge(**{name: "é"}))
    assert payment_auth.is_bound(SECRET, challenge(description="another"))


@pytest.mark.parametrize("text", ["\ud800", "\udfff|", "\x00", "|" * 9])
def test_no_text_breaks_what_judges_an_id(text: str) -> None:
    for name in ("id", "realm", "request", "expires"):
        assert not payment_auth.is_bound(SECRET, challenge(**{name: text}))
    data = without("payload")[:-1] + b', "payload": {"token": "\\ud800"}, "source": "\\udfff"}'
    with contextlib.suppress(PaymentAuthInvalid):
        payment_auth.read_credential(f"Payment {base64url(data)}")


def test_the_id_is_what_the_draft_computes() -> None:
    """The draft's vector, written out: seven slots, an empty one for what is absent."""
    made = challenge(expires=None, id="")
    text = f"live.example|paystream|session|{made.request}|||"
    expected = hmac.new(SECRET, text.encode(), hashlib.sha256).digest()
    assert payment_auth.bound_id(SECRET, made) == base64url(expected)


def test_canonical_json_is_sorted_compact_and_has_no_fractions() -> None:
    value = {"b": [True, None, 1], "a": "é\u0007\n\u007f/", "B": {}}
    expected = '{"B":{},"a":"é\\u0007\\n\u007f/","b":[true,null,1]}'
    assert payment_auth.canonical(value).decode() == expected
    for wrong in (1.5, 1 << 53, {"é": 1}, {1: 2}):
        with pytest.raises(TypeError):
            payment_auth.encoded({"a": [wrong]})


@pytest.mark.parametrize("text", ["line\nbreak", "ü", "\x00"])
def test_no_header_carries_what_would_end_it(text: str) -> None:
    with pytest.raises(ValueError, match="one line of ASCII"):
        payment_auth.show_challenge(challenge(description=text))


def test_a_credential_is_read_as_it_was_written_and_shows_no_secret() -> None:
    written = Credential(challenge=challenge(), payload={"token": "psw_secret"}, source="did:x:1")
    shown = payment_auth.show_credential(written)
    assert payment_auth.is_credential(shown)
    assert not payment_auth.is_credential("Paymentx abc")
    assert payment_auth.read_credential(shown) == written
    assert payment_auth.read_credential(shown.replace("Payment ", "payment   ")) == written
    assert "psw_secret" not in repr(written)


def without(name: str) -> bytes:
    wire = msgspec.to_builtins(Credential(challenge=challenge(), payload={}))
    del (wire if name in wire else wire["challenge"])[name]
    return json.dumps(wire).encode()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"[]", "credential"),
        (b"{", "no JSON object"),
        (b"[" * 5_000, "credential"),
        (b'{"challenge":' * 400, "credential"),
        (b"\xff", "credential"),
        (without("challenge"), "challenge"),
        (without("payload"), "payload"),
        (without("request"), "request"),
        (b'{"challenge":{"id":1},"payload":{}}', "challenge.id"),
    ],
)
def test_a_credential_that_is_none_says_where(data: bytes, says: str) -> None:
    with pytest.raises(PaymentAuthInvalid, match=says):
        payment_auth.read_credential(f"Payment {base64url(data)}")


@pytest.mark.parametrize("value", ["Payment", "Payment ", "Payment =", "Payment " + "a" * 9_000])
def test_a_credential_without_a_text_or_with_too_much_of_it(value: str) -> None:
    with pytest.raises(PaymentAuthInvalid):
        payment_auth.read_credential(value)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.one_of(st.text(max_size=300), st.from_regex(r'Payment ([a-z]{1,8}="?[^"]*"?,? ?)*')))
def test_nothing_that_is_read_breaks_the_reader(value: str) -> None:
    for read in (
        payment_auth.read_challenges,
        payment_auth.read_credential,
        payment_auth.read_receipt,
    ):
        with contextlib.suppress(PaymentAuthInvalid):
            read(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(JSON, st.sampled_from(["challenge", "payload", "source"]))
def test_no_json_in_a_credential_breaks_the_reader(value: Any, name: str) -> None:
    wire = msgspec.to_builtins(Credential(challenge=challenge(), payload={"token": "t"}))
    wire[name] = value
    try:
        found = payment_auth.read_credential(f"Payment {base64url(json.dumps(wire).encode())}")
    except PaymentAuthInvalid:
        return
    assert isinstance(found.payload, dict)


def test_a_receipt_says_success_or_is_none() -> None:
    receipt = Receipt(
        status="success",
        method="paystream",
        timestamp="2026-01-31T12:00:00Z",
        reference="3-1",
        rate_per_second="1000",
    )
    shown = payment_auth.show_receipt(receipt)
    assert payment_auth.read_receipt(shown) == receipt
    wire = json.loads(base64.urlsafe_b64decode(shown + "=="))
    assert wire["ratePerSecond"] == "1000"
    assert "spent" not in wire
    for changes in ({"status": "failed"}, {"timestamp": "yesterday"}, {"reference": 3}):
        with pytest.raises(PaymentAuthInvalid):
            payment_auth.read_receipt(base64url(json.dumps({**wire, **changes}).encode()))


def test_moments_are_read_and_written_in_utc() -> None:
    assert payment_auth.show_time(1_769_860_800.9) == "2026-01-31T12:00:00Z"
    assert payment_auth.read_time("2026-01-31T13:00:00+01:00", "expires") == 1_769_860_800
    with pytest.raises(PaymentAuthInvalid):
        payment_auth.read_time("2026-01-31T12:00:00", "expires")


SPECIFICATION = Path(__file__).parents[1] / "docs/whep-402.md"


def test_the_examples_of_the_specification_are_what_they_say() -> None:
    text = SPECIFICATION.read_text(encoding="utf-8")
    [shown] = payment_auth.read_challenges(
        next(
            line for line in text.splitlines() if line.startswith("WWW-Authenticate: Payment")
        ).partition(": ")[2]
    )
    secret = b"the secret of an example, of no server"
    assert f"`{secret.decode()}`" in text
    assert payment_auth.is_bound(secret, shown)
    asked, receipt = (json.loads(each) for each in re.findall(r"```json\n(.*)\n```", text))
    assert shown.asked() == asked
    assert payment_auth.encoded(asked) == shown.request
    [credential] = re.findall(r"^Authorization: (Payment .*)$", text, re.M)
    assert payment_auth.read_credential(credential) == Credential(
        challenge=shown, payload={"token": "psw_an-example"}
    )
    [header] = re.findall(r"^Payment-Receipt: (.*)$", text, re.M)
    assert msgspec.to_builtins(payment_auth.read_receipt(header)) == receipt
    assert receipt["challengeId"] == shown.id
