"""What holds for every command: help with an example, a variable for every option, no secrets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from offchain.cli import app
from offchain.cli.command import examples_of, options_of, runs_alone
from offchain.cli.exits import Exit

ROOT = Path(__file__).resolve().parents[2]


def commands(group: Any, way: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, each in group.commands.items():
        if runs_alone(each):
            yield (*way, name), each
        if hasattr(each, "commands"):
            yield from commands(each, (*way, name))


ALL = list(commands(get_command(app)))
IDS = [" ".join(way) for way, _ in ALL]


def test_every_promised_command_is_there() -> None:
    promised = {
        "keys": {"new", "list", "show", "import", "export", "change-password", "rotate"}
        | {"backup", "verify", "restore"},
        "journal": {"backup", "verify", "restore", "prune"},
        "stream": {
            "create",
            "list",
            "show",
            "pause",
            "resume",
            "end",
            "transfer",
            "find",
            "undescribe",
            "refund",
            "tiers",
            "token",
            "describe",
            "about",
        },
        "vault": {"deposit", "withdraw", "show"},
        "profile": {
            "show",
            "set",
            "export",
            "delete",
            "follow",
            "unfollow",
            "following",
            "sessions",
        },
        "chat": {"read", "say", "listen"},
        "community": {"time-out", "ban", "let-speak", "mutes", "moderator", "moderators", "delete"}
        | {"settings", "held", "release", "report", "reports", "queue", "answer"},
        "grant": {"give", "list", "revoke"},
        "session": {"list", "show", "close", "settle"},
        "relay": {"drain", "sessions"},
        "subscription": {"subscribe", "list", "show", "cancel", "settle"},
        "asset": {"list", "enable", "disable", "write-off", "tick-price"},
        "chain": {"spec"},
        "conformance": {"whep-402"},
        "operator": {"treasury-share", "stop", "resume", "show"},
    }
    alone = {
        "node",
        "serve",
        "relay",
        "signer",
        "watch",
        "publish",
        "claim",
        "tip",
        "reconcile",
        "status",
    }
    expected = {(group, name) for group, names in promised.items() for name in names}
    expected |= {(name,) for name in alone | {"doctor", "up"}}
    expected |= {("community", "audit", name) for name in ("list", "verify")}
    expected |= {("community", "filter", name) for name in ("add", "list", "remove")}
    assert {way for way, _ in ALL} == expected


@pytest.mark.parametrize(("way", "command"), ALL, ids=IDS)
def test_help_has_an_example_of_this_command(way: tuple[str, ...], command: Any) -> None:
    shown = CliRunner().invoke(app, [*way, "--help"], env={"COLUMNS": "80"})
    assert shown.exit_code == 0
    assert "Example" in shown.stdout
    examples = examples_of(command)
    assert examples
    for example in examples:
        assert example.startswith(f"paystream {' '.join(way)}")
    assert all(len(line) <= 80 for line in shown.stdout.splitlines())


@pytest.mark.parametrize(("way", "command"), ALL, ids=IDS)
def test_every_option_has_its_variable_and_says_what_it_does(
    way: tuple[str, ...], command: Any
) -> None:
    names = {each.name for each in command.params}
    assert {"json", "config"} <= names
    for each in command.params:
        if each.name == "help":
            continue
        assert each.help
        if each.param_type_name == "option":
            longest = max(each.opts, key=len)
            assert each.envvar == "PAYSTREAM_" + longest.lstrip("-").replace("-", "_").upper()
            assert each.help.endswith((".", ".)")), f"{longest}: {each.help}"


@pytest.mark.parametrize(("way", "command"), ALL, ids=IDS)
def test_no_option_takes_a_secret(way: tuple[str, ...], command: Any) -> None:
    for each in command.params:
        for word in ("password", "secret", "seed", "mnemonic", "phrase", "token"):
            assert word not in each.name or each.name.endswith("password_file")


def test_what_moves_money_can_be_tried_dry() -> None:
    moving_of = {
        "stream": ("create", "pause", "resume", "end", "transfer", "refund", "tiers"),
        "vault": ("deposit", "withdraw"),
        "grant": ("give", "revoke"),
        "session": ("close", "settle"),
        "subscription": ("subscribe", "cancel", "settle"),
        "asset": ("enable", "disable", "write-off", "tick-price"),
        "operator": ("treasury-share", "stop", "resume"),
    }
    moving: set[tuple[str, ...]] = {
        (group, name) for group, names in moving_of.items() for name in names
    }
    moving |= {("claim",), ("watch",), ("tip",)}
    starting = {("relay",)}  # tried dry, too: it signs what others owe
    for way, command in ALL:
        if way in starting:
            continue
        assert ("dry_run" in {each.name for each in command.params}) == (way in moving)


def test_the_exit_codes_are_in_the_help_and_each_has_a_meaning() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120"}).stdout
    for code in Exit:
        assert code.meaning in shown


def test_the_reference_is_current() -> None:
    checked = subprocess.run(
        [sys.executable, "scripts/cli-reference", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_the_configuration_knows_every_option_of_every_command() -> None:
    known = options_of(get_command(app))
    for way, command in ALL:
        mine = known
        for name in way:
            mine = mine.commands[name]
        options = {each.name for each in command.params if each.param_type_name == "option"}
        assert set(mine.kinds) == options - {"help", "config"}


def test_nothing_heavy_is_imported_for_help() -> None:
    heavy = ["trio", "aiohttp", "aiortc", "substrateinterface", "scalecodec", "msgspec", "nacl"]
    program = (
        "import sys; from offchain.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stderr.strip() == "[]"


def test_shell_completion_offers_commands() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "offchain.cli"],
        cwd=ROOT,
        env={
            "_PAYSTREAM_COMPLETE": "complete_bash",
            "COMP_WORDS": "paystream va",
            "COMP_CWORD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.split() == ["vault"]
