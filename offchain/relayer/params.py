"""What each question of the media server carries: its parameters, as they are decoded."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

from offchain.relayer.wallet import WalletCall

STREAMS_LISTED_MAX: Final = 500
_StreamId = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class NoParams(msgspec.Struct, frozen=True):
    """No parameters."""


class ChallengeParams(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants to sign in, and for what."""

    account: str
    purpose: Literal["watch", "publish"]
    stream: int | None = None


class TokenParams(msgspec.Struct, frozen=True, kw_only=True):
    """A challenge and its signature."""

    challenge: str
    signature: str


class RenewParams(msgspec.Struct, frozen=True, kw_only=True):
    """A token alone."""

    token: str


class StreamsParams(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of the catalogue: streams with a number above `after`, at most `limit`.

    Of one `owner` alone, or those of some `ids`, where they are named.
    """

    after: int = -1
    limit: int = STREAMS_LISTED_MAX
    owner: str | None = None
    ids: Annotated[frozenset[_StreamId], msgspec.Meta(max_length=STREAMS_LISTED_MAX)] | None = None


class StreamParams(msgspec.Struct, frozen=True, kw_only=True):
    """A stream alone."""

    stream: int


class TermsParams(msgspec.Struct, frozen=True, kw_only=True):
    """A token and a stream."""

    token: str
    stream: int


class AdmitParams(msgspec.Struct, frozen=True, kw_only=True):
    """A watch token, a stream, and perhaps the secret of a session to go on with.

    `renew` asks for the renewal of a running subscription. `rate_max_per_second` is the rate that
    the viewer was told, and `tick_price_max` what the operator takes for each tick, decimal text in
    the smallest unit: a session that costs more is refused.
    """

    token: str
    stream: int
    resume: str | None = None
    renew: bool = False
    rate_max_per_second: str | None = None
    tick_price_max: str | None = None


class PrepareParams(msgspec.Struct, frozen=True, kw_only=True):
    """Whose wallet is to sign what."""

    call: WalletCall
    token: str | None = None
    account: str | None = None


class SubmitParams(msgspec.Struct, frozen=True, kw_only=True):
    """A prepared transaction's signature."""

    submission: str
    signature: str


class SubmissionParams(msgspec.Struct, frozen=True, kw_only=True):
    """A prepared transaction."""

    submission: str


class SessionParams(msgspec.Struct, frozen=True, kw_only=True):
    """One session of the token's account."""

    token: str
    grant: int
    index: int


class DevelopmentSignParams(msgspec.Struct, frozen=True, kw_only=True):
    """What a development account is to sign."""

    account: str
    kind: Literal["raw", "payload"]
    data: str | dict[str, Any]
