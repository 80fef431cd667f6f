"""What the bench computes from what it measured."""

from __future__ import annotations

import pytest
from rich.console import Console

from measure.figures import Figure, percentile, table


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
    }
