"""What the community's WebSocket carries, both ways, as types.

The server reads and writes frames by them, our client reads by them, and `/asyncapi.json` is made
of them. Each is a JSON object in one text frame, told apart by its `type`.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

Role: TypeAlias = Literal["operator", "owner", "moderator"]

# --- what a page says ------------------------------------------------------------------------


class Hello(msgspec.Struct, tag="hello", forbid_unknown_fields=True):
    """Who it is: the token of a session."""

    token: str


class Join(msgspec.Struct, tag="join", forbid_unknown_fields=True):
    """Hear a stream's chat."""

    stream: int
    chain: str = ""


class Leave(msgspec.Struct, tag="leave", forbid_unknown_fields=True):
    """Hear it no more."""

    stream: int
    chain: str = ""


class Say(msgspec.Struct, tag="say", forbid_unknown_fields=True):
    """Say something in it; sent again under the same `id`, it is the same message."""

    stream: int
    id: str
    text: str
    chain: str = ""
    reply_to: int | None = None
    """The number of the message that it answers."""


Asked: TypeAlias = Hello | Join | Leave | Say

# --- what it hears ---------------------------------------------------------------------------


class Name(msgspec.Struct):
    """What somebody is called; `name` is empty and `handle` null where they have not said."""

    account: str
    handle: str | None
    name: str


class ChatMessage(msgspec.Struct):
    """A message; `number` is its place in the stream's chat, `id` its author's own name for it.

    `reply_to` is the number of the message that it answers, `mentions` are those whom it calls by
    their handles.
    """

    number: int
    id: str
    author: Name
    role: Role | None
    sent_at_ms: int
    text: str
    deleted: bool
    reply_to: int | None
    mentions: list[Name]


class ChatSettings(msgspec.Struct):
    """How a chat is set.

    In slow mode an account waits so long between two messages. Where links are held, a message
    with one waits for a moderator, unless its author first signed in `links_days` ago; 0 excepts
    nobody.
    """

    slow_mode_s: int
    speakers: Literal["everybody", "followers"]
    links_held: bool
    links_days: int


class Welcome(msgspec.Struct, tag="welcome", kw_only=True):
    """The session is known: who speaks."""

    account: str


class _OfARoom(msgspec.Struct, kw_only=True):
    stream: int
    chain: str


class Joined(_OfARoom, tag="joined", kw_only=True):
    """The latest messages, as they are now: what was shown before is replaced."""

    messages: list[ChatMessage]
    settings: ChatSettings
    role: Role | None
    """Yours."""


class MessageSaid(_OfARoom, tag="message", kw_only=True):
    """Somebody has said something."""

    message: ChatMessage


class Said(_OfARoom, tag="said", kw_only=True):
    """What you said under this `id` is kept, as this `number`."""

    id: str
    number: int


class Held(_OfARoom, tag="held", kw_only=True):
    """What you said under this `id` waits for a moderator: it need not be said again."""

    id: str


class Rejected(_OfARoom, tag="rejected", kw_only=True):
    """What you said under this `id`, and what waited for a moderator, is never said."""

    id: str


class ReportAnswered(_OfARoom, tag="report_answered", kw_only=True):
    """Your report of this `number` has an answer."""

    number: int
    answer: Literal["dismiss", "delete", "time-out", "ban"]


class Deleted(_OfARoom, tag="deleted", kw_only=True):
    """A message is gone."""

    number: int


class Erased(_OfARoom, tag="erased", kw_only=True):
    """An account is gone, with all that it said."""

    account: str


class SettingsChanged(_OfARoom, tag="settings", kw_only=True):
    """The chat is set otherwise."""

    settings: ChatSettings


class Muted(_OfARoom, tag="muted", kw_only=True):
    """You may not speak until then; for good where it is null."""

    until_ms: int | None


class Unmuted(_OfARoom, tag="unmuted", kw_only=True):
    """You may speak again."""


class RoleChanged(_OfARoom, tag="role", kw_only=True):
    """You moderate, or no more."""

    role: Role | None


class SignedOut(msgspec.Struct, tag="signed_out", kw_only=True):
    """Your session has ended."""


class Refused(msgspec.Struct, tag="refused", kw_only=True):
    """What you asked is not done; `stream`, `chain` and `id` say what it was, where it is known."""

    stream: int | UnsetType = UNSET
    chain: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    status: int
    code: str
    detail: str
    field: str | UnsetType = UNSET
    retry_after_s: int | UnsetType = UNSET


Heard: TypeAlias = (
    Welcome
    | Joined
    | MessageSaid
    | Said
    | Held
    | Rejected
    | ReportAnswered
    | Deleted
    | Erased
    | SettingsChanged
    | Muted
    | Unmuted
    | RoleChanged
    | SignedOut
    | Refused
)
ASKED: Final[tuple[type[msgspec.Struct], ...]] = (Hello, Join, Leave, Say)
HEARD: Final[tuple[type[msgspec.Struct], ...]] = (
    Welcome,
    Joined,
    MessageSaid,
    Said,
    Held,
    Rejected,
    ReportAnswered,
    Deleted,
    Erased,
    SettingsChanged,
    Muted,
    Unmuted,
    RoleChanged,
    SignedOut,
    Refused,
)
_BY_KIND: Final = {str(kind.__struct_config__.tag): kind for kind in HEARD}
_ASKED_DECODER: Final[msgspec.json.Decoder[Asked]] = msgspec.json.Decoder(Asked)
_HEARD_DECODER: Final[msgspec.json.Decoder[Heard]] = msgspec.json.Decoder(Heard)


def frame(kind: str, **fields: Any) -> bytes:
    """Write a frame that pages hear. Raises `TypeError` for fields that its type has not."""
    return msgspec.json.encode(_BY_KIND[kind](**fields))


def read_asked(text: str) -> Asked:
    """Read a frame of a page. Raises `msgspec.MsgspecError`."""
    return _ASKED_DECODER.decode(text)


def read_heard(text: str) -> Heard:
    """Read a frame of the server. Raises `msgspec.MsgspecError`."""
    return _HEARD_DECODER.decode(text)
