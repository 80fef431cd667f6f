"""How many file descriptors the media server may have, and how many it needs."""

from __future__ import annotations

import logging
import resource
from typing import Final

log = logging.getLogger(__name__)

BESIDE_MEDIA: Final = 200
"""HTTP connections, the listening socket, the relayer's, files and pages being sent."""


def raise_descriptors(connections_max: int, addresses: int) -> int:
    """Raise the soft limit of descriptors to the hard one, and say so when that is too few.

    Each peer connection has a socket for each offered address. Returns the limit in force.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError) as error:
            log.warning("the limit of file descriptors stays at %d: %s", soft, error)
    needed = connections_max * addresses + BESIDE_MEDIA
    if soft != resource.RLIM_INFINITY and soft < needed:
        log.warning(
            "%d file descriptors are too few for %d connections at %d address(es): raise the hard "
            "limit to %d (systemd: LimitNOFILE=%d), or start with --connections-max %d",
            soft,
            connections_max,
            addresses,
            needed,
            needed,
            max((soft - BESIDE_MEDIA) // addresses, 1),
        )
    return soft
