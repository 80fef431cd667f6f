"""What forwarding is judged by: windows between two moments, made by hand."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from measure import door, forward
from measure.load import LoadFailed, Publisher
from measure.window import Moment, Window

SECONDS = 10.0


def kind(packets: int, octets: int, **more: int) -> dict[str, int]:
    return {"packets": packets, "octets": octets, "lost": 0, "repaired": 0, **more}


def moment(
    *,
    at_s: float = 0.0,
    viewers: int = 10,
    video: dict[str, int] | None = None,
    audio: dict[str, int] | None = None,
    engine: dict[str, Any] | None = None,
    sent: tuple[int, int] = (0, 0),
    keyframes: int = 5,
    load_busy_s: float = 0.0,
) -> Moment:
    return Moment(
        engine={"at_s": at_s, "busy_s": 0.0, "packets_sent": 0, **(engine or {})},
        publisher={"at_s": at_s, "video": {"packets": sent[0]}, "audio": {"packets": sent[1]}},
        loads=[
            {
                "at_s": at_s,
                "busy_s": load_busy_s,
                "viewers": viewers,
                "video": video or {},
                "audio": audio or {},
                "witness": {"keyframes": keyframes},
            }
        ],
    )


def window(**changed: Any) -> Window:
    """Ten viewers for 10 s: 700 packets of 900 octets and 300 pictures each, 500 of 100 sound."""
    last: dict[str, Any] = {
        "video": kind(7000, 6_300_000, pictures=3000),
        "audio": kind(5000, 500_000),
        "engine": {
            "busy_s": 0.24,
            "packets_sent": 12_000,
            "delivered_ms": 99_000,
            "forwarded_ms": 100_000,
            "ended": {},
        },
        "sent": (700, 500),
    }
    engine = {"delivered_ms": 0, "forwarded_ms": 0}
    return Window(first=moment(engine=engine), last=moment(at_s=SECONDS, **(last | changed)))


def test_a_window_tells_picture_and_sound_apart() -> None:
    found = window()
    assert found.packets_per_s == 1200
    assert found.us_per_packet == pytest.approx(20.0)
    assert found.packets_per_core == pytest.approx(50_000)
    assert found.busy_percent == pytest.approx(2.4)
    assert (found.kbps("video"), found.kbps("audio")) == pytest.approx((504.0, 40.0))
    assert found.load.picture_packets_per_s == 70
    assert found.load.sound_packets_per_s == 50
    assert found.load.pictures_per_s == 30
    assert found.arrived_percent == pytest.approx(100)
    assert found.delivered_percent == pytest.approx(99)
    assert found.why_not_carried() is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"video": {}}, "no picture came"),
        ({"keyframes": 0}, "no picture came"),
        ({"video": kind(6980, 6_300_000, pictures=3000, lost=20)}, "0.17 % of the packets"),
        ({"sent": (760, 500)}, "95 % of the packets came in time"),
        (
            {"engine": {"delivered_ms": 96_000, "forwarded_ms": 100_000, "packets_sent": 12_000}},
            "96 % of the forwarded time was paid",
        ),
        (
            {
                "engine": {
                    "delivered_ms": 99_000,
                    "forwarded_ms": 100_000,
                    "ended": {"unconfirmed": 3},
                }
            },
            "3 viewers were ended: {'unconfirmed': 3}",
        ),
    ],
)
def test_what_is_too_much_is_said(changed: dict[str, Any], said: str) -> None:
    assert said in str(window(**changed).why_not_carried())


def test_what_was_repaired_is_not_lost() -> None:
    repaired = kind(6980, 6_300_000, pictures=3000, lost=20, repaired=20)
    assert window(video=repaired).lost_percent == 0


def test_an_engine_without_a_meter_is_judged_by_what_arrived() -> None:
    found = window(engine={"busy_s": 1.0, "packets_sent": 12_000})
    assert found.delivered_percent is None
    assert found.why_not_carried() is None


def test_the_climb_goes_up_from_where_it_began() -> None:
    # 2.4 % of a core for 10 viewers promises 417.
    assert list(forward.counts(window(), (0.01, 0.5, 0.5, 1.0, 0.9))) == [208, 417]


def test_the_engine_has_to_count_by_what_it_is_told() -> None:
    counted = {"busy_s": 1.0, "packets_sent": 12_000, "delivered_ms": 9, "forwarded_ms": 10}
    forward.check_counting(window(engine={**counted, "per_packet": 10}), "packets")
    forward.check_counting(window(engine={**counted, "per_packet": 0}), "reports")
    forward.check_counting(window(engine={"busy_s": 1.0, "packets_sent": 12_000}), "packets")
    for feedback, known in (("packets", 9), ("reports", 10)):
        with pytest.raises(forward.ForwardFailed, match=f"of {known} viewers"):
            forward.check_counting(window(engine={**counted, "per_packet": known}), feedback)


def measured(found: Window, *, carried: bool = True) -> forward.Measured:
    return forward.Measured(
        with_ease=found, carried=found if carried else None, stopped_by="with 417 too much"
    )


def test_every_figure_of_forwarding_has_its_load_and_its_rival() -> None:
    slower = window(engine={"busy_s": 0.72, "packets_sent": 12_000})
    found = {each.name: each for each in forward.figures(measured(window()), measured(slower))}
    assert list(found) == [
        "packets a second and core",
        "processor time a packet",
        "viewers that one core carries",
    ]
    for figure in found.values():
        told = figure.as_json()
        assert told["load"]["picture_kbps"] == 504.0
        assert told["load"]["sound_kbps"] == 40.0
        assert told["rival"] == "aiortc MediaRelay"
        assert {"rival_value", "ratio", "rival_load", "basis", "rival_basis"} <= told.keys()
    assert found["packets a second and core"].ratio == pytest.approx(3)
    assert found["processor time a packet"].ratio == pytest.approx(3)
    assert "99.0 % of forwarded time paid" in found["viewers that one core carries"].basis
    assert "paid;" not in found["viewers that one core carries"].rival_basis


def test_who_carries_nothing_has_no_load() -> None:
    found = forward.figures(measured(window()), measured(window(), carried=False))[-1]
    assert (found.value, found.rival_value, found.ratio) == (10, 0, None)
    assert found.rival_load is None
    assert found.rival_basis == "with 417 too much"


def test_pictures_that_nobody_sends_any_more_are_lost_too() -> None:
    quiet = door.Disturbed(window=window(), gap_max_ms=40.0, tally={})
    half = window(video=kind(3500, 3_150_000, pictures=1500), sent=(350, 500))
    disturbed = door.Disturbed(window=half, gap_max_ms=9000.0, tally={"HTTP 429": 1000})
    found = door.figures({"undisturbed": quiet, **dict.fromkeys(door.ATTACKS, disturbed)})
    assert len(found) == 3 * len(door.ATTACKS)
    lost, gap, busy = found[:3]
    assert (lost.value, lost.unit) == (pytest.approx(50), "%")
    assert "HTTP 429: 1,000" in lost.basis
    assert (gap.value, gap.rival_value) == (9000.0, 40.0)
    assert busy.unit == "% of a core"


def test_a_load_without_a_picture_is_refused(tmp_path: Path) -> None:
    sound = tmp_path / "sound.ogg"
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i"]
    command += ["sine=duration=1", "-c:a", "libopus", str(sound)]
    subprocess.run(command, check=True, timeout=60)
    with pytest.raises(LoadFailed, match="no picture"):
        Publisher(sound)
