"""Addresses to listen on."""

from __future__ import annotations

import errno
import re
import socket

from offchain.cli.exits import Exit
from offchain.cli.failure import Failure


def is_port_free(host: str, port: int) -> bool:
    """Tell whether a TCP port could be listened on. Raises OSError for an address not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def parse_listen(text: str) -> tuple[str, int]:
    """Read `HOST:PORT` or `[HOST]:PORT`. Raises Failure."""
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:]+)\]|([^:\[\]]+)):([0-9]{1,5})", text.strip())
    if found is None or int(found[3]) > 65_535:
        raise Failure(
            f"--listen is {text!r}: write HOST:PORT, such as 127.0.0.1:8080, with port 0 for "
            "any free one",
            Exit.USAGE,
            "listen-invalid",
        )
    return found[1] or found[2], int(found[3])


def parse_udp_ports(text: str | None) -> tuple[int, int] | None:
    """Read `FROM-TO`, both from 1 to 65535. Raises Failure."""
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", text.strip())
    first, last = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= first <= last <= 65_535:
        raise Failure(
            f"--udp-ports is {text!r}: write FROM-TO, such as 40000-41999, two ports to 65535 of "
            "which the first is not the higher",
            Exit.USAGE,
            "udp-ports-invalid",
        )
    return first, last


def refuse_taken_port(host: str, port: int, option: str) -> None:
    """Raise Failure where a port cannot be listened on."""
    if not port:
        return
    try:
        free = is_port_free(host, port)
    except OSError as error:
        raise Failure(
            f"{host}:{port} cannot be listened on ({error.strerror}): give an address of this "
            "machine, and a port from 1024 on",
            Exit.MACHINE,
            "address-unavailable",
        ) from None
    if not free:
        raise Failure(
            f"{host}:{port} is in use by another program: end it, or choose another port with "
            f"{option} (0 for any free one)",
            Exit.MACHINE,
            "port-in-use",
        )
