"""`python -m streaming.clients.path`: a path as a process, for demo, tests and one's own trials."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final

from streaming.clients.path.model import PathSettings
from streaming.clients.path.proxy import STATISTICS, PathConfig, path_before

_EPILOG: Final = f"""Clients use the URL that the ready line names; start the server with that URL
as its --origin. HTTP passes as it is. All but the rate applies in each direction: --delay-ms 40
makes a round trip of 80 ms. The rate limits the direction of the media. Each option has a twin
for the publishers' side (--loss-in, --delay-in-ms, ...).

Prints {{"event":"ready","url":...}} when it stands, and {{"event":"ended",...}} with its statistics
after SIGTERM or SIGINT; GET {STATISTICS} gives them meanwhile.
"""

_OPTIONS: Final[dict[str, tuple[str, str]]] = {
    "loss_percent": ("--loss{}", "of a hundred packets, how many are lost by chance"),
    "outage_ms": ("--outage{}-ms", "bursts in which all is lost last so long"),
    "outage_every_ms": ("--outage-every{}-ms", "and come at about this interval, by chance"),
    "delay_ms": ("--delay{}-ms", "how long a packet takes, one way"),
    "jitter_ms": ("--jitter{}-ms", "up to so much longer, in order"),
    "reorder_ms": ("--reorder{}-ms", "some packets up to so much longer, out of order"),
    "reorder_percent": ("--reorder{}", "of a hundred packets, how many"),
    "rate_kbps": ("--rate{}-kbps", "what the link carries, with IP and UDP headers"),
    "queue_ms": ("--queue{}-ms", "how long a packet may wait for the link"),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m streaming.clients.path",
        description="An impaired path for media between WebRTC clients and a WHIP and WHEP server.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--to", required=True, metavar="URL", help="the server")
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT")
    parser.add_argument(
        "--relay-host", metavar="IP", help="address in the answers (the one listened on)"
    )
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same chances (1)")
    defaults = {each.name: each.default for each in fields(PathSettings)}
    for side, suffix in (("viewers", ""), ("publishers", "-in")):
        group = parser.add_argument_group(f"the {side}' side")
        for name, (flag, words) in _OPTIONS.items():
            default = defaults[name]
            shown = "any" if default is None else f"{default:g}"
            group.add_argument(
                flag.format(suffix),
                type=float,
                default=default,
                dest=f"{side}_{name}",
                metavar="N",
                help=f"{words} ({shown})",
            )
        group.add_argument(
            f"--outages{suffix}",
            type=_outages,
            default=(),
            dest=f"{side}_outages",
            metavar="START+LENGTH,...",
            help="bursts at given times, in ms from a connection's first packet on",
        )
        group.add_argument(
            f"--rtp-alone{suffix}",
            action="store_true",
            dest=f"{side}_rtp_alone",
            help="lose RTP only; STUN, DTLS and RTCP pass",
        )
    return parser


def _outages(text: str) -> tuple[tuple[float, float], ...]:
    found = []
    for part in text.split(","):
        start, plus, length = part.partition("+")
        try:
            found.append((float(start), float(length)))
        except ValueError:
            plus = ""
        if not plus:
            raise argparse.ArgumentTypeError(f"{part}: give START+LENGTH in ms, such as 2000+300")
    return tuple(found)


def _config(arguments: Sequence[str] | None) -> PathConfig:
    """Read the command line; ends the program with code 2 where it is wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    host, colon, port = given.listen.rpartition(":")
    if not colon or not port.isdigit():
        parser.error(f"--listen {given.listen}: give HOST:PORT, such as 127.0.0.1:0")
    if not given.to.startswith(("http://", "https://")):
        parser.error(f"--to {given.to}: give the server's URL, such as http://127.0.0.1:8080")
    if host in ("0.0.0.0", "[::]", "") and given.relay_host is None:  # noqa: S104
        parser.error("--relay-host: give the address that clients reach, as --listen names none")
    sides: dict[str, Any] = {}
    for side in ("viewers", "publishers"):
        names = (*_OPTIONS, "outages", "rtp_alone")
        try:
            sides[side] = PathSettings(**{name: getattr(given, f"{side}_{name}") for name in names})
        except ValueError as error:
            parser.error(f"the {side}' side: {error}")
    return PathConfig(
        to=given.to,
        listen_host=host.strip("[]"),
        listen_port=int(port),
        relay_host=given.relay_host,
        seed=given.seed,
        **sides,
    )


def _say(event: dict[str, Any]) -> None:
    try:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody listens any more; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def _run(config: PathConfig) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with path_before(config) as path:
        _say({"event": "ready", "url": path.url})
        await stop.wait()
    _say({"event": "ended", **path.proxy.statistics()})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a path until it is told to end; 1 if it cannot listen."""
    config = _config(arguments)
    try:
        asyncio.run(_run(config))
    except OSError as error:
        sys.stderr.write(f"Error: cannot listen on {config.listen_host}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
