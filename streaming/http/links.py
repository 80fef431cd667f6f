"""A media server's links to its relayers: to one, or to each of several on one journal.

All of them are told everything, so whoever takes a session over knows at once how it stands; only
who holds a session answers for it. A question goes where its account is held: the relayers share
accounts by a hash until one of them says better. Of a relayer that has gone nothing need be known.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from streaming.http.link import REQUEST_TIMEOUT_S, Link, Snapshot
from streaming.http.problem import ProblemError
from streaming.session_state import ConnectionState, Hello, Leases

_ASK_ANOTHER: Final = frozenset({"held-elsewhere", "challenge-unknown", "submission-unknown"})
"""What one relayer does not know another may."""


class Links:
    """The links of one media server."""

    def __init__(
        self,
        sockets: Sequence[Path],
        hello: Hello,
        snapshot: Snapshot,
        on_leases: Callable[[Leases], None],
    ) -> None:
        self._links = [
            Link(socket, hello, snapshot, on_leases, self._acknowledged) for socket in sockets
        ]

    def start(self) -> None:
        """Begin to connect. Call inside a running loop."""
        for link in self._links:
            link.start()

    async def close(self, within_s: float = 1.0) -> None:
        """Send what is final, wait for its acknowledgement at most so long, and hang up."""
        await asyncio.gather(*(link.close(within_s) for link in self._links))

    # --- how they stand --------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether a relayer has greeted back and is there."""
        return any(link.connected for link in self._links)

    @property
    def chains(self) -> tuple[str, ...]:
        """The names of the chains that are followed beside the one without a name."""
        return next((link.chains for link in self._links if link.connected), ())

    @property
    def connects(self) -> int:
        """How often a relayer has greeted back."""
        return sum(link.connects for link in self._links)

    @property
    def refused(self) -> str | None:
        """Why no relayer talks to this server, if one said so."""
        if self.connected:
            return None
        return next((link.refused for link in self._links if link.refused is not None), None)

    @property
    def unacknowledged(self) -> int:
        """How many final states wait for a relayer's word."""
        return max(link.unacknowledged for link in self._links)

    # --- state -----------------------------------------------------------------------

    def final(self, state: ConnectionState) -> None:
        """A connection's last state: kept and repeated until one relayer has acknowledged it."""
        for link in self._links:
            link.final(state)

    def _acknowledged(self, connections: Sequence[str]) -> None:
        for link in self._links:
            link.settle(connections)

    def tell_soon(self) -> None:
        """Send the state in a moment instead of within 500 ms."""
        for link in self._links:
            link.tell_soon()

    # --- requests --------------------------------------------------------------------

    async def request(
        self,
        method: str,
        params: dict[str, Any],
        timeout_s: float = REQUEST_TIMEOUT_S,
        *,
        chain: str = "",
    ) -> Any:
        """Ask whichever relayer knows about a chain. Raises `ProblemError`."""
        left = self._in_order(params)
        while True:
            link = left.pop(0)
            try:
                return await link.request(method, params, timeout_s, chain=chain)
            except ProblemError as error:
                problem = error.problem
                if problem.code not in _ASK_ANOTHER:
                    raise
                if problem.relayer:
                    left = [other for other in left if other.relayer_id == problem.relayer]
                if not left:
                    raise

    def _in_order(self, params: dict[str, Any]) -> list[Link]:
        """List the links that are up in the order in which to ask; if none is, the first."""
        up = [link for link in self._links if link.connected]
        who = str(params.get("token") or params.get("account") or "")
        if who:
            up.sort(key=lambda link: _rank(who, link))
        up.sort(key=lambda link: link.draining or link.silent)  # in order otherwise
        return up or self._links[:1]


def _rank(who: str, link: Link) -> bytes:
    """Give every relayer its share of the accounts: one that comes or goes moves no other's."""
    return hashlib.sha256(f"{link.socket} {who}".encode()).digest()
