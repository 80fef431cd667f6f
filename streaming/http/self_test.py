"""What `paystream serve` tries before it takes requests, and `paystream doctor` with it."""

from __future__ import annotations

import logging

from streaming.http.config import ServeConfig
from streaming.http.descriptors import raise_descriptors
from streaming.sfu.addresses import offered_addresses
from streaming.sfu.reach import Reach, try_addresses

__all__ = ["Reach", "self_test", "try_media"]

log = logging.getLogger(__name__)


def try_media(config: ServeConfig) -> list[Reach]:
    """A round trip through every address that WebRTC peers would be offered; a second at most.

    Raises `streaming.sfu.addresses.IceHostInvalid`.
    """
    return try_addresses(offered_addresses(config.ice_hosts, config.listen_host), config.udp_ports)


def self_test(config: ServeConfig) -> None:
    """Raise the limit of descriptors, try the media addresses, and log what is wanting.

    Raises `streaming.sfu.addresses.IceHostInvalid`.
    """
    found = try_media(config)
    raise_descriptors(config.connections_max, len(found))
    if config.udp_ports is not None:
        ports = config.udp_ports[1] - config.udp_ports[0] + 1
        if ports < config.connections_max:
            log.warning(
                "--udp-ports has %d ports, and so room for %d connections at a time, but "
                "--connections-max is %d: widen the range",
                ports,
                ports,
                config.connections_max,
            )
    for reach in found:
        if reach.state == "open":
            log.info("media: %s", reach.found)
        else:
            log.warning("media: %s; %s", reach.found, reach.remedy)
