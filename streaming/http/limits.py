"""What one address, stream or connection may ask for, and how long the next has to wait.

Pure: the clock is given (seconds, monotonic). A limit of 0 is no limit. Whoever is refused hears
which limit it was and after how many seconds it will be different.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from streaming.http.problem import ProblemError
from streaming.pace import Clock
from streaming.session_state import StreamRef
from streaming.sfu.pacer import NACKS_PER_SECOND

CONNECT_WITHIN_S: Final = 15.0
"""A peer connection that is not there so long after its answer is dropped by the engine."""
CHECKS_AT_ONCE_MAX: Final = 16
"""Tokens of one address that the relayer is asked about at a time."""
REFUSED_TOKENS_MAX: Final = 4_096
REFUSED_FOR_S: Final = 10.0
"""For so long a token that the relayer did not know is refused without asking again."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits that an operator chooses; 0 switches one off."""

    requests_per_second: float = 50
    """HTTP requests of one address; four seconds' worth at once."""
    joins_per_minute: float = 120
    """Offers (POST to WHIP and WHEP) of one address; a quarter of a minute's worth at once."""
    half_open_per_address: int = 64
    """Peer connections of one address that were answered and are not connected yet."""
    half_open_per_stream: int = 400
    """The same of one stream's viewers."""
    pauses_per_second: float = 4
    """Pauses and resumes of one connection; three seconds' worth at once."""
    nacks_per_second: int = NACKS_PER_SECOND
    """NACKs of one viewer that are answered; more are passed over."""
    http_connections_per_address: int = 256
    """TCP connections of one address to the HTTP port."""
    request_timeout_s: float = 10
    """How long a request's header may take to arrive, and its body as long again."""


def too_many(status: int, code: str, detail: str, wait_s: float) -> ProblemError:
    """A refusal that says when to ask again, in whole seconds, at least 1."""
    seconds = max(1, math.ceil(wait_s))
    return ProblemError(
        status,
        code,
        f"{detail}; ask again in {seconds} s",
        headers={"Retry-After": str(seconds)},
    )


class HalfOpenPlace:
    """One peer connection between its offer and its first packet."""

    def __init__(self, address: str | None, stream: StreamRef | None, made_s: float) -> None:
        self.address = address
        self.stream = stream
        self.made_s = made_s
        self.over: Callable[[], bool] = _never
        """Whether it has connected, or was dropped."""


def _never() -> bool:
    return False


class HalfOpen:
    """Counts peer connections that were answered (or are about to be) and not yet connected."""

    def __init__(self, per_address: int, per_stream: int, clock: Clock) -> None:
        self._per_address = per_address
        self._per_stream = per_stream
        self._clock = clock
        self._places: list[HalfOpenPlace] = []

    def __len__(self) -> int:
        self._prune()
        return len(self._places)

    def _prune(self) -> None:
        self._places = [place for place in self._places if not place.over()]

    def enter(
        self, address: str | None, stream: StreamRef, *, publishing: bool = False
    ) -> HalfOpenPlace:
        """Take a place for an offer. Raises `ProblemError`: 429 (address) or 503 (stream).

        A stream's publishers are not counted against its viewers: they have a limit of their own.
        """
        self._prune()
        now = self._clock()
        same = [place for place in self._places if place.address == address]
        if address is not None and 0 < self._per_address <= len(same):
            raise too_many(
                429,
                "too-many-half-open",
                f"{len(same)} connections from your address {address} were answered and are not "
                f"connected (at most {self._per_address})",
                CONNECT_WITHIN_S - (now - same[0].made_s),
            )
        watched = [place for place in self._places if place.stream == stream]
        if not publishing and 0 < self._per_stream <= len(watched):
            raise too_many(
                503,
                "too-many-half-open",
                f"{len(watched)} viewers of stream {stream} are just connecting (at most "
                f"{self._per_stream} at a time)",
                CONNECT_WITHIN_S - (now - watched[0].made_s),
            )
        place = HalfOpenPlace(address, None if publishing else stream, now)
        self._places.append(place)
        return place

    def leave(self, place: HalfOpenPlace) -> None:
        """Give a place back whose offer was not answered."""
        if place in self._places:
            self._places.remove(place)


class RefusedTokens:
    """Remembers for some seconds which tokens the relayer did not know. Holds digests only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused: OrderedDict[bytes, tuple[float, ProblemError]] = OrderedDict()

    def remember(self, token: str, problem: ProblemError) -> None:
        """The relayer refused this token with 401."""
        digest = _digest(token)
        self._refused[digest] = (self._clock() + REFUSED_FOR_S, problem)
        self._refused.move_to_end(digest)
        if len(self._refused) > REFUSED_TOKENS_MAX:
            self._refused.popitem(last=False)

    def check(self, token: str) -> None:
        """Raise again what the relayer said a moment ago."""
        known = self._refused.get(_digest(token))
        if known is not None and known[0] > self._clock():
            raise ProblemError.of(known[1].problem)


def _digest(token: str) -> bytes:
    return hashlib.blake2b(token.encode(), digest_size=16).digest()


class ChecksAtOnce:
    """Bounds the tokens of one address that the relayer is asked about at the same time."""

    def __init__(self, at_once: int = CHECKS_AT_ONCE_MAX) -> None:
        self._at_once = at_once
        self._running: dict[str, int] = {}

    @contextmanager
    def one(self, address: str | None) -> Iterator[None]:
        """Hold a place while a token is asked about. Raises `ProblemError` 429."""
        if address is None:
            yield
            return
        running = self._running.get(address, 0)
        if running >= self._at_once:
            raise too_many(
                429,
                "too-many-checks",
                f"{running} tokens from your address {address} are being checked (at most "
                f"{self._at_once} at a time)",
                1,
            )
        self._running[address] = running + 1
        try:
            yield
        finally:
            self._running[address] -= 1
            if not self._running[address]:
                del self._running[address]
