"""The demo's options are checked before anything is installed or started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from main_job.options import PathOptions, parse
from main_job.price import PriceInvalid, read_price
from tests.cli.fake_ledger import FakeLedger

CLEAR: dict[str, Any] = {
    "loss": 0,
    "delay_ms": 0,
    "jitter_ms": 0,
    "rate_kbps": None,
    "loss_in": 0,
    "seed": 1,
}


def test_the_defaults_are_one_viewer_for_half_a_minute() -> None:
    options = parse([])
    assert (options.seconds, options.viewers, options.decoding) == (30, 1, 1)
    assert options.rate_per_second == 10**9
    assert options.asset == "native"
    assert not options.kill_relayer
    assert not options.json
    assert options.path is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seconds", "4"], "--seconds 4: give 5"),
        (["--viewers", "0"], "--viewers 0: give 1"),
        (["--viewers", "2", "--decoding", "3"], "--decoding 3"),
        (["--seconds", "10", "--stall", "10"], "--stall 10"),
        (["--video", "no-such-file.mp4"], "there is no such file"),
        (["--chain", "http://127.0.0.1:9944"], "ws://127.0.0.1:9944"),
        (["--omni-node", "no-such-program"], "scripts/omni-node builds it"),
        (["--omni-node", "/bin/sh", "--chain", "ws://127.0.0.1:9944"], "leave out --chain"),
        (["--loss", "101"], "--loss 101: give 0 to 100"),
        (["--loss-in", "-1"], "--loss-in -1: give 0 to 100"),
        (["--delay-ms", "-5"], "--delay-ms -5: give 0 to 10000"),
        (["--jitter-ms", "nan"], "--jitter-ms nan"),
        (["--rate-kbps", "0"], "--rate-kbps 0: give at least 10"),
        (["--rate", "0"], "at least the smallest unit"),
        (["--rate", "1.0000000000001"], "digits after the point"),
        (["--rate", "1 DOT"], "DOT"),
    ],
)
def test_a_wrong_option_is_named_with_its_remedy(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ("--loss 2 --delay-ms 40", PathOptions(**CLEAR | {"loss": 2, "delay_ms": 40})),
        ("--loss 0", PathOptions(**CLEAR)),
        ("--loss-in 1.5 --seed 7", PathOptions(**CLEAR | {"loss_in": 1.5, "seed": 7})),
        ("--rate-kbps 3000 --browser", PathOptions(**CLEAR | {"rate_kbps": 3000})),
        ("--jitter-ms 150", PathOptions(**CLEAR | {"jitter_ms": 150})),
        ("--seed 7", None),
    ],
)
def test_a_path_stands_as_soon_as_one_of_its_options_is_given(
    arguments: str, path: PathOptions | None
) -> None:
    assert parse(arguments.split()).path == path


def test_another_assets_rate_waits_for_the_chain() -> None:
    options = parse(["--asset", "usd", "--rate", "0.002 USD"])
    assert (options.asset, options.rate, options.rate_per_second) == ("usd", "0.002 USD", None)


async def test_the_price_is_read_in_the_assets_decimals() -> None:
    ledger: Any = FakeLedger()
    price = await read_price(ledger, parse(["--asset", "usd", "--seconds", "1000"]))
    assert (price.money.symbol, price.money.asset) == ("USD", 1984)
    assert (price.rate_per_second, price.deposit) == (1_000, 20_000_000)
    assert price.viewer_funds == price.deposit
    short = await read_price(ledger, parse(["--asset", "usd", "--rate", "0.1"]))
    assert (short.deposit, short.viewer_funds) == (60_000_000, 120_000_000)
    assert (await read_price(ledger, parse([]))).deposit == 10**12
    for wrong in (["--asset", "eur"], ["--asset", "usd", "--rate", "1 UNIT"],
                  ["--asset", "usd", "--rate", "0"]):  # fmt: skip
        with pytest.raises(PriceInvalid):
            await read_price(ledger, parse(wrong))


def test_a_video_cannot_be_sent_by_a_browser(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = tmp_path / "film.mp4"
    video.touch()
    with pytest.raises(SystemExit):
        parse(["--browser", "--video", str(video)])
    assert "its camera" in capsys.readouterr().err
