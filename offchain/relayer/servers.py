"""Which media servers are there: when each was heard, and which have yet to name all they have.

No clock: times are passed in, in seconds. A boot is named by its id and its server's.
"""

from __future__ import annotations

from typing import Final

AWAY_AFTER_S: Final = 3.0
"""A media server that has said nothing for so long (it speaks each 500 ms) is away."""
SERVER_DEAD_AFTER_S: Final = 45.0
"""One that is away for so long is taken for dead. What it still has to say is taken if it comes."""
FIGURES_LOST_AFTER_S: Final = 600.0
"""After so long nobody waits any more for what one that is dead still has to say: by then gap and
window of the sessions that it had are nearly over, where they are the usual ones."""
TOLD_ALL_WITHIN_S: Final = 5.0
"""A media server tells of every connection that it has within so long (`streaming/http/telling`),
and what it has not named by then is no more."""
SERVERS_KEPT: Final = 256


class Servers:
    """The media servers that are known, as far as they have spoken."""

    def __init__(self) -> None:
        self.started_at = 0.0
        """Who was never heard is silent since then."""
        self._heard: dict[str, float] = {}
        """When each server last said anything."""
        self._telling: dict[str, float] = {}
        """Boots that have yet to name all that they have, and since when."""

    def hear(self, boot_id: str, now: float) -> None:
        """Note that a media server has said something."""
        _keep(self._heard, _server_of(boot_id), now)

    def is_away(self, boot_id: str, now: float) -> bool:
        """Tell whether a boot's media server is away: then nobody knows if a connection is silent.

        One that stays away is taken for dead: its viewers are not kept waiting for its figures. One
        that was not heard since the start is away from then on.
        """
        return self._is_silent(boot_id, now, SERVER_DEAD_AFTER_S)

    def may_come_back(self, boot_id: str, now: float) -> bool:
        """Tell whether a boot's media server is away, dead or not, and may yet tell its figures."""
        return self._is_silent(boot_id, now, FIGURES_LOST_AFTER_S)

    def _is_silent(self, boot_id: str, now: float, most_s: float) -> bool:
        heard_at = self._heard.get(_server_of(boot_id))
        if heard_at is None:
            return now - self.started_at < most_s
        return AWAY_AFTER_S <= now - heard_at < most_s

    def await_all(self, boot_id: str, now: float) -> None:
        """Wait for a boot to name all that it has, from now on."""
        _keep(self._telling, boot_id, now)

    def has_told_all(self, boot_id: str, now: float) -> bool:
        """Tell, as a boot speaks, whether it has had the time to name all that it has: once."""
        since = self._telling.get(boot_id)
        if since is None or now - since < TOLD_ALL_WITHIN_S:
            return False
        del self._telling[boot_id]
        return True


def is_earlier(boot: str, boot_id: str) -> bool:
    """Tell whether a boot is an earlier one of the same media server."""
    return boot != boot_id and _server_of(boot) in ("", _server_of(boot_id))


def _server_of(boot_id: str) -> str:
    """Give the id of the media server whose boot it is; empty in journals of earlier releases."""
    return boot_id.partition("@")[2]


def _keep(table: dict[str, float], name: str, now: float) -> None:
    """Note a name as the newest, and forget the oldest where there are too many."""
    table.pop(name, None)
    table[name] = now
    while len(table) > SERVERS_KEPT:
        del table[next(iter(table))]
