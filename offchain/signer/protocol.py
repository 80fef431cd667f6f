"""What a relayer and its signer say to each other.

One local stream socket, on which the signer listens. A message is a frame (`streaming.framing`) of
JSON. The relayer says `Hello`, the
signer `HelloAck`; then every request is answered once, by its `id`. There is no request that signs
bytes: orders and proofs are typed, and the signer makes the bytes itself.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from offchain.signer.policy import Adopt, SignOrder
from streaming.framing import FrameTooLarge, framed

PROTOCOL_VERSION: Final = 1
ORDERS_MAX: Final = 256
"""Orders in one request."""
VIEWER_BYTES_MAX: Final = 64


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello"):
    """The relayer's first message: the chain that all its orders are for."""

    protocol_version: int
    genesis_hash: str
    pallet_index: int
    rehearses: bool = False
    """Whether it would be greeted, and whose keys are here: a signer that is new is not tied to the
    chain by it, and takes nothing but `Recognise`."""


class SignOrders(msgspec.Struct, frozen=True, kw_only=True, tag="sign"):
    """Orders to be signed, each judged for itself; answered by `Signed`."""

    id: int
    orders: list[SignOrder]


class AdoptSession(msgspec.Struct, frozen=True, kw_only=True, tag="adopt"):
    """A running session that the signer has not opened; answered by `Done`."""

    id: int
    session: Adopt


class Derive(msgspec.Struct, frozen=True, kw_only=True, tag="derive"):
    """Which key a viewer's delegate has; answered by `Derived`."""

    id: int
    viewer: str
    number: int


class Recognise(msgspec.Struct, frozen=True, kw_only=True, tag="recognise"):
    """Whether a public key is a viewer's delegate of any master; answered by `Recognised`."""

    id: int
    viewer: str
    public: bytes


class Prove(msgspec.Struct, frozen=True, kw_only=True, tag="prove"):
    """The proof that a viewer may grant a key; answered by `Done`."""

    id: int
    key: str
    viewer: str


class HelloAck(msgspec.Struct, frozen=True, kw_only=True, tag="hello-ack"):
    """The signer's greeting; `refused` says why it will not go on."""

    protocol_version: int
    refused: str | None = None


class SignedOne(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of one order: scheme and signature, or a code and its detail.

    `floor` comes with `totals-fall`: the total that was signed before.
    """

    scheme: str = "sr25519"
    signature: bytes = b""
    code: str | None = None
    detail: str = ""
    floor: int | None = None


class Signed(msgspec.Struct, frozen=True, kw_only=True, tag="signed"):
    """What came of each order, in their order."""

    id: int
    results: list[SignedOne]


class Derived(msgspec.Struct, frozen=True, kw_only=True, tag="derived"):
    """A delegate's name and public key, and the master that new ones come from."""

    id: int
    name: str
    public: bytes
    master: str


class Recognised(msgspec.Struct, frozen=True, kw_only=True, tag="recognised"):
    """The name of a delegate's key; None where it is of none of the signer's masters."""

    id: int
    name: str | None


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """A proof, an adoption, or the refusal of any request that is not `SignOrders`."""

    id: int
    result: SignedOne


FromRelayer = Hello | SignOrders | AdoptSession | Derive | Recognise | Prove
FromSigner = HelloAck | Signed | Derived | Recognised | Done

_encoder = msgspec.json.Encoder()
_T = TypeVar("_T")
_from_relayer: msgspec.json.Decoder[FromRelayer] = msgspec.json.Decoder(FromRelayer)
_from_signer: msgspec.json.Decoder[FromSigner] = msgspec.json.Decoder(FromSigner)


class MessageBroken(ValueError):
    """A message that is too long, or is none."""


def encode_frame(message: FromRelayer | FromSigner) -> bytes:
    """Give length and JSON of a message. Raises MessageBroken."""
    try:
        return framed(_encoder.encode(message))
    except FrameTooLarge as error:
        raise MessageBroken(str(error)) from None


def decode_from_relayer(body: bytes) -> FromRelayer:
    """Read a relayer's message. Raises MessageBroken."""
    return _decoded(_from_relayer, body)


def decode_from_signer(body: bytes) -> FromSigner:
    """Read a signer's message. Raises MessageBroken."""
    return _decoded(_from_signer, body)


def _decoded(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise MessageBroken(str(error)[:200]) from None
