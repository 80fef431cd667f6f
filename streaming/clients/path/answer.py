"""Putting a relay into an SDP answer in place of the server's candidates. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

NO_PORT: Final = 9
"""The port of a section whose address only its candidates tell (RFC 8839, 4.3.1)."""
_CANDIDATE: Final = re.compile(r"a=candidate:\S+ 1 udp (\d+) (\S+) (\d+) typ host\b", re.IGNORECASE)
_HOST_PRIORITY: Final = 2_130_706_431
"""Of a first component's host candidate with the highest preference (RFC 8445, 5.1.2)."""

Address = tuple[str, int]


class NoCandidateError(Exception):
    """The answer names no address that a relay could send to."""


@dataclass(frozen=True)
class Candidate:
    """A host candidate for UDP."""

    priority: int
    address: Address


def server_of(sdp: str, near: str) -> Address:
    """The server's candidate that a relay is to send to.

    One at the address `near` (where the server answers HTTP) before all others, then by
    priority. Names are passed over. Raises `NoCandidateError`.
    """
    found = [each for line in sdp.splitlines() if (each := _candidate(line)) is not None]
    if not found:
        raise NoCandidateError("the server's answer has no host candidate for UDP")
    return max(found, key=lambda each: (each.address[0] == near, each.priority)).address


def _candidate(line: str) -> Candidate | None:
    found = _CANDIDATE.match(line)
    if found is None:
        return None
    priority, host, port = found.groups()
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return None
    return Candidate(int(priority), (host, int(port)))


def through(sdp: str, relay: Address) -> str:
    """The answer with the relay's address as the only candidate of each section that had any.

    Line ends stay, and so does everything else: `a=end-of-candidates`, and ports of 0 (refused)
    and 9 (the address is the candidates' to tell).
    """
    head, *sections = _sections(sdp.splitlines(keepends=True))
    return "".join([*head, *(line for each in sections for line in _relayed(each, relay))])


def _sections(lines: list[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("m="):
            found.append([])
        found[-1].append(line)
    return found


def _relayed(section: list[str], relay: Address) -> list[str]:
    host, port = relay
    told = False
    lines = []
    for line in section:
        if line.startswith("a=candidate:"):
            if not told:
                lines.append(
                    _like(line, f"a=candidate:1 1 udp {_HOST_PRIORITY} {host} {port} typ host")
                )
            told = True
        else:
            lines.append(line)
    if told and int(section[0].split()[1].partition("/")[0]) not in (0, NO_PORT):
        return [_moved(line, host, port) for line in lines]
    return lines


def _moved(line: str, host: str, port: int) -> str:
    """One line of a section that names its default address outside its candidates, too."""
    network = f"IN IP{ipaddress.ip_address(host).version} {host}"
    starts: dict[str, Callable[[], str]] = {
        "m=": lambda: re.sub(r"^(m=\S+ )\d+", rf"\g<1>{port}", line.rstrip("\r\n")),
        "c=": lambda: f"c={network}",
        "a=rtcp:": lambda: f"a=rtcp:{port} {network}",
    }
    for start, moved in starts.items():
        if line.startswith(start):
            return _like(line, moved())
    return line


def _like(line: str, text: str) -> str:
    """The text with the end that the line has."""
    return text + line[len(line.rstrip("\r\n")) :]
