"""Addresses of this room against those of a library that others use."""

from __future__ import annotations

import secrets

import pytest
from scalecodec.utils.ss58 import ss58_encode

from streaming.community.addresses import address_of, is_address, public_of
from streaming.community.refusal import Refused

PUBLIC = bytes.fromhex("d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d")
ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"


@pytest.mark.parametrize("prefix", [0, 2, 42, 63, 64, 255, 1284, 16_383])
def test_a_key_is_the_same_whatever_chain_it_was_written_for(prefix: int) -> None:
    if prefix in (46, 47):
        return
    assert public_of(ss58_encode(PUBLIC, ss58_format=prefix)) == PUBLIC


def test_a_key_is_written_as_everybody_writes_it() -> None:
    assert address_of(PUBLIC) == ALICE
    for _ in range(50):
        public = secrets.token_bytes(32)
        assert address_of(public) == ss58_encode(public, ss58_format=42)
        assert public_of(address_of(public)) == public


@pytest.mark.parametrize(
    "text",
    [None, 5, "", ALICE[:-1], ALICE[:-1] + "Z", "0" * 48, "z" * 50, "1" * 48, ALICE + " ", "é"],
)
def test_what_is_no_address_is_refused(text: object) -> None:
    assert not (isinstance(text, str) and is_address(text))
    with pytest.raises(Refused) as refused:
        public_of(text)
    assert (refused.value.problem.status, refused.value.problem.field) == (400, "account")
