"""The demo's options: flags, checked before anything is started."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from offchain.amounts import AmountInvalid, parse_amount

NATIVE: Final = "native"
SYMBOL: Final = "UNIT"
DECIMALS: Final = 12
SECONDS_MIN, SECONDS_MAX = 5, 86_400
DELAY_MS_MAX: Final = 10_000
RATE_KBPS_MIN: Final = 10
SEED_DEFAULT: Final = 1
VIEWERS_MAX: Final = 500

_EPILOG = """examples:
  scripts/demo                              one viewer, 30 seconds
  scripts/demo --viewers 3 --stall 5        the publisher freezes for 5 s, which nobody pays
  scripts/demo --kill-relayer --json        SIGKILL for the relayer in the middle
  scripts/demo --browser                    publisher and viewers are pages in Chromium
  scripts/demo --asset usd                  paid in a stablecoin that the chain knows
  scripts/demo --omni-node /usr/bin/polkadot-omni-node
                                            on a parachain, without the reference node
  scripts/demo --loss 2 --delay-ms 40       a path that loses 2 % of packets, 80 ms there and back

exit codes: 0 reconciled, 1 something disagrees or failed, 2 wrong options, 130 Ctrl-C
"""


@dataclass(frozen=True, kw_only=True)
class PathOptions:
    """What stands between clients and server. Loss in percent, delays one way."""

    loss: float
    delay_ms: float
    jitter_ms: float
    rate_kbps: float | None
    loss_in: float
    """On the publisher's side."""
    seed: int


@dataclass(frozen=True, kw_only=True)
class Options:
    """What one run does. Times in seconds; the rate is an amount of the asset, as it was written.

    `rate_per_second` is the same in the native token's smallest unit; None for another asset, whose
    decimals only the chain knows.
    """

    seconds: int
    viewers: int
    decoding: int
    """How many of the viewers decode; the others count frames from RTP."""
    video: Path | None
    stall_s: int
    kill_relayer: bool
    browser: bool
    path: PathOptions | None
    """None if the media goes its way on the loopback directly."""
    chain: str | None
    omni_node: Path | None
    """The program that runs the parachain's runtime in place of the reference node."""
    asset: str
    """`native`, an asset's number, or its symbol."""
    rate: str
    rate_per_second: int | None
    json: bool
    keep_logs: Path | None


def parse(arguments: list[str] | None = None) -> Options:
    """Read the command line; ends the program with code 2 where it is wrong."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="A real stream, paid by the second, on a real chain; and the proof of it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=int, default=30, help="how long viewers watch (30)")
    parser.add_argument("--viewers", type=int, default=1, help="how many viewers (1)")
    parser.add_argument(
        "--decoding", type=int, default=None, metavar="N", help="only N of them decode (all)"
    )
    parser.add_argument("--video", type=Path, metavar="FILE", help="any file that ffmpeg reads")
    parser.add_argument(
        "--stall", type=int, default=0, metavar="S", help="the publisher freezes for S seconds"
    )
    parser.add_argument(
        "--kill-relayer", action="store_true", help="SIGKILL the relayer midway, start it again"
    )
    parser.add_argument("--browser", action="store_true", help="pages in headless Chromium")
    _add_path(parser)
    parser.add_argument("--chain", metavar="URL", help="a running development node (ws://...)")
    parser.add_argument(
        "--omni-node", type=Path, metavar="PATH", help="a parachain of its own, on this program"
    )
    parser.add_argument(
        "--asset", default=NATIVE, metavar="ASSET", help="a number or symbol (the chain's token)"
    )
    parser.add_argument("--rate", default="0.001", metavar="AMOUNT", help="per second (0.001)")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--keep-logs", type=Path, metavar="DIR", help="keep the parts' logs there")
    given = parser.parse_args(arguments)
    decoding = given.viewers if given.decoding is None else given.decoding
    if not SECONDS_MIN <= given.seconds <= SECONDS_MAX:
        parser.error(f"--seconds {given.seconds}: give {SECONDS_MIN} to {SECONDS_MAX}")
    if not 1 <= given.viewers <= VIEWERS_MAX:
        parser.error(f"--viewers {given.viewers}: give 1 to {VIEWERS_MAX}")
    if not 0 <= decoding <= given.viewers:
        parser.error(f"--decoding {decoding}: give 0 to the number of viewers")
    if not 0 <= given.stall < given.seconds:
        parser.error(f"--stall {given.stall}: give 0 to less than --seconds")
    if given.video is not None and not given.video.is_file():
        parser.error(f"--video {given.video}: there is no such file")
    if given.browser and given.video is not None:
        parser.error("--video: a browser page sends its camera, leave out --video or --browser")
    if given.chain is not None and not given.chain.startswith(("ws://", "wss://")):
        parser.error(f"--chain {given.chain}: give a node's address, such as ws://127.0.0.1:9944")
    if given.omni_node is not None and given.chain is not None:
        parser.error("--omni-node: it starts a chain, leave out --chain or --omni-node")
    if given.omni_node is not None and not os.access(given.omni_node, os.X_OK):
        parser.error(
            f"--omni-node {given.omni_node}: there is no such program; scripts/omni-node builds it"
        )
    rate = None if given.asset != NATIVE else _native_rate(parser, given.rate)
    return Options(
        seconds=given.seconds,
        viewers=given.viewers,
        decoding=decoding,
        video=given.video,
        stall_s=given.stall,
        kill_relayer=given.kill_relayer,
        browser=given.browser,
        path=_path(parser, given),
        chain=given.chain,
        omni_node=given.omni_node,
        asset=given.asset,
        rate=given.rate,
        rate_per_second=rate,
        json=given.json,
        keep_logs=given.keep_logs,
    )


def _add_path(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "a path between viewers and server",
        "In each direction, so that 40 ms make a round trip of 80 ms; the rate is the viewers' "
        "downlink. HTTP is spared.",
    )
    group.add_argument("--loss", type=float, metavar="PERCENT", help="packets lost by chance")
    group.add_argument("--delay-ms", type=float, metavar="MS", help="added to each packet, one way")
    group.add_argument(
        "--jitter-ms", type=float, metavar="MS", help="up to so much more, by chance, in order"
    )
    group.add_argument(
        "--rate-kbps", type=float, metavar="N", help="kbit/s, behind a queue of 200 ms"
    )
    group.add_argument(
        "--loss-in", type=float, metavar="PERCENT", help="lost between publisher and server"
    )
    group.add_argument(
        "--seed", type=int, default=SEED_DEFAULT, help=f"of all that chance does ({SEED_DEFAULT})"
    )


def _path(parser: argparse.ArgumentParser, given: argparse.Namespace) -> PathOptions | None:
    """What the path does; None without any of its options. Ends the program where one is wrong."""
    asked = (given.loss, given.delay_ms, given.jitter_ms, given.rate_kbps, given.loss_in)
    if all(each is None for each in asked):
        return None
    for flag, value, most in (
        ("--loss", given.loss, 100),
        ("--loss-in", given.loss_in, 100),
        ("--delay-ms", given.delay_ms, DELAY_MS_MAX),
        ("--jitter-ms", given.jitter_ms, DELAY_MS_MAX),
    ):
        if value is not None and not 0 <= value <= most:
            parser.error(f"{flag} {value:g}: give 0 to {most}")
    if given.rate_kbps is not None and not given.rate_kbps >= RATE_KBPS_MIN:
        parser.error(f"--rate-kbps {given.rate_kbps:g}: give at least {RATE_KBPS_MIN}")
    return PathOptions(
        loss=given.loss or 0.0,
        delay_ms=given.delay_ms or 0.0,
        jitter_ms=given.jitter_ms or 0.0,
        rate_kbps=given.rate_kbps,
        loss_in=given.loss_in or 0.0,
        seed=given.seed,
    )


def _native_rate(parser: argparse.ArgumentParser, text: str) -> int:
    """Read a rate in the native token; ends the program where it is wrong."""
    try:
        rate = parse_amount(text, SYMBOL, DECIMALS)
    except AmountInvalid as error:
        parser.error(f"--rate: {error}")
    if rate < 1:
        parser.error("--rate: a second costs at least the smallest unit, 0.000000000001")
    return rate
