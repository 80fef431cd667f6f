"""Lets other people's programs watch behind paths that lose packets: what of it is paid?

The media server and our publisher are real, and so is the program; the relayer is the tests'
scripted one, so "paid" is what the meter's last word would let it charge: whole seconds. The path
is `streaming.clients.path`, in both directions, between the server and the viewer alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from streaming.clients.browser import chromium, watch_in_browser
from streaming.clients.path.model import PathSettings
from streaming.clients.path.proxy import PathConfig, path_before
from streaming.clients.source import TEST_PICTURE_KBPS, TEST_PICTURE_SIZE
from streaming.session_state import StreamRef
from streaming.sfu.addresses import own_addresses
from tests.programs import test_firefox, test_gstreamer
from tests.programs.pages import WALLET, serves_pages
from tests.programs.scene import until
from tests.sfu.rig import Rig, rig, sample_file

PAID_PERCENT_MIN: Final = 97.0
LOSS_HIGH_PERCENT: Final = 5.0
PAID_PERCENT_MIN_AT_HIGH_LOSS: Final = 95.0
BEGUN_MS: Final = 1_200
"""What no path can take: the second that has begun, and the 200 ms that the meter withholds."""
AHEAD_MS_MAX: Final = 500
"""Nobody pays for more than the viewer saw, and this."""
LOOK_EVERY_MS: Final = 50
BROKEN: Final = "picture-broken"
RARELY_REPORTS: Final = "webrtcbin-rare-reports"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a viewer says itself."""

    program: str
    watched_ms: int
    freezes_ms: int | None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One program behind one path."""

    program: str
    loss_percent: float
    delay_ms: float
    watched_ms: int
    freezes_ms: int | None
    delivered_ms: int
    ends: tuple[str, ...]
    """How each of its connections ended, in order."""
    per_packet: bool
    """Whether receipt was known of each packet at the end."""
    held_ms: int
    """How long nothing, or no picture, was forwarded to it once its media had begun."""
    broken_ms: int
    """How long its picture waited for a keyframe, because a loss could not be repaired in time."""

    @property
    def paid_ms(self) -> int:
        """The whole seconds that may be charged."""
        return self.delivered_ms // 1000 * 1000

    @property
    def paid_percent(self) -> float:
        """What may be charged of what was watched."""
        return 100 * self.paid_ms / max(self.watched_ms, 1)

    @property
    def fault(self) -> str:
        """What is not as promised, or nothing."""
        if self.held_ms:
            return f"held for {self.held_ms / 1000:.1f} s"
        high = self.loss_percent >= LOSS_HIGH_PERCENT
        least = PAID_PERCENT_MIN_AT_HIGH_LOSS if high else PAID_PERCENT_MIN
        if self.ends != ("left",):
            return f"ended: {', '.join(self.ends)}"
        if self.paid_ms > self.watched_ms + AHEAD_MS_MAX:
            return "more than it saw"
        if self.delivered_ms + BEGUN_MS < least * self.watched_ms / 100:
            return f"less than {least:.0f} %"
        return ""


Watch = Callable[[Rig, float], Awaitable[Seen]]


async def _in_chromium(r: Rig, seconds: float) -> Seen:
    serves_pages(r.relayer)
    async with chromium() as browser:
        measured = await watch_in_browser(browser, r.url, 1, WALLET, seconds=seconds)
        return _of_page(f"Chromium {browser.version}", measured)


async def _in_firefox(r: Rig, seconds: float) -> Seen:
    async with test_firefox.opened(r, "/watch?stream=1") as page:
        await page.click("#sign-in")
        await page.click("#watch")
        await page.until("window.paystream.measure().frames_decoded > 0")
        await asyncio.sleep(seconds)
        await page.click("#stop")
        await page.until("window.paystream.state() === 'idle'")
        measured = await page.run("window.paystream.measure()")
        agent = str(await page.run("navigator.userAgent"))
        return _of_page(agent.rpartition(" ")[2].replace("/", " "), measured)


def _of_page(program: str, measured: dict[str, Any]) -> Seen:
    return Seen(
        program=program,
        watched_ms=int(measured["watched_ms"]),
        freezes_ms=int(measured["freezes_ms"]),
    )


async def _in_webrtcbin(r: Rig, seconds: float) -> Seen:
    return await _in_gstreamer(r, seconds, "packets")


async def _in_webrtcbin_by_reports(r: Rig, seconds: float) -> Seen:
    return await _in_gstreamer(r, seconds, "reports")


async def _in_webrtcbin_by_rare_reports(r: Rig, seconds: float) -> Seen:
    return await _in_gstreamer(r, seconds, "rare-reports")


async def _in_gstreamer(r: Rig, seconds: float, feedback: str) -> Seen:
    async with test_gstreamer.webrtcbin(r, "watch", "VP8", feedback) as viewer:
        await viewer.says("picture")
        await asyncio.sleep(seconds)
        version = (await viewer.says("version"))["version"]
        left = await viewer.leave()
        return Seen(
            program=f"{version} webrtcbin, {feedback}",
            watched_ms=left["watched_ms"],
            freezes_ms=None,
        )


async def _in_our_client(r: Rig, seconds: float) -> Seen:
    result = await r.watch(seconds=seconds)
    return Seen(program="our client", watched_ms=result.watched_ms, freezes_ms=result.freezes_ms)


PROGRAMS: Final[dict[str, Watch]] = {
    "chromium": _in_chromium,
    "firefox": _in_firefox,
    "webrtcbin": _in_webrtcbin,
    "webrtcbin-reports": _in_webrtcbin_by_reports,
    RARELY_REPORTS: _in_webrtcbin_by_rare_reports,
    "ours": _in_our_client,
}
NO_LOOPBACK: Final = ("firefox", "webrtcbin", "webrtcbin-reports", RARELY_REPORTS)
"""They gather no loopback candidates: neither end of the path may be one."""


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What our publisher sends."""

    kbps: int
    """Of its pictures; above 1 Mbit/s they have 1280 by 720 pixels."""

    @property
    def file(self) -> Path:
        """Of such pictures, and a tone."""
        return sample_file(self.kbps, (1280, 720) if self.kbps > 1_000 else TEST_PICTURE_SIZE)


@dataclass
class Looks:
    """What the server's own objects showed while a program watched."""

    per_packet: bool = False
    begun: bool = False
    held_ms: int = 0
    broken_ms: int = 0

    async def look(self, r: Rig) -> None:
        """Each 50 ms, until cancelled."""
        engine: Any = r.server.engine
        while True:
            await asyncio.sleep(LOOK_EVERY_MS / 1000)
            for subscription in engine._streams[StreamRef(1)].subscriptions:
                self.per_packet = subscription.subscriber.meter.per_packet
                held = set(subscription.held) - {"ended"}
                self.begun = self.begun or not held
                if self.begun and held - {BROKEN}:
                    self.held_ms += LOOK_EVERY_MS
                elif self.begun and held:
                    self.broken_ms += LOOK_EVERY_MS


async def _watched(
    name: str, settings: PathSettings, seconds: float, seed: int, published: Publication
) -> Row:
    host = own_addresses()[0] if name in NO_LOOPBACK else "127.0.0.1"
    async with rig(listen_host=host) as r, r.publishing(video=published.file):
        config = PathConfig(to=r.url, viewers=settings, relay_host=host, seed=seed)
        async with path_before(config) as path:
            r.url = path.url
            looks = Looks()
            looking = asyncio.ensure_future(looks.look(r))
            try:
                seen = await PROGRAMS[name](r, seconds)
            finally:
                looking.cancel()
            await until(lambda: any(f.end_reason == "left" for f in r.relayer.finals.values()))
            finals = sorted(r.relayer.finals.values(), key=lambda final: final.number)
    return Row(
        **asdict(seen),
        loss_percent=settings.loss_percent,
        delay_ms=settings.delay_ms,
        delivered_ms=sum(final.delivered_ms for final in finals),
        ends=tuple(str(final.end_reason) for final in finals),
        per_packet=looks.per_packet,
        held_ms=looks.held_ms,
        broken_ms=looks.broken_ms,
    )


def _table(rows: list[Row]) -> Table:
    drawn = Table(box=None, pad_edge=False, header_style="dim")
    drawn.add_column("program")
    for name in ("loss", "watched", "freezes", "delivered", "paid of watched"):
        drawn.add_column(name, justify="right")
    drawn.add_column("receipt by")
    drawn.add_column("")
    for row in rows:
        freezes = "-" if row.freezes_ms is None else f"{row.freezes_ms / 1000:.1f} s"
        drawn.add_row(
            row.program,
            f"{row.loss_percent:g} %",
            f"{row.watched_ms / 1000:.1f} s",
            freezes,
            f"{row.delivered_ms / 1000:.1f} s",
            f"{row.paid_percent:.1f} %",
            "packet" if row.per_packet else "report",
            row.fault,
        )
    return drawn


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/watch-paths", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--programs", default=",".join(PROGRAMS), help="comma between (all)")
    parser.add_argument("--loss", default="0,1,2,5", help="percents, comma between (0,1,2,5)")
    parser.add_argument("--delay-ms", type=float, default=40.0, help="one way (40)")
    parser.add_argument("--rate-kbps", type=int, help="of the viewer's downlink (no bound)")
    parser.add_argument(
        "--stream-kbps",
        type=int,
        default=TEST_PICTURE_KBPS,
        help=f"of the pictures ({TEST_PICTURE_KBPS}; above 1000 they are 1280 x 720)",
    )
    parser.add_argument("--seconds", type=float, default=90.0, help="of watching, each (90)")
    parser.add_argument("--seed", type=int, default=1, help="of the path's chance (1)")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    given = parser.parse_args()
    given.programs = given.programs.split(",")
    for name in given.programs:
        if name not in PROGRAMS:
            parser.error(f"--programs {name}: there are {', '.join(PROGRAMS)}")
    try:
        given.losses = [float(each) for each in given.loss.split(",")]
        for loss in given.losses:
            PathSettings(loss_percent=loss, delay_ms=given.delay_ms)
    except ValueError as error:
        parser.error(f"--loss {given.loss}: {error}")
    return given


def main() -> int:
    """Watch with each program behind each path; 1 if something is not as promised."""
    given = _parse()
    people = Console(stderr=True)
    rows: list[Row] = []
    published = Publication(kbps=given.stream_kbps)
    for name in given.programs:
        for loss in given.losses:
            people.print(f"{name} at {loss:g} % loss, {given.seconds:g} s", style="dim")
            settings = PathSettings(
                loss_percent=loss, delay_ms=given.delay_ms, rate_kbps=given.rate_kbps
            )
            watched = _watched(name, settings, given.seconds, given.seed, published)
            rows.append(asyncio.run(watched))
    if given.json:
        found = [
            {**asdict(row), "paid_percent": round(row.paid_percent, 1), "fault": row.fault}
            for row in rows
        ]
        print(json.dumps({"seconds": given.seconds, "paths": found}, indent=2))
    else:
        Console().print(_table(rows))
    return 1 if any(row.fault for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
