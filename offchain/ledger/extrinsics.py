"""Extrinsics: signed ones of version 4 for accounts, general ones of version 5 for what none signs.

What each transaction extension adds to an extrinsic, and to what its signature covers, is encoded
from the runtime's metadata. One that is unknown and not empty raises `UnknownExtension`: left out
silently, the chain would refuse the signature and nobody could tell why.
"""

from __future__ import annotations

import functools
import hashlib
from typing import Any, Final

import msgspec

from offchain.keys.signer import Signer
from offchain.ledger.errors import CallInvalid, LedgerError, UnknownExtension
from offchain.ledger.runtime import Extension, Runtime
from offchain.ledger.scale import compact
from offchain.ledger.types import SignedPayload, account_id, address

ERA_BLOCKS: Final = 64
"""For how many blocks a signed extrinsic may wait: two minutes of 2-second blocks."""

_SIGNED_V4: Final = 0x84
_GENERAL_V5: Final = 0x45
_EXTENSION_VERSION: Final = 0
_SCHEMES: Final = {"ed25519": 0, "sr25519": 1, "ecdsa": 2}
_HASHED_ABOVE_BYTES: Final = 256


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What the extensions of one extrinsic depend on.

    An `era_blocks` of 0 makes an immortal extrinsic; `birth_number` and `birth_hash` then do not
    matter. Hashes are `0x` and 64 digits, `tip` is in the smallest unit.
    """

    genesis_hash: str
    nonce: int = 0
    tip: int = 0
    era_blocks: int = 0
    birth_number: int = 0
    birth_hash: str = ""


def era(blocks: int, birth_number: int) -> bytes:
    """Encode a mortal era that begins at a block; `blocks` is a power of two, 4 to 65536.

    0 blocks give the immortal era. Raises CallInvalid.
    """
    if blocks == 0:
        return b"\x00"
    if blocks & (blocks - 1) or not 4 <= blocks <= 65536:
        raise CallInvalid(f"an era of {blocks} blocks: give a power of two from 4 to 65536")
    quantum = max(blocks >> 12, 1)
    phase = birth_number % blocks // quantum
    return (min(max(blocks.bit_length() - 2, 1), 15) | phase << 4).to_bytes(2, "little")


def _explicit(extension: Extension, context: Context) -> bytes | None:
    match extension.identifier:
        case "CheckMortality" | "CheckEra":
            return era(context.era_blocks, context.birth_number)
        case "CheckNonce":
            return compact(context.nonce)
        case "ChargeTransactionPayment":
            return compact(context.tip)
        case "ChargeAssetTxPayment" | "ChargeAssetTransactionPayment":
            return compact(context.tip) + b"\x00"
        case "CheckMetadataHash":
            return b"\x00"
    return None


def _implicit(extension: Extension, context: Context, runtime: Runtime) -> bytes | None:
    match extension.identifier:
        case "CheckSpecVersion":
            return runtime.spec_version.to_bytes(4, "little")
        case "CheckTxVersion":
            return runtime.transaction_version.to_bytes(4, "little")
        case "CheckGenesis":
            return bytes.fromhex(context.genesis_hash[2:])
        case "CheckMortality" | "CheckEra":
            birth = context.birth_hash if context.era_blocks else context.genesis_hash
            return bytes.fromhex(birth[2:])
        case "CheckMetadataHash":
            return b"\x00"
    return None


def extension_bytes(runtime: Runtime, context: Context) -> tuple[bytes, bytes]:
    """Give what the extensions add to the extrinsic, and what they add to the signed bytes.

    Raises UnknownExtension.
    """
    explicit = implicit = b""
    for extension in runtime.extensions:
        explicit += _fitting(
            runtime, extension, extension.explicit_type, _explicit(extension, context)
        )
        implicit += _fitting(
            runtime, extension, extension.implicit_type, _implicit(extension, context, runtime)
        )
    return explicit, implicit


def _fitting(runtime: Runtime, extension: Extension, type_id: int, value: bytes | None) -> bytes:
    """Hold what we know of an extension against the type that the metadata gives it."""
    if runtime.is_empty(type_id):
        return b""
    if value is not None:
        try:
            runtime.decode(f"scale_info::{type_id}", value)
        except LedgerError:
            pass
        else:
            return value
    raise UnknownExtension(runtime.spec_name, runtime.spec_version, extension.identifier)


def general_v5(runtime: Runtime, call: bytes) -> bytes:
    """Make a general transaction: authorised by its call, without signer, nonce or fee.

    Raises UnknownExtension.
    """
    return with_length(_general_head(runtime) + call)


def mortal_general_v5(runtime: Runtime, context: Context, call: bytes) -> bytes:
    """Make a general transaction that is good from one block on, and for as long as its era.

    For calls without a signature of their own: a pool that has refused some bytes refuses the same
    ones for half an hour, and those of another block are others. Raises UnknownExtension.
    """
    explicit, _ = extension_bytes(runtime, context)
    return with_length(bytes([_GENERAL_V5, _EXTENSION_VERSION]) + explicit + call)


@functools.lru_cache(maxsize=16)
def _general_head(runtime: Runtime) -> bytes:
    """Give what stands before the call: the same for every order under one runtime."""
    explicit, _ = extension_bytes(runtime, Context(genesis_hash="0x" + "00" * 32))
    return bytes([_GENERAL_V5, _EXTENSION_VERSION]) + explicit


def signed_payload(
    runtime: Runtime, context: Context, account: str | bytes, call: bytes
) -> SignedPayload:
    """Make what an account's wallet has to sign for a call. Raises UnknownExtension."""
    explicit, implicit = extension_bytes(runtime, context)
    message = call + explicit + implicit
    if len(message) > _HASHED_ABOVE_BYTES:
        message = hashlib.blake2b(message, digest_size=32).digest()
    return SignedPayload(
        account=address(account),
        json=signer_payload_json(runtime, context, account, call),
        message=message,
        call=call,
        extension=explicit,
    )


def signer_payload_json(
    runtime: Runtime, context: Context, account: str | bytes, call: bytes
) -> dict[str, Any]:
    """Give polkadot.js's `SignerPayloadJSON`, as `signer.signPayload` of a wallet takes it."""
    birth = context.birth_hash if context.era_blocks else context.genesis_hash
    return {
        "address": address(account),
        "blockHash": birth,
        "blockNumber": f"0x{context.birth_number:08x}",
        "era": "0x" + era(context.era_blocks, context.birth_number).hex(),
        "genesisHash": context.genesis_hash,
        "metadataHash": None,
        "method": "0x" + call.hex(),
        "mode": 0,
        "nonce": f"0x{context.nonce:08x}",
        "signedExtensions": [extension.identifier for extension in runtime.extensions],
        "specVersion": f"0x{runtime.spec_version:08x}",
        "tip": f"0x{context.tip:032x}",
        "transactionVersion": f"0x{runtime.transaction_version:08x}",
        "version": 4,
    }


def assemble(payload: SignedPayload, signature: bytes) -> bytes:
    """Put a signature into a signed extrinsic.

    `signature` begins with the byte of its scheme (a `MultiSignature`, as wallets give it).
    """
    return with_length(
        bytes([_SIGNED_V4, 0])
        + account_id(payload.account)
        + signature
        + payload.extension
        + payload.call
    )


def signed_v4(runtime: Runtime, context: Context, signer: Signer, call: bytes) -> bytes:
    """Sign a call and give the extrinsic's bytes. Raises UnknownExtension."""
    payload = signed_payload(runtime, context, signer.public_key, call)
    return assemble(payload, multi_signature(signer.scheme, signer.sign(payload.message)))


def unsigned_sample(runtime: Runtime, context: Context, account: str | bytes, call: bytes) -> bytes:
    """Make an extrinsic with an empty signature, to ask for its fee."""
    payload = signed_payload(runtime, context, account, call)
    return assemble(payload, multi_signature("sr25519", bytes(64)))


def multi_signature(scheme: str, signature: bytes) -> bytes:
    """Give a signature as the runtime's `MultiSignature`."""
    return bytes([_SCHEMES[scheme]]) + signature


def with_length(body: bytes) -> bytes:
    """Put the compact length before an extrinsic's bytes."""
    return compact(len(body)) + body


def extrinsic_hash(extrinsic: bytes) -> str:
    """Give the hash that the pool names an extrinsic by."""
    return "0x" + hashlib.blake2b(extrinsic, digest_size=32).hexdigest()
