"""`paystream keys backup`, `verify` and `restore`, with the drill that they are for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from offchain.cli import app
from offchain.cli.exits import Exit
from offchain.keys import Keystore
from offchain.keys.delegate_keys import DelegateKeys, add_master

PASSWORD = "correct horse"
VIEWER = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A relayer's machine: two masters, a delegate of an earlier release, an archived one, and the
    batch account's key."""
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    delegates = Keystore(tmp_path / "state" / "delegates")
    for _ in range(2):
        add_master(delegates, PASSWORD)
    delegates.new("delegate-old", PASSWORD)
    delegates.new("delegate-gone", PASSWORD)
    delegates.move_to_archive("delegate-gone")
    Keystore(tmp_path / "state" / "keys").new("operator", PASSWORD)
    return tmp_path


def run(home: Path, *arguments: str) -> Result:
    environment = {
        "PAYSTREAM_STATE_DIR": str(home / "state"),
        "PAYSTREAM_PASSWORD_FILE": str(home / "password"),
        "XDG_CONFIG_HOME": str(home / "config"),
    }
    return CliRunner().invoke(app, ["keys", *arguments], env=environment)


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(result: Result, *words: str) -> None:
    assert result.exit_code == Exit.KEYS, result.output
    assert len(result.stderr.splitlines()) == 1
    for word in ("Error: ", *words):
        assert word in result.stderr


def contents(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*.json")}


def first_delegate(home: Path) -> bytes:
    keys = DelegateKeys(home / "state" / "delegates", PASSWORD)
    keys.check()
    return keys.delegate(VIEWER, 0)[1]


def test_the_drill_a_machine_is_lost_and_its_keys_are_back(home: Path) -> None:
    before, key = contents(home / "state"), first_delegate(home)
    copy = home / "backups" / "keys"
    copy.parent.mkdir()
    made = told(run(home, "backup", str(copy), "--json"))
    assert made == {"place": str(copy), "keys": {"keys": 1, "delegates": 4}, "problems": []}
    assert copy.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in copy.rglob("*.json")} == {0o600}
    shutil.rmtree(home / "state")
    checked = told(run(home, "verify", "--copy", str(copy), "--open", "--json"))
    assert (checked["keys"], checked["problems"]) == (made["keys"], [])
    put_back = told(run(home, "restore", str(copy), "--json"))
    assert put_back["keys"] == made["keys"]
    assert contents(home / "state") == before
    assert (home / "state" / "delegates").stat().st_mode & 0o777 == 0o700
    assert first_delegate(home) == key
    assert told(run(home, "restore", str(copy), "--json")) == put_back, "it is there already"
    assert "delegates" in run(home, "verify").stdout


def test_a_copy_is_encrypted_as_the_keys_are(home: Path) -> None:
    assert run(home, "backup", str(home / "copy")).exit_code == 0
    assert Keystore(home / "copy" / "delegates").load("master-1", PASSWORD).scheme == "sr25519"
    wrong = home / "password"
    wrong.write_text("another\n")
    result = run(home, "verify", "--copy", str(home / "copy"), "--open")
    assert result.exit_code == Exit.FAILED
    assert "does not open" in result.stderr
    assert "another" not in result.output


def test_one_that_is_damaged_is_named_and_the_others_are_copied(home: Path) -> None:
    damaged = home / "state" / "delegates" / "master-1.json"
    damaged.write_bytes(damaged.read_bytes()[:200])
    result = run(home, "backup", str(home / "copy"), "--json")
    assert result.exit_code == Exit.FAILED
    [problem] = json.loads(result.stdout)["problems"]
    assert str(home / "copy" / "delegates" / "master-1.json") in problem
    assert (home / "copy" / "delegates" / "master-2.json").exists()
    assert run(home, "verify").exit_code == Exit.FAILED
    damaged.unlink()
    assert run(home, "verify").exit_code == 0


def test_another_key_of_that_name_stays_and_nothing_is_changed(home: Path) -> None:
    assert run(home, "backup", str(home / "copy")).exit_code == 0
    refused(run(home, "backup", str(home / "copy")), "is there already")
    delegates = home / "state" / "delegates"
    for name in ("master-1", "master-2"):
        (delegates / f"{name}.json").unlink()
    Keystore(delegates).new("master-2", PASSWORD)
    before = contents(home / "state")
    refused(run(home, "restore", str(home / "copy")), "master-2.json", "move it away")
    assert contents(home / "state") == before


def test_what_is_no_copy_is_refused(home: Path) -> None:
    refused(run(home, "restore", str(home / "state" / "keys")), "no copy of keys")
    refused(run(home, "restore", str(home / "nothing")), "nothing")
    (home / "state" / "delegates").rename(home / "state" / "other")
    refused(run(home, "restore", str(home / "state")), "other", "no directory is named for it")
    empty = run(home, "backup", str(home / "copy"), "--state-dir", str(home / "empty"))
    refused(empty, "there is no key in")
    assert not (home / "copy").exists()


def test_a_disk_that_fails_half_way_leaves_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from offchain.keys import copies

    assert run(home, "backup", str(home / "copy")).exit_code == 0
    shutil.rmtree(home / "state")
    put = copies._put

    def failing(source: Path, target: Path) -> None:
        if target.name == "master-2.json":
            raise OSError(28, "No space left on device", str(target))
        put(source, target)

    monkeypatch.setattr(copies, "_put", failing)
    refused(run(home, "restore", str(home / "copy")), "No space left", "disk has room")
    assert contents(home / "state") == {}
