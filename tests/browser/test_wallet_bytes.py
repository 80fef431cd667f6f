"""What the driver's wallet signs, against bytes written down by hand."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import pytest
from substrateinterface import Keypair

from streaming.clients.browser import Wallet, answer, payload_bytes, raw_bytes

EXTENSIONS = [
    "AuthorizeCall",
    "CheckNonZeroSender",
    "CheckSpecVersion",
    "CheckTxVersion",
    "CheckGenesis",
    "CheckMortality",
    "CheckNonce",
    "CheckWeight",
    "ChargeTransactionPayment",
    "CheckMetadataHash",
    "WeightReclaim",
]


def payload(**changes: Any) -> dict[str, Any]:
    return {
        "address": "",
        "method": "0x0a03000010a5d4e8",
        "era": "0x8500",
        "nonce": "0x00000000",
        "tip": "0x00000000000000000000000000000000",
        "mode": 0,
        "metadataHash": None,
        "specVersion": "0x00000064",
        "transactionVersion": "0x00000001",
        "genesisHash": "0x" + "aa" * 32,
        "blockHash": "0x" + "bb" * 32,
        "signedExtensions": EXTENSIONS,
        **changes,
    }


def test_a_payload_is_the_call_then_what_is_added_then_what_is_only_signed() -> None:
    expected = (
        "0a03000010a5d4e8"  # the call, without its length
        "8500"
        "00"
        "00"
        "00"  # era, nonce, tip, mode
        "64000000"
        "01000000"  # versions of runtime and transactions
        + "aa" * 32  # genesis
        + "bb" * 32  # where the era begins
        + "00"  # no hash of the metadata
    )
    assert payload_bytes(payload()).hex() == expected


@pytest.mark.parametrize(
    ("nonce", "encoded"),
    [
        (0, "00"),
        (63, "fc"),
        (64, "0101"),
        (16_383, "fdff"),
        (16_384, "02000100"),
        (2**30, "0300000040"),
    ],
)
def test_the_nonce_is_compact(nonce: int, encoded: str) -> None:
    message = payload_bytes(payload(nonce=hex(nonce)))
    assert message[10 : 10 + len(encoded) // 2].hex() == encoded


def test_the_order_is_that_of_the_extensions() -> None:
    swapped = payload_bytes(payload(signedExtensions=["CheckNonce", "CheckMortality"], nonce="0x1"))
    assert swapped.hex() == "0a03000010a5d4e8" + "04" + "8500" + "bb" * 32


def test_more_than_256_bytes_are_hashed() -> None:
    rest = len(payload_bytes(payload(method="0x")))
    fits = payload_bytes(payload(method="0x" + "11" * (256 - rest)))
    assert len(fits) == 256
    longer = payload_bytes(payload(method="0x" + "11" * (257 - rest)))
    whole = bytes.fromhex("11") + fits
    assert longer == blake2b(whole, digest_size=32).digest()


def test_a_hash_of_the_metadata_is_signed_too() -> None:
    message = payload_bytes(payload(mode=1, metadataHash="0x" + "cc" * 32))
    assert message.endswith(b"\x01" + b"\xcc" * 32)
    assert message[12] == 1


def test_a_text_is_wrapped_once() -> None:
    assert raw_bytes("0x6869") == b"<Bytes>hi</Bytes>"
    assert raw_bytes("hi") == b"<Bytes>hi</Bytes>"
    assert raw_bytes("<Bytes>hi</Bytes>") == b"<Bytes>hi</Bytes>"
    assert raw_bytes("0xzz") == b"<Bytes>0xzz</Bytes>"


def test_a_transaction_s_signature_says_its_kind_of_key() -> None:
    keypair = Keypair.create_from_uri("//Alice")
    wallet = Wallet(keypair.ss58_address, "Alice", keypair.sign)
    signature = bytes.fromhex(answer(wallet, "payload", payload())[2:])
    assert len(signature) == 65
    assert signature[0] == 1
    assert keypair.verify(payload_bytes(payload()), signature[1:])
    assert len(bytes.fromhex(answer(wallet, "raw", {"data": "hi"})[2:])) == 64
