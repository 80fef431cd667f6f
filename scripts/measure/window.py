"""What a forwarding engine did between two moments, and whether it carried its load. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from measure.figures import Load

LOST_PERCENT_MAX: Final = 0.1
ARRIVED_PERCENT_MIN: Final = 97.0
DELIVERED_PERCENT_MIN: Final = 97.0
BUSY_PERCENT_MAX: Final = 95.0
"""A load process that is busier than this is itself what sets the limit."""
KINDS: Final = ("video", "audio")


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What engine, publisher and load told, one directly after the other."""

    engine: Mapping[str, Any]
    publisher: Mapping[str, Any]
    loads: Sequence[Mapping[str, Any]]

    def came(self, kind: str, name: str) -> int:
        """A count of all viewers, of one kind."""
        return sum(int(load[kind].get(name, 0)) for load in self.loads)

    @property
    def viewers(self) -> int:
        """How many watch."""
        return sum(int(load["viewers"]) for load in self.loads)


@dataclass(frozen=True, kw_only=True)
class Window:
    """The time between two moments with the same viewers."""

    first: Moment
    last: Moment

    @property
    def seconds(self) -> float:
        """How long, by the engine's figures."""
        return float(self.last.engine["at_s"] - self.first.engine["at_s"])

    def _engine(self, name: str) -> float:
        return float(self.last.engine[name] - self.first.engine[name])

    def _came(self, kind: str, name: str) -> int:
        return self.last.came(kind, name) - self.first.came(kind, name)

    @property
    def viewers(self) -> int:
        """How many watched."""
        return self.last.viewers

    @property
    def packets_per_s(self) -> float:
        """What the engine says that it sent."""
        return self._engine("packets_sent") / self.seconds

    @property
    def us_per_packet(self) -> float:
        """Processor time of the engine's process for each packet, everything in it."""
        return 1e6 * self._engine("busy_s") / max(1.0, self._engine("packets_sent"))

    @property
    def packets_per_core(self) -> float:
        """Packets for each second of processor time."""
        return 1e6 / self.us_per_packet

    @property
    def busy_percent(self) -> float:
        """How much of one core the engine's process took."""
        return 100 * self._engine("busy_s") / self.seconds

    @property
    def load_busy_percent(self) -> float:
        """The same of the busiest process of the load."""
        return max(
            100 * float(last["busy_s"] - first["busy_s"]) / float(last["at_s"] - first["at_s"])
            for first, last in zip(self.first.loads, self.last.loads, strict=True)
        )

    def kbps(self, kind: str) -> float:
        """Kilobits a second that reached each viewer: RTP with its header and SRTP's tag."""
        octets = self._came(kind, "octets")
        return 8 * octets / 1000 / self._load_seconds / max(1, self.viewers)

    def packets_per_viewer(self, kind: str) -> float:
        """Packets a second that reached each viewer."""
        return self._came(kind, "packets") / self._load_seconds / max(1, self.viewers)

    @property
    def _load_seconds(self) -> float:
        return float(self.last.loads[0]["at_s"] - self.first.loads[0]["at_s"])

    @property
    def lost_percent(self) -> float:
        """Packets that never came, of those that should have, picture and sound."""
        lost = sum(self._came(kind, "lost") - self._came(kind, "repaired") for kind in KINDS)
        came = sum(self._came(kind, "packets") for kind in KINDS)
        return 100 * max(0, lost) / max(1, came + lost)

    @property
    def arrived_percent(self) -> float:
        """Packets at the viewers, of those that the publisher sent, times the viewers."""
        seconds = float(self.last.publisher["at_s"] - self.first.publisher["at_s"])
        sent: int = sum(
            self.last.publisher[kind]["packets"] - self.first.publisher[kind]["packets"]
            for kind in KINDS
        )
        arrived = sum(self.packets_per_viewer(kind) for kind in KINDS)
        return 100.0 * arrived * seconds / max(1, sent)

    @property
    def delivered_percent(self) -> float | None:
        """Paid time of forwarded time; None where nothing is metered."""
        if "delivered_ms" not in self.last.engine:
            return None
        return 100 * self._engine("delivered_ms") / max(1.0, self._engine("forwarded_ms"))

    @property
    def per_packet(self) -> int | None:
        """Of how many viewers the engine knew receipt by the packet; None without a meter."""
        found = self.last.engine.get("per_packet")
        return None if found is None else int(found)

    @property
    def pictures_per_s(self) -> float:
        """Pictures a second that reached each viewer: ends of frames."""
        return self._came("video", "pictures") / self._load_seconds / max(1, self.viewers)

    @property
    def has_pictures(self) -> bool:
        """Whether pictures came in this time, and the witness has decrypted a keyframe."""
        return self.pictures_per_s > 0 and bool(
            self.last.loads[0].get("witness", {}).get("keyframes")
        )

    def why_not_carried(self) -> str | None:
        """In words, why this load was too much; None if it was carried."""
        if not self.has_pictures:
            return "no picture came"
        ended = sum((self.last.engine.get("ended") or {}).values())
        if ended:
            return f"{ended} viewers were ended: {self.last.engine['ended']}"
        if self.lost_percent > LOST_PERCENT_MAX:
            return f"{self.lost_percent:.2f} % of the packets were lost"
        if self.arrived_percent < ARRIVED_PERCENT_MIN:
            return f"{self.arrived_percent:.0f} % of the packets came in time"
        delivered = self.delivered_percent
        if delivered is not None and delivered < DELIVERED_PERCENT_MIN:
            return f"{delivered:.0f} % of the forwarded time was paid"
        return None

    @property
    def load(self) -> Load:
        """The load as it stands beside a figure."""
        return Load(
            viewers=self.viewers,
            seconds=round(self.seconds, 1),
            picture_kbps=round(self.kbps("video"), 1),
            sound_kbps=round(self.kbps("audio"), 1),
            picture_packets_per_s=round(self.packets_per_viewer("video"), 1),
            sound_packets_per_s=round(self.packets_per_viewer("audio"), 1),
            pictures_per_s=round(self.pictures_per_s, 1),
        )
