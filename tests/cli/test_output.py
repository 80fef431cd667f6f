"""What `--json` prints: exact for every reader."""

from __future__ import annotations

import json
from collections import OrderedDict

import pytest

from offchain.cli.output import SAFE_INTEGER_MAX, Output, exact


def test_integers_that_javascript_would_round_are_text() -> None:
    assert SAFE_INTEGER_MAX == 9_007_199_254_740_991  # Number.MAX_SAFE_INTEGER
    data = {
        "safe": SAFE_INTEGER_MAX,
        "above": SAFE_INTEGER_MAX + 1,
        "below": -SAFE_INTEGER_MAX - 1,
        "rows": [{"u128": 2**128 - 1}, (10**18, 1)],
        "other": OrderedDict(flag=True, none=None, text="10", part=0.5),
    }
    assert exact(data) == {
        "safe": SAFE_INTEGER_MAX,
        "above": "9007199254740992",
        "below": "-9007199254740992",
        "rows": [{"u128": "340282366920938463463374607431768211455"}, ["1000000000000000000", 1]],
        "other": {"flag": True, "none": None, "text": "10", "part": 0.5},
    }
    assert data["above"] == SAFE_INTEGER_MAX + 1  # what was given is left as it is


def test_a_reader_with_doubles_reads_back_what_was_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    amounts = [2**53 + 1, 10**18 + 1, 1]
    out = Output(json_mode=True)
    out.json({"amounts": amounts})
    out.event({"amounts": amounts})
    for line in capsys.readouterr().out.splitlines():
        read = json.loads(line, parse_int=lambda text: int(float(text)))
        assert [int(amount) for amount in read["amounts"]] == amounts
