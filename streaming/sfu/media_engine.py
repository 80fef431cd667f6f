"""The one interface behind which packets are forwarded, whoever forwards them.

`streaming.sfu.aiortc_engine` implements it on aiortc, inside this process. Everything above it
(WHIP, WHEP, sessions, leases) knows only these types.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

StreamName: TypeAlias = Hashable
"""Whatever tells streams apart above this interface; here it is only compared, and shown."""


class MediaError(Exception):
    """An offer that cannot be served. `code` is a stable word, `status` an HTTP status."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


@dataclass(frozen=True, kw_only=True)
class LiveState:
    """What is known of a stream that is being published."""

    stream: StreamName
    video_codec: str | None
    """`VP8` or `H264`."""
    audio_codec: str | None
    """`opus`."""
    viewers: int
    bitrate_bps: int
    frozen_ms: int
    """How long ago the last frame came."""


@dataclass(frozen=True, kw_only=True)
class ConnectionFigures:
    """What one viewer was sent, cumulatively; see `session_state.ConnectionState`."""

    delivered_ms: int
    forwarded_ms: int
    unconfirmed_ms: int
    unpayable_ms: int
    owed_ms: int
    """Unpaid media that the viewer may have seen, and still has to work off."""
    free_ms: int
    """Media that is counted nowhere: the catch-up of a join, and sound without its picture."""
    sound_free_ms: int
    """How much sound without its picture would still be free."""
    frames_forwarded: int
    packets_sent: int
    bytes_sent: int
    packets_lost: int


class Publication(Protocol):
    """One publisher's connection."""

    @property
    def answer(self) -> str:
        """The SDP answer."""

    @property
    def stream(self) -> StreamName:
        """The stream it feeds."""

    @property
    def phase(self) -> Literal["connecting", "live", "closed"]:
        """Whether it was only answered, feeds its stream, or is over (closed, failed, replaced)."""

    async def close(self) -> None:
        """End it. Its viewers wait for another publisher for a while."""


class Subscription(Protocol):
    """One viewer's connection. It forwards nothing before `release`."""

    @property
    def connected(self) -> bool:
        """Whether the peer connection was there (for a moment at least)."""

    @property
    def held(self) -> Collection[str]:
        """Why nothing, or no picture, is forwarded now: none while all flows."""

    def rejoins(self, owed_ms: int) -> None:
        """It goes on where an earlier connection ended, which owed so much: it has had its
        catch-up and its free sound."""

    def hold(self, reason: str) -> None:
        """Forward nothing while any reason is held: `paused`, `lease`, `ended`."""

    def release(self, reason: str) -> None:
        """Forward again once no reason is left, from the next keyframe on."""

    @property
    def reports_alone(self) -> bool:
        """Whether receiver reports, which may be rare, are all that will tell what has come of
        what still waits for that."""

    async def settled(self, timeout_s: float) -> bool:
        """Wait until a report covers all that was forwarded, or the time is over. Returns whether
        there is nothing more to wait for."""

    async def close(self) -> None:
        """Close the peer connection. Figures stay readable."""

    def choose_sound(self, *, chosen: bool) -> None:
        """Go on with sound where the path carries no picture, and pay for it; or rather wait."""

    def figures(self) -> ConnectionFigures:
        """What was sent until now."""


Ended = Callable[[str], None]
"""Called once when a subscription cannot go on, with why: `vanished`, `publisher-gone`,
`unconfirmed`, `untimed`."""


class PreparedSubscription(Protocol):
    """A subscription whose offer has been read and found servable, and not answered yet."""

    async def answer(self, on_ended: Ended) -> tuple[str, Subscription]:
        """The SDP answer, and the held subscription (reason `admission`)."""

    async def close(self) -> None:
        """Drop it."""


class MediaEngine(Protocol):
    """Publications in, subscriptions out."""

    async def publish(self, stream: StreamName, sdp: str, *, sound_alone: bool) -> Publication:
        """Answer a publisher's offer; an earlier publication of the stream is replaced.

        Raises `MediaError`: 400 for SDP that is none, 413 for what is too long, 422 for media
        that cannot be used. The offer is judged completely before anything is done.
        """

    async def prepare(self, stream: StreamName, sdp: str) -> PreparedSubscription:
        """Read a viewer's offer. Raises `MediaError`: 400, 409 `not-live`, 413, or 422."""

    def live(self, stream: StreamName) -> LiveState | None:
        """State of one stream, if it is being published."""

    def all_live(self) -> list[LiveState]:
        """State of everything that is being published."""

    def turned_away(self) -> Mapping[str, int]:
        """Datagrams that media sockets have turned away, by kind, since the start."""

    async def unpublish(self, stream: StreamName) -> None:
        """End a stream's publication, if there is one."""

    async def close(self) -> None:
        """Close every connection."""
