"""What the media server and the relayer say to each other.

One local stream socket, on which the relayer listens. A message is a frame
(`streaming.framing`) of JSON: one of the tagged structs below, told apart by its `type`
field.

Messages about media carry **state, not events**: cumulative figures, of which the latest
wins. Sending one twice is harmless, losing one is repaired by the next, and after a
reconnection the server simply sends everything again.
"""

from __future__ import annotations

from typing import Any

import msgspec

from streaming.framing import framed

PROTOCOL_VERSION = 1
STATE_INTERVAL_MS = 500
LEASE_MS = 15_000
"""How long one answer of the relayer allows media to flow. Silence stops it."""
GAP_MAX_MS = 1_500
"""Longest gap between two frames that is time watched; a longer one is a freeze, and free."""
RESUME_WITHIN_MS = 15_000
"""How long a session waits for its viewer to come back after its connection has gone."""


class StreamRef(msgspec.Struct, frozen=True, order=True):
    """A stream as its ledger numbers it, and which of the relayer's chains that ledger is on."""

    number: int
    chain: str = ""
    """The name that the relayer's operator gave the chain; empty for the one without a name."""

    def __str__(self) -> str:
        return f"{self.chain}/{self.number}" if self.chain else str(self.number)


class SessionRef(msgspec.Struct, frozen=True, order=True, omit_defaults=True, gc=False):
    """A session as its ledger names it, and between the processes, on which chain that is.

    What follows one chain leaves the chain empty: its sessions are told apart without.
    """

    grant: int
    index: int
    chain: str = ""

    def __str__(self) -> str:
        return f"{self.chain}/{self.on_chain}" if self.chain else self.on_chain

    @property
    def on_chain(self) -> str:
        """The name of the session where its chain is known: `3-1`."""
        return f"{self.grant}-{self.index}"


class ConnectionState(msgspec.Struct, frozen=True, kw_only=True):
    """One viewer's peer connection, cumulatively, since it was made.

    `delivered_ms` is what the meter stands by: forwarded, covered by a receiver report,
    and not withheld. `final` says that no later state of this connection will come; the
    server repeats a final state until the relayer acknowledges it.
    """

    connection: str
    session: SessionRef
    number: int
    """Counts the connections of one session, from 1; a higher one replaces a lower."""
    delivered_ms: int
    forwarded_ms: int = 0
    unconfirmed_ms: int = 0
    frames_forwarded: int = 0
    packets_sent: int = 0
    bytes_sent: int = 0
    packets_lost: int = 0
    paused: bool = False
    final: bool = False
    end_reason: str | None = None
    """With `final`: `left`, `vanished`, `replaced`, `denied`, `publisher-gone`,
    `unconfirmed`, `untimed`, `shutdown`."""


class PublisherState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One stream that is being published to this server."""

    stream: int
    chain: str = ""
    """The chain that has the stream, as in `StreamRef`."""
    video_codec: str | None
    audio_codec: str | None
    viewers: int
    bitrate_bps: int
    frozen_ms: int
    """How long ago the last frame came."""


# --- from the media server -------------------------------------------------------------


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello"):
    """First message of a connection. A new `boot_id` means that every connection of the
    earlier one is gone, and that its last state was its final one. While a server with another
    `boot_id` is connected and talks, the relayer refuses."""

    protocol_version: int
    server_id: str
    boot_id: str
    origin: str
    """The public HTTP origin that tokens are bound to, such as `https://live.example`."""


class States(msgspec.Struct, frozen=True, kw_only=True, tag="states"):
    """Each `STATE_INTERVAL_MS`: every publisher, every final state that was not acknowledged, and
    the connections that have changed. With many of them each is told of less often, but each within
    some seconds; and all of them when the link is new. Who is not named is as before."""

    sequence: int
    connections: list[ConnectionState]
    publishers: list[PublisherState]


class Request(msgspec.Struct, frozen=True, kw_only=True, tag="request", omit_defaults=True):
    """A question that is answered by one `Response` with the same `id`.

    `method` is one of the names in `docs/developer.md`; `params` its named arguments. One method
    has no answer: `withdraw`, with the id of a `request` whose asker has gone.
    """

    id: int
    method: str
    params: dict[str, Any]
    chain: str = ""
    """Which chain it is about: one of the greeting's `chains`, or the one without a name."""


# --- from the relayer ------------------------------------------------------------------


class HelloAck(msgspec.Struct, frozen=True, kw_only=True, tag="hello-ack"):
    """The relayer's side of the greeting; `refused` says why it will not go on."""

    protocol_version: int
    relayer_boot_id: str
    refused: str | None = None
    relayer_id: str = ""
    """Its name among several relayers; empty where there is one."""
    chains: tuple[str, ...] = ()
    """The names of the chains that it follows beside the one without a name."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """Whether one connection may go on, and what its viewer and page want to see."""

    connection: str
    allowed: bool
    reason: str | None = None
    """Why not: `funds`, `grant-ended`, `token-ended`, `stream-ended`, `open-refused`,
    `not-included`, `replaced`, `session-closed`, `unknown-session`; and, always with
    `wait`, `journal` (it cannot be written), `chain-unavailable`, and `budget:block`,
    `budget:report`, `budget:money` or `budget:refill` (the credit is used up, and what it waits
    for)."""
    wait: bool = False
    """Not now, but perhaps soon (the head-start budget is spent and the block has not
    come): hold the media back and keep the connection, whatever `allowed` says."""
    lease_ms: int | None = None
    """Where it is less than the message's: how long this connection may go on without another
    word, since no more than its viewer's credit may be forwarded."""
    paid_seconds: int | None = 0
    paid: int | None = 0
    """None where the relayer has just begun and the chain has not been read: as before."""
    runway_seconds: int | None = None
    """How long funds, vault and cap last at the session's rate."""


class Leases(msgspec.Struct, frozen=True, kw_only=True, tag="leases"):
    """The answer to one `States`. What is not named here keeps its earlier lease."""

    sequence: int
    lease_ms: int
    leases: list[Lease]
    publishers_denied: dict[str, str] = {}
    """A stream, as `str(StreamRef)` has it, to the reason for which it may no longer publish."""
    acknowledged: list[str] = []
    """Final states that are safely in the journal and need not be sent again."""
    draining: bool = False
    """It takes no viewer any more: requests go to another relayer, where there is one."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, in the manner of RFC 9457, for pages, players and people.

    `status` is the HTTP status that fits it, `code` a stable word for programs, `detail`
    says what is wrong and how to mend it. `terms` comes with 402, and where an account
    cannot pay what its wallet was to sign; `retry_after_s` (seconds, at least 1) where it
    is known when to ask again. `relayer` is only between relayer and media server: the
    name of the relayer that has the answer, empty where any other may have it.
    """

    status: int
    code: str
    detail: str
    field: str | None = None
    terms: dict[str, Any] | None = None
    retry_after_s: int | None = None
    relayer: str | None = None


class Response(msgspec.Struct, frozen=True, kw_only=True, tag="response"):
    """The answer to a `Request`: a `result`, or a `problem`."""

    id: int
    result: Any = None
    problem: Problem | None = None


FromServer = Hello | States | Request
FromRelayer = HelloAck | Leases | Response

_encoder = msgspec.json.Encoder()
_from_server: msgspec.json.Decoder[FromServer] = msgspec.json.Decoder(FromServer)
_from_relayer: msgspec.json.Decoder[FromRelayer] = msgspec.json.Decoder(FromRelayer)


def encode_frame(message: FromServer | FromRelayer) -> bytes:
    """Frame of one message. Raises `FrameTooLarge`."""
    return framed(_encoder.encode(message))


def decode_from_server(body: bytes) -> FromServer:
    """Raises `msgspec.DecodeError` or `msgspec.ValidationError`."""
    return _from_server.decode(body)


def decode_from_relayer(body: bytes) -> FromRelayer:
    """Raises `msgspec.DecodeError` or `msgspec.ValidationError`."""
    return _from_relayer.decode(body)
