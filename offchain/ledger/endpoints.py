"""The addresses of a chain's nodes: which one is in use, which comes next, and why one was left.

They are tried in turn, in the order in which they were given. One that failed is left alone for a
while that doubles, so that what is dead or not believed costs little, and the first that is well
again is the one to come back to. An address may hold a token: it is shown without anything that
could be one.
"""

from __future__ import annotations

import logging
import urllib.parse
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import msgspec

log = logging.getLogger("paystream.ledger")

Trouble: TypeAlias = Literal["unreachable", "refused", "left"]

_TOLD: Final[dict[Trouble, str]] = {
    "unreachable": "event=node-unreachable node=%s why=%r",
    "refused": "event=node-refused node=%s why=%r",
    "left": "event=node-left node=%s why=%r",
}
PAUSE_FIRST_S: Final = 0.1
PAUSE_MAX_S: Final = 5.0
"""Between two tries of an address that cannot be reached."""
APART_FIRST_S: Final = 5.0
APART_MAX_S: Final = 300.0
"""How long a node is left alone that was not believed or fell silent; others are there."""
WAIT_MAX_S: Final = 5.0
"""Where all addresses are left alone, the one that is due first is tried after so long."""
WELL_AFTER_S: Final = 600.0
"""What served for so long has its earlier troubles forgiven."""


def shown(url: str) -> str:
    """Give an address for messages and logs: scheme, host and port, and nothing else.

    User names, paths and queries are where providers put their tokens.
    """
    if "://" not in url:
        return "an address without ws://" if set("@?/") & set(url) else url
    parts = urllib.parse.urlsplit(url)
    if not parts.hostname:
        return f"{parts.scheme}://"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    try:
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        port = ""
    return f"{parts.scheme}://{host}{port}"


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One address for people and metrics: how often its node was used, left and refused."""

    node: str
    in_use: bool
    used: int
    left: int
    refused: int
    why: str | None


class Endpoint:
    """One address, and what came of it."""

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.name = name
        self.used = 0
        self.left = 0
        self.refused = 0
        self.trouble: Trouble = "unreachable"
        self.why: str | None = None
        """What was wrong the last time; None while it serves."""
        self.not_before = 0.0
        self.since = 0.0
        self._pause_s = PAUSE_FIRST_S
        self._apart_s = APART_FIRST_S

    def serves(self, now: float) -> None:
        """Note that its node is in use."""
        self.used += 1
        self.why, self.since = None, now
        self._pause_s = PAUSE_FIRST_S

    def fails(self, trouble: Trouble, why: str, now: float, spread: float) -> None:
        """Note that its node cannot be used now. `spread` is a factor near 1."""
        if self.why is None and now - self.since >= WELL_AFTER_S:
            self._apart_s = APART_FIRST_S
        self.trouble, self.why = trouble, why
        self.refused += trouble == "refused"
        self.left += trouble == "left"
        if trouble == "unreachable":
            self.not_before = now + self._pause_s * spread
            self._pause_s = min(self._pause_s * 2, PAUSE_MAX_S)
        else:
            self.not_before = now + self._apart_s * spread
            self._apart_s = min(self._apart_s * 2, APART_MAX_S)


class Endpoints:
    """All addresses, the preferred one first."""

    def __init__(self, urls: Sequence[str]) -> None:
        """Take at least one address."""
        names = [shown(url) for url in urls]
        numbered = [
            name if names.count(name) == 1 else f"{name} ({number})"
            for number, name in enumerate(names, 1)
        ]
        self.all = [Endpoint(*each) for each in zip(urls, numbered, strict=True)]
        self.current: Endpoint | None = None
        self._was_used = False
        """Whether one of several was ever in use: who waits for the first tells of them all."""

    @property
    def several(self) -> bool:
        """Whether there is another one to go to."""
        return len(self.all) > 1

    def choose(self, now: float) -> tuple[Endpoint, float]:
        """Give the next address to try, and in how many seconds."""
        for endpoint in self.all:
            if endpoint.not_before <= now:
                return endpoint, 0.0
        endpoint = min(self.all, key=lambda each: each.not_before)
        return endpoint, min(endpoint.not_before - now, WAIT_MAX_S)

    def better(self, now: float) -> list[Endpoint]:
        """List the addresses that come before the one in use and may be tried again."""
        if self.current is None:
            return []
        place = self.all.index(self.current)
        return [each for each in self.all[:place] if each.not_before <= now]

    def use(self, endpoint: Endpoint, now: float) -> None:
        """Note which one is in use."""
        self.current = endpoint
        endpoint.serves(now)
        if not self.several:
            return
        if not self._was_used:
            self._was_used = True
            for each in self.all:
                _tell(each)
        log.info("event=node-in-use node=%s", endpoint.name)

    def fail(
        self, endpoint: Endpoint, trouble: Trouble, why: str, now: float, spread: float = 1.0
    ) -> None:
        """Note that one cannot be used now."""
        is_news = endpoint.why != why
        endpoint.fails(trouble, why, now, spread)
        if self.current is endpoint:
            self.current = None
        if self._was_used and is_news:
            _tell(endpoint)

    def troubles(self) -> list[str]:
        """Say of each what was wrong with it the last time."""
        return [f"{each.name}: {each.why}" for each in self.all if each.why is not None]

    def statuses(self) -> tuple[NodeStatus, ...]:
        """Tell of each how it stands."""
        return tuple(
            NodeStatus(
                node=each.name,
                in_use=each is self.current,
                used=each.used,
                left=each.left,
                refused=each.refused,
                why=each.why,
            )
            for each in self.all
        )


def _tell(endpoint: Endpoint) -> None:
    """Say in the log what was wrong with an address the last time, if anything was."""
    if endpoint.why is not None:
        log.warning(_TOLD[endpoint.trouble], endpoint.name, endpoint.why)
