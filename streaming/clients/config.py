"""What our publisher and our viewer are told when they start.

Plain values, so that the command line, a test or another program can make them. No secret
is kept here: the clients get a `Signer`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streaming.clients.rest_client import RestClient
    from streaming.clients.signer import Signer


@dataclass(frozen=True, kw_only=True)
class PublishConfig:
    """Options of the publishing client (`run_publish`)."""

    server: str
    """HTTP origin of the media server, such as `http://127.0.0.1:8080`."""
    stream: int
    signer: Signer
    token: str | None = None
    """A publish token that the account has signed for already; without it, the signer is asked."""
    video: Path | None = None
    """Any file ffmpeg reads; without one, moving test pictures, a clock and a tone."""
    seconds: float | None = None
    """How long to publish; until stopped if absent. A shorter file is repeated."""
    stall_s: float = 0.0
    """Freeze for so long, once: no frame and no sound is sent."""
    stall_after_s: float | None = None
    """When the freeze begins, from the first frame. If absent: in the middle of `seconds`, or,
    without these, at SIGUSR1 (which begins it in any case)."""
    on_progress: Callable[[dict[str, Any]], None] | None = None
    """Called about once a second with `{"event": ..., ...}`."""


@dataclass(frozen=True, kw_only=True)
class WatchConfig:
    """Options of the watching client (`run_watch`)."""

    server: str
    stream: int
    signer: Signer
    token: str | None = None
    """A watch token that the account has signed for already; without it, the signer is asked."""
    seconds: float | None = None
    """How long to watch, from the first picture; until stopped if absent."""
    count_only: bool = False
    """Count complete frames from RTP instead of decoding them (cheap)."""
    renew: bool = False
    """Ask for another period of a running subscription before its last one ends."""
    sound_alone: bool = False
    """Where the path cannot carry the picture: go on with sound, and pay for it. Otherwise it is
    free for some seconds, and then waits."""
    make_payable: Callable[[RestClient, str, dict[str, Any]], Awaitable[None]] | None = None
    """Called once, with (client, watch token, terms), if the server answers 402: deposits and
    grants what the terms name. Without it, or if it is not enough, `WatchFailed` is raised."""
    on_progress: Callable[[dict[str, Any]], None] | None = None
    """Called about once a second with `{"event": ..., ...}`. `held` says that the server sends
    nothing, or no picture, and why (`reasons`, `why`, and where there is a choice `choices` and
    `choice`); `flowing`, that it does again."""


@dataclass(frozen=True, kw_only=True)
class PublishResult:
    """What was published, by the client's own count."""

    stream: int
    published_ms: int
    video_frames: int
    reconnects: int
    end_reason: str
    """`seconds`, `stopped`, or `replaced` by another publisher of the stream."""


@dataclass(frozen=True, kw_only=True)
class WatchResult:
    """What was watched, by the viewer's own clock: it reads no meter, journal or ledger."""

    stream: int
    account: str
    session: str | None
    """`grant-index` of the last session."""
    sessions: tuple[str, ...] = field(default=())
    """All sessions in order; more than one if the first could not be taken up again."""
    watched_ms: int = 0
    """Sum of the gaps between decoded (or counted) frames; one above 1,500 ms counts nothing."""
    freezes_ms: int = 0
    """For how long the picture stood still: of each gap of at least 200 ms that is longer than
    three times the usual one (the median of the last 30), what it is longer than the usual."""
    sound_alone_ms: int = 0
    """Sound that came while no picture did: free, or paid where that was chosen."""
    frames_decoded: int = 0
    """Complete frames: decoded, or with `count_only` counted."""
    first_frame_ms: int | None = None
    """From asking for the media to the first frame."""
    reconnects: int = 0
    end_reason: str = "seconds"
    """`seconds`, `stopped`, or the code of the problem that ended it, such as
    `payment-required` or `publisher-gone`."""
    delivered_ms: int | None = None
    """What the server answered to the last DELETE. For display only."""
