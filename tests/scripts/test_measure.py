"""What the bench computes from what it measured."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from rich.console import Console

from measure import __main__ as bench
from measure.figures import Figure, Load, percentile, table
from measure.forward import ForwardFailed

DOCS = Path(__file__).parents[2] / "docs" / "benchmarks.md"


@pytest.mark.parametrize(
    ("percent", "expected"), [(1, 1), (50, 5), (51, 6), (90, 9), (99, 10), (100, 10)]
)
def test_percentiles_are_measured_values(percent: float, expected: float) -> None:
    assert percentile([10, 1, 2, 9, 3, 8, 4, 7, 5, 6], percent) == expected


def test_a_single_value_is_every_percentile() -> None:
    assert percentile([7.0], 50) == percentile([7.0], 99) == 7.0


def test_nothing_measured_is_no_figure() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        percentile([], 50)


def test_a_rival_stands_beside_its_figure() -> None:
    figure = Figure(name="ticks", value=1234.5, unit="/s", rival="another", rival_value=56.78)
    console = Console(width=100, record=True)
    console.print(table("rates", [figure]))
    text = console.export_text()
    assert "1,234 /s" in text
    assert "another: 56.8 /s" in text
    assert figure.as_json() == {
        "name": "ticks",
        "value": 1234.5,
        "unit": "/s",
        "rival": "another",
        "rival_value": 56.78,
        "ratio": pytest.approx(21.742, abs=0.001),
    }


def load(viewers: int = 50, **changed: float) -> Load:
    facts: dict[str, float] = {
        "seconds": 10.0,
        "picture_kbps": 600.0,
        "sound_kbps": 80.0,
        "picture_packets_per_s": 70.0,
        "sound_packets_per_s": 50.0,
        "pictures_per_s": 30.0,
    }
    return Load(viewers=viewers, **(facts | changed))


def test_what_was_carried_stands_beside_the_figure() -> None:
    figure = Figure(
        name="processor time a packet",
        value=20.0,
        unit="us",
        rival="another",
        rival_value=60.0,
        less_is_better=True,
        load=load(),
        rival_load=load(49, picture_kbps=598.0),
        basis="6,000 packets/s for 12 % of a core",
        rival_basis="18 us more",
    )
    console = Console(width=150, record=True)
    console.print(table("rates", [figure]))
    text = console.export_text()
    assert "another: 60 us (ratio 3)" in text
    assert (
        "50 viewers, 600 + 80 kbit/s each (70 + 50 packets/s, "
        "30 pictures/s); 6,000 packets/s for 12 % of a core" in text
    )
    assert "another: 49 viewers, 598 + 80 kbit/s each" in text
    assert figure.as_json() == {
        "name": "processor time a packet",
        "value": 20.0,
        "unit": "us",
        "rival": "another",
        "rival_value": 60.0,
        "ratio": 3.0,
        "load": {
            "viewers": 50,
            "seconds": 10.0,
            "picture_kbps": 600.0,
            "sound_kbps": 80.0,
            "picture_packets_per_s": 70.0,
            "sound_packets_per_s": 50.0,
            "pictures_per_s": 30.0,
        },
        "rival_load": {
            "viewers": 49,
            "seconds": 10.0,
            "picture_kbps": 598.0,
            "sound_kbps": 80.0,
            "picture_packets_per_s": 70.0,
            "sound_packets_per_s": 50.0,
            "pictures_per_s": 30.0,
        },
        "basis": "6,000 packets/s for 12 % of a core",
        "rival_basis": "18 us more",
    }


def test_what_several_figures_rest_on_is_said_once() -> None:
    console = Console(width=150, record=True)
    same = [Figure(name=name, value=1.0, unit="s", load=load()) for name in ("one", "two")]
    console.print(table("rates", [*same, Figure(name="three", value=1.0, unit="s")]))
    text = console.export_text()
    assert text.count("600 + 80 kbit/s") == 1
    assert "one; two:" in text


@pytest.mark.parametrize(("value", "rival_value"), [(0.0, 5.0), (5.0, 0.0), (5.0, None)])
def test_there_is_no_ratio_to_nothing(value: float, rival_value: float | None) -> None:
    figure = Figure(name="lost", value=value, unit="%", rival="x", rival_value=rival_value)
    assert figure.ratio is None
    assert "ratio" not in figure.as_json()


def test_every_field_of_the_json_is_documented() -> None:
    told = DOCS.read_text(encoding="utf-8")
    section = told.partition("## What `--json` prints")[2].partition("\n## ")[0]
    names = {field.name for kind in (Figure, Load) for field in dataclasses.fields(kind)}
    names = names - {"less_is_better"} | {"ratio", "machine", "command", "took_s", "figures"}
    missing = [name for name in sorted(names) if f'"{name}"' not in section.replace("`", '"')]
    assert not missing


def test_the_json_has_what_ran_and_why_the_rest_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_sizes: bench.Sizes) -> list[Figure]:
        raise ForwardFailed("no picture came to 50 viewers")

    good = Figure(name="speed", value=2.0, unit="/s", load=load())
    kinds = {"good": ("goes", lambda _sizes: [good]), "bad": ("does not", broken)}
    monkeypatch.setattr(bench, "MEASUREMENTS", kinds)
    monkeypatch.setattr("sys.argv", ["bench", "--json", "--quick"])
    assert bench.main() == 1
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == {"machine", "command", "good", "bad"}
    assert found["command"] == ["scripts/bench", "--json", "--quick"]
    assert found["good"]["figures"] == [good.as_json()]
    assert found["good"]["took_s"] >= 0
    assert found["bad"] == {"failed": "no picture came to 50 viewers"}
