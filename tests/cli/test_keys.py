"""`paystream keys`, with a keystore of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from offchain.cli import app
from offchain.cli.exits import Exit
from offchain.cli.wallets import Wallets

PHRASE = "bottom drive obey lake curtain smoke basket hold race lonely fit walk"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    password = tmp_path / "password"
    password.write_text("correct horse\nsecond line\n")
    password.chmod(0o600)
    return tmp_path


def run(home: Path, *arguments: str, given: str | None = None, **variables: str) -> Result:
    environment = {
        "PAYSTREAM_STATE_DIR": str(home / "state"),
        "PAYSTREAM_PASSWORD_FILE": str(home / "password"),
        "XDG_CONFIG_HOME": str(home / "config"),
    } | variables
    return CliRunner().invoke(app, list(arguments), input=given, env=environment)


def made(home: Path, *arguments: str, given: str | None = None) -> Any:
    result = run(home, *arguments, "--json", given=given)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def refused(result: Result, code: Exit, *words: str) -> str:
    """Check that it is one line for people, with no traceback."""
    assert result.exit_code == code, result.output
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1
    for word in words:
        assert word in result.stderr
    return result.stderr


def test_a_new_key_is_encrypted_and_listed(home: Path) -> None:
    new = made(home, "keys", "new", "creator")
    assert new["address"].startswith("5")
    file = Path(new["file"])
    assert file.stat().st_mode & 0o777 == 0o600
    listed = made(home, "keys", "list")
    assert listed["keys"] == [new]
    assert made(home, "keys", "show", "creator") == new
    text = run(home, "keys", "list").stdout
    assert "creator" in text
    assert new["address"] in text


def test_a_phrase_comes_from_standard_input_and_goes_nowhere_else(home: Path) -> None:
    result = run(home, "keys", "import", "dev", "--from-stdin", given=PHRASE)
    assert result.exit_code == 0
    assert "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV" in result.stdout
    assert "obey" not in result.output


def test_an_exported_key_comes_back_elsewhere(home: Path) -> None:
    new = made(home, "keys", "new", "creator")
    exported = run(home, "keys", "export", "creator").stdout
    assert json.loads(exported)["address"] == new["address"]
    again = made(home, "keys", "import", "copy", "--from-stdin", given=exported)
    assert again["public_key"] == new["public_key"]
    file = home / "backup.json"
    assert run(home, "keys", "export", "creator", "--output", str(file)).exit_code == 0
    assert json.loads(file.read_text()) == json.loads(exported)
    assert file.stat().st_mode & 0o777 == 0o600
    refused(run(home, "keys", "export", "creator", "--output", str(file)), Exit.MACHINE, "exists")


def test_development_keys_are_the_public_ones_only(home: Path) -> None:
    alice = made(home, "keys", "import", "a", "--dev", "Alice")
    assert alice["address"] == "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
    assert made(home, "keys", "import", "b", "--dev", "//Bob")["name"] == "b"
    refused(run(home, "keys", "import", "c", "--dev", "Mallory"), Exit.USAGE, "--from-stdin")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("twelve words that are no phrase", "mnemonic"),
        ("", "nothing came"),
        ('{"encoded": 1}', "no usable key file"),
        ("{", "no usable key file"),
        ("x" * 70_000, "longer than"),
    ],
)
def test_what_is_no_key_is_not_imported_nor_repeated(home: Path, text: str, words: str) -> None:
    result = run(home, "keys", "import", "x", "--from-stdin", given=text)
    refused(result, Exit.KEYS, words)
    assert "twelve" not in result.output
    assert made(home, "keys", "list")["keys"] == []


def test_a_wrong_password_says_so(home: Path) -> None:
    made(home, "keys", "new", "creator")
    (home / "password").write_text("wrong")
    refused(run(home, "keys", "export", "creator"), Exit.KEYS, "password does not open")


def test_a_missing_key_says_so_before_a_password_is_asked_for(home: Path) -> None:
    (home / "password").unlink()
    refused(run(home, "keys", "export", "nobody"), Exit.KEYS, "no key 'nobody'", "keys list")
    refused(run(home, "keys", "show", "nobody"), Exit.KEYS, "no key 'nobody'")


def test_a_name_that_is_taken(home: Path) -> None:
    made(home, "keys", "new", "creator")
    refused(run(home, "keys", "new", "creator"), Exit.KEYS, "already", "another name")


def test_a_damaged_file_is_named_and_the_others_are_listed(home: Path) -> None:
    made(home, "keys", "new", "whole")
    file = Path(made(home, "keys", "new", "broken")["file"])
    file.write_text(file.read_text()[:100])
    result = run(home, "keys", "list")
    assert result.exit_code == Exit.KEYS
    assert "whole" in result.stdout
    assert str(file) in result.stderr
    data = json.loads(run(home, "keys", "list", "--json").stdout)
    assert list(data["damaged"]) == ["broken"]
    refused(run(home, "keys", "export", "broken"), Exit.KEYS, str(file), "backup")


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (b"", 0o600, "no password in its first line"),
        (b"\nsecond", 0o600, "no password in its first line"),
        (b"\xff\xfe", 0o600, "no password in its first line"),
        (b"x" * 5000, 0o600, "no password in its first line"),
        (b"good", 0o622, "chmod 600"),
        (b"good", 0o640, "chmod 600"),
        (b"good", 0o604, "chmod 600"),
    ],
)
def test_a_password_file_that_cannot_serve(
    home: Path, content: bytes, mode: int, words: str
) -> None:
    file = home / "password"
    file.write_bytes(content)
    file.chmod(mode)
    refused(run(home, "keys", "new", "creator"), Exit.KEYS, str(file), words)
    file.unlink()
    refused(run(home, "keys", "new", "creator"), Exit.KEYS, str(file), "No such file")


def test_without_a_terminal_a_password_must_come_from_a_file(home: Path) -> None:
    result = run(home, "keys", "new", "creator", PAYSTREAM_PASSWORD_FILE="")
    refused(result, Exit.KEYS, "--password-file", "PAYSTREAM_PASSWORD_FILE")


def test_an_error_as_json_is_one_object(home: Path) -> None:
    result = run(home, "keys", "show", "nobody", "--json")
    error = json.loads(result.stdout)["error"]
    assert error["code"] == "key-not-found"
    assert error["exit"] == result.exit_code == Exit.KEYS
    assert error["message"] in result.stderr
    again = run(home, "keys", "show", "nobody", PAYSTREAM_JSON="1")
    assert json.loads(again.stdout)["error"] == error


def test_flag_comes_before_variable_and_variable_before_file(home: Path) -> None:
    config = home / "config" / "paystream" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('keys-dir = "/from/file"\n')
    variables = {"PAYSTREAM_KEYS_DIR": "/from/variable"}

    def directory(*arguments: str, **environment: str) -> str:
        result = run(home, "keys", "list", "--json", *arguments, **environment)
        return str(json.loads(result.stdout)["directory"])

    assert directory() == "/from/file"
    assert directory(**variables) == "/from/variable"
    assert directory("--keys-dir", "/from/flag", **variables) == "/from/flag"
    other = home / "other.toml"
    other.write_text('[keys.list]\nkeys-dir = "/from/other"\n')
    assert directory("--config", str(other)) == "/from/other"
    assert directory(PAYSTREAM_CONFIG=str(other)) == "/from/other"


def test_a_configuration_that_is_wrong(home: Path) -> None:
    config = home / "config.toml"
    config.write_text('keys-dri = "x"\n')
    result = run(home, "keys", "list", "--config", str(config))
    refused(result, Exit.USAGE, "'keys-dri'", str(config), "'keys-dir'")
    config.write_text("keys-dir = ")
    refused(run(home, "keys", "list", "--config", str(config)), Exit.USAGE, str(config), "TOML")
    # help needs no configuration, least of all a good one
    assert run(home, "keys", "list", "--help", PAYSTREAM_CONFIG=str(config)).exit_code == 0


def test_passwords_are_changed_of_some_keys_and_of_all(home: Path) -> None:
    made(home, "keys", "new", "one")
    made(home, "keys", "new", "two")
    new = home / "new"
    new.write_text("another horse\n")
    new.chmod(0o600)
    change = ("keys", "change-password", "--new-password-file", str(new))
    refused(run(home, *change), Exit.USAGE, "--all")
    refused(run(home, *change, "one", "--all"), Exit.USAGE, "--all")
    before = made(home, "keys", "show", "one")
    assert made(home, *change, "one")["changed"] == ["one"]
    assert made(home, "keys", "show", "one") == before
    refused(run(home, "keys", "export", "one"), Exit.KEYS, "password")
    # as after an interruption: what has the new password already is left alone
    assert made(home, *change, "--all")["changed"] == ["two"]
    for name in ("one", "two"):
        assert run(home, "keys", "export", name, PAYSTREAM_PASSWORD_FILE=str(new)).exit_code == 0
    third = home / "third"
    third.write_text("a third\n")
    third.chmod(0o600)
    result = run(home, "keys", "change-password", "--all", "--new-password-file", str(third))
    refused(result, Exit.KEYS, "0 of 2")


def test_a_rotation_makes_the_next_master(home: Path) -> None:
    assert made(home, "keys", "rotate")["name"] == "master-1"
    assert made(home, "keys", "rotate")["name"] == "master-2"
    assert {path.name for path in (home / "state" / "delegates").iterdir()} == {
        "master-1.json",
        "master-2.json",
    }
    (home / "password").write_text("another")
    refused(run(home, "keys", "rotate"), Exit.KEYS, "password")


def test_a_rotation_says_what_running_processes_need(home: Path) -> None:
    result = run(home, "keys", "rotate")
    for word in ("started with another password", "--password-file", "start it anew"):
        assert word in result.stderr


def test_a_password_is_read_again_from_its_file_and_never_asked_for(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    file = home / "password"
    wallets = Wallets(home, file)
    assert wallets.password("?") == wallets.password_again() == "correct horse"
    file.write_text("another\n")
    assert wallets.password_again() == "another"
    file.chmod(0o644)
    assert wallets.password_again() is None
    assert Wallets(home, None).password_again() is None


def test_a_password_from_a_descriptor(home: Path) -> None:
    made(home, "keys", "new", "creator")
    reader, writer = os.pipe()
    os.write(writer, b"correct horse\n")
    os.close(writer)
    given = {"PAYSTREAM_PASSWORD_FILE": f"/dev/fd/{reader}"}
    for _ in range(2):  # it is read once, and may be asked for again
        assert run(home, "keys", "export", "creator", **given).exit_code == 0


def test_a_password_from_systemd_s_credentials(home: Path) -> None:
    made(home, "keys", "new", "creator")
    credentials = home / "credentials"
    credentials.mkdir()
    given = {"PAYSTREAM_PASSWORD_FILE": "", "CREDENTIALS_DIRECTORY": str(credentials)}
    refused(run(home, "keys", "export", "creator", **given), Exit.KEYS, "--password-file")
    credential = credentials / "paystream-password"
    credential.write_text("correct horse\n")
    for mode in (0o400, 0o440):  # systemd before 254, and since with an ACL
        credential.chmod(mode)
        assert run(home, "keys", "export", "creator", **given).exit_code == 0
    credential.chmod(0o444)
    refused(run(home, "keys", "export", "creator", **given), Exit.KEYS, "other users")


def test_a_credential_of_another_name_is_as_good(home: Path) -> None:
    """The units pass theirs as `--password-file ${CREDENTIALS_DIRECTORY}/password`."""
    made(home, "keys", "new", "creator")
    credentials = home / "credentials"
    credentials.mkdir()
    credential = credentials / "password"
    credential.write_text("correct horse\n")
    credential.chmod(0o440)
    given = {"PAYSTREAM_PASSWORD_FILE": str(credential)}
    refused(run(home, "keys", "export", "creator", **given), Exit.KEYS, "other users")
    given["CREDENTIALS_DIRECTORY"] = str(credentials)
    assert run(home, "keys", "export", "creator", **given).exit_code == 0
    credential.chmod(0o444)
    refused(run(home, "keys", "export", "creator", **given), Exit.KEYS, "other users")
