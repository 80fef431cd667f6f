"""The configuration file: what it may say, and what it says when that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offchain import config
from offchain.config import ConfigError, Options, option_values, read_config

OPTIONS = Options(
    kinds={},
    commands={
        "serve": Options({"listen": "text", "ice_host": "list", "chain": "text"}),
        "stream": Options(
            commands={"create": Options({"rate": "text", "dry_run": "flag", "chain": "text"})}
        ),
    },
)
FILE = Path("/etc/paystream.toml")


def values(document: dict[str, Any], *command: str) -> dict[str, config.Value]:
    return option_values(document, OPTIONS, command, FILE)


def test_a_top_level_key_holds_for_every_command_that_has_it() -> None:
    document = {"chain": "ws://a", "serve": {"listen": "b:1"}}
    assert values(document, "serve") == {"chain": "ws://a", "listen": "b:1"}
    assert values(document, "stream", "create") == {"chain": "ws://a"}


def test_a_command_table_comes_before_the_top_level() -> None:
    document = {"chain": "ws://a", "stream": {"chain": "ws://b", "create": {"chain": "ws://c"}}}
    assert values(document, "stream", "create") == {"chain": "ws://c"}
    assert values(document, "serve") == {"chain": "ws://a"}


def test_one_value_is_a_list_of_one_where_an_option_takes_several() -> None:
    options = Options(
        commands={"relay": Options({"chain": "list"}), "status": Options({"chain": "text"})}
    )
    document = {"chain": "ws://a"}
    assert option_values(document, options, ("relay",), FILE) == {"chain": ["ws://a"]}
    assert option_values(document, options, ("status",), FILE) == {"chain": "ws://a"}
    document = {"chain": "ws://a", "relay": {"chain": ["ws://b", "ws://c"]}}  # type: ignore[dict-item]
    assert option_values(document, options, ("relay",), FILE) == {"chain": ["ws://b", "ws://c"]}
    with pytest.raises(ConfigError, match="write a text"):
        option_values({"chain": ["ws://a", "ws://b"]}, options, ("status",), FILE)


def test_hyphens_and_underscores_are_the_same() -> None:
    document = {"serve": {"ice-host": ["192.0.2.1"]}}
    assert values(document, "serve") == {"ice_host": ["192.0.2.1"]}
    assert values({"stream": {"create": {"dry_run": True}}}, "stream", "create") == {
        "dry_run": True
    }


def test_numbers_are_read_as_if_typed() -> None:
    assert values({"stream": {"create": {"rate": 2}}}, "stream", "create") == {"rate": "2"}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"chian": "x"}, ["'chian'", str(FILE), "did you mean 'chain'"]),
        ({"serve": {"rate": "1"}}, ["'serve.rate'", str(FILE)]),
        ({"sreve": {}}, ["[sreve]", "did you mean 'serve'"]),
        ({"stream": {"create": {"zzz": 1}}}, ["'stream.create.zzz'", "--help"]),
        ({"stream": {"create": {"dry-run": "yes"}}}, ["dry-run", "true or false"]),
        ({"serve": {"ice-host": True}}, ["ice-host", "list"]),
        ({"serve": {"listen": ["a"]}}, ["listen", "text"]),
        ({"serve": {"listen": True}}, ["listen", "text"]),
    ],
)
def test_what_no_command_knows_is_an_error_that_names_key_and_file(
    document: dict[str, Any], words: list[str]
) -> None:
    # the whole file is checked, whichever command runs
    with pytest.raises(ConfigError) as raised:
        values(document, "serve")
    for word in words:
        assert word in str(raised.value)


def test_a_file_that_is_not_there_or_not_toml(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    with pytest.raises(ConfigError, match="there is no configuration file"):
        read_config(path)
    path.write_text("chain = ")
    with pytest.raises(ConfigError, match="no TOML"):
        read_config(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_config(path)
    path.write_text("#" * (config.FILE_BYTES_MAX + 1))
    with pytest.raises(ConfigError, match="longer than"):
        read_config(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path)


def test_directories_follow_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "c"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "d"))
    assert config.config_file_default() == tmp_path / "c" / "paystream" / "config.toml"
    assert config.state_dir_default() == tmp_path / "d" / "paystream"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert config.state_dir_default() == tmp_path / ".local/share/paystream"
