"""What a process tells the service manager that started it: ready, alive, stopping.

The protocol of `sd_notify(3)`: datagrams to the socket that NOTIFY_SOCKET names. Without one
nothing happens. Sending never blocks and never fails the process: a manager that is gone is no
reason to end.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Final

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
ALIVE: Final = "WATCHDOG=1"


def status(text: str) -> str:
    """Give the message that `systemctl status` shows as the process's own words."""
    return "STATUS=" + " ".join(text.split())


def notify(*messages: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell the service manager. Returns whether it was told."""
    address = environment.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return False
    if address[0] == "@":
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(0)
            sock.connect(address)
            sock.sendall("\n".join(messages).encode())
    except OSError:
        return False
    return True


def alive_every_s(environment: Mapping[str, str] = os.environ) -> float | None:
    """Tell how often to say ALIVE, in seconds: twice in the time that the manager waits.

    None where it does not watch this process.
    """
    pid = environment.get("WATCHDOG_PID", "")
    if pid and pid != str(os.getpid()):
        return None
    try:
        waits_us = int(environment.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return waits_us / 2_000_000 if waits_us > 0 else None
