"""The network's options and its stories are read before anything is started."""

from __future__ import annotations

import pytest

from loopback_network.options import VALIDATORS_MAX, parse
from loopback_network.story import Act, Command, StoryInvalid, read_command, read_story


def test_the_defaults_are_four_validators_until_somebody_ends_them() -> None:
    options = parse([])
    assert (options.validators, list(options.story), options.json) == (4, [], False)


def test_a_story_is_in_the_order_of_time() -> None:
    assert read_story("60 continue 3, 20.5 stop 3,90 end", 4) == [
        Act(20.5, Command("stop", 3)),
        Act(60, Command("continue", 3)),
        Act(90, Command("end")),
    ]
    assert list(parse(["--story", "5 end"]).story) == [Act(5, Command("end"))]


@pytest.mark.parametrize("text", ["", "stop 2", "5 stop", "5 halt 2", "-1 end", "5 stop 5", "5"])
def test_a_story_that_cannot_be_played_is_told_how(text: str) -> None:
    with pytest.raises(StoryInvalid, match=r"write|the validators are 1 to 4"):
        read_story(text, 4)


@pytest.mark.parametrize("text", ["stop 0", "continue 5", "stop", "end 1", "stop 1 2", "kill 1"])
def test_a_command_that_is_none_is_told_how(text: str) -> None:
    with pytest.raises(StoryInvalid):
        read_command(text, 4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--validators", "0"], f"give 1 to {VALIDATORS_MAX}"),
        (["--validators", str(VALIDATORS_MAX + 1)], "give 1 to"),
        (["--runtime", "no/blob"], "no such file"),
        (["--validators", "2", "--story", "1 stop 3"], "--story: 'stop 3'"),
    ],
)
def test_wrong_options_end_it_at_once(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
