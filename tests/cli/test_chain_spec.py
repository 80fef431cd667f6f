"""`paystream chain spec`: what it asks the node, and what stops it. The node is a stand-in."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from offchain.cli import app
from offchain.cli.exits import Exit
from offchain.keys.signer import dev_key
from tests.test_chain_spec import plain

ALICE, BOB = (dev_key(name).address for name in ("Alice", "Bob"))
NODE = """#!{python}
import json, sys
arguments = sys.argv[1:]
if arguments == ["list-presets"]:
    print("development\\nlocal_testnet")
elif arguments[:2] == ["export-chain-spec", "--chain"]:
    print({plain!r})
elif arguments[:3] == ["export-chain-spec", "--raw", "--chain"]:
    spec = json.load(open(arguments[3]))
    if spec["name"] == "Broken":
        sys.exit("Error: Input(\\"the runtime does not take it\\")")
    spec["genesis"] = {{"raw": spec["genesis"]["runtimeGenesis"]["patch"]}}
    print(json.dumps(spec))
else:
    sys.exit("error: unrecognized subcommand")
"""


@pytest.fixture
def node(tmp_path: Path) -> Path:
    program = tmp_path / "node"
    program.write_text(NODE.format(python=sys.executable, plain=json.dumps(plain())))
    program.chmod(0o755)
    return program


def run(node: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["chain", "spec", "--node", str(node), *arguments])


def refused(result: Result, code: Exit, *words: str) -> None:
    assert result.exit_code == code, result.output
    for word in ("Error: ", *words):
        assert word in result.stderr


def test_presets_are_those_that_the_runtime_lists(node: Path) -> None:
    assert run(node, "--list").stdout == "development\nlocal_testnet\n"
    listed = run(node, "--list", "--json")
    assert json.loads(listed.stdout) == {"presets": ["development", "local_testnet"]}


def test_a_preset_that_is_none_is_named_with_those_that_are(node: Path) -> None:
    refused(run(node, "--preset", "live"), Exit.USAGE, "'live'", "development, local_testnet")


def test_it_is_written_plain_or_raw(node: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps([{"aura": BOB, "grandpa": ALICE}]))
    output = tmp_path / "net.json"
    told = run(
        node, "--validators", str(keys), "--name", "Mine", "--type", "live", "--output",
        str(output), "--json",
    )  # fmt: skip
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout) == {
        "specification": str(output),
        "name": "Mine",
        "id": "preset",
        "type": "Live",
        "raw": False,
        "bootnodes": [],
    }
    patch = json.loads(output.read_text())["genesis"]["runtimeGenesis"]["patch"]
    assert patch["aura"]["authorities"] == [BOB]
    raw = json.loads(run(node, "--raw", "--validators", str(keys)).stdout)
    assert raw["genesis"]["raw"]["aura"]["authorities"] == [BOB]


def test_keys_that_everybody_has_are_warned_of(node: Path, tmp_path: Path) -> None:
    written = run(node, "--output", str(tmp_path / "net.json"))
    assert written.exit_code == 0
    assert "whose keys everybody has" in " ".join(written.stderr.split())


def test_no_file_is_replaced(node: Path, tmp_path: Path) -> None:
    output = tmp_path / "net.json"
    output.write_text("mine")
    refused(run(node, "--output", str(output)), Exit.MACHINE, str(output), "another file")
    assert output.read_text() == "mine"


def test_what_the_runtime_does_not_take_is_not_written(node: Path, tmp_path: Path) -> None:
    output = tmp_path / "net.json"
    broken = run(node, "--name", "Broken", "--output", str(output))
    refused(broken, Exit.MACHINE, "the runtime does not take it")
    assert not output.exists()


def test_a_node_without_the_command_is_of_an_earlier_release(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_text(
        "#!/bin/sh\necho \"error: unrecognized subcommand 'list-presets'\" >&2; exit 2\n"
    )
    old.chmod(0o755)
    refused(run(old, "--list"), Exit.MACHINE, "earlier release", "scripts/setup --chain-only")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--type", "main"), ("--type 'main'", "development, local, live")),
        (("--root", "5x"), ("--root", "'5x'")),
        (("--endow", "5x"), ("--endow", "ADDRESS=AMOUNT")),
        (("--bootnode", "203.0.113.7"), ("has no id", "/p2p/")),
        (("--id", "a/b"), ("'a/b'", "directory")),
    ],
)
def test_a_wrong_option_is_named(
    node: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    refused(run(node, *arguments), Exit.USAGE, *words)


def test_a_file_of_validators_that_is_missing_or_wrong_is_named(node: Path, tmp_path: Path) -> None:
    missing = tmp_path / "keys.json"
    refused(run(node, "--validators", str(missing)), Exit.MACHINE, str(missing), "check the path")
    missing.write_text("[]")
    refused(run(node, "--validators", str(missing)), Exit.USAGE, str(missing), "list of 1 to 32")
