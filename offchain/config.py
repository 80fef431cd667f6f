"""Where things lie by default, and the TOML configuration file of the `paystream` command.

The file's keys are the names of the command's options, with or without hyphens. At the top level
they hold for every command that has such an option, in a table named after a command for that one:

    chain = "ws://127.0.0.1:9944"

    [serve]
    listen = "127.0.0.1:8080"

    [stream.create]
    rate = "0.001 UNIT"

An option on the command line comes before its variable, a variable before the file, and a
command's table before the top level.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeAlias

APPLICATION: Final = "paystream"
FILE_BYTES_MAX: Final = 1 << 20

Value: TypeAlias = str | bool | list[str]


class ConfigError(Exception):
    """The configuration cannot be used. The message names the file, the key and the remedy."""


@dataclass(frozen=True)
class Options:
    """What a configuration file may set, taken from the commands themselves.

    `kinds` tells for each option of this command whether it is a `flag`, a `list` or `text`;
    `commands` are the commands below this one.
    """

    kinds: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, Options] = field(default_factory=dict)

    def everywhere(self) -> dict[str, str]:
        """Give the options of this command and of all below it."""
        found = dict(self.kinds)
        for below in self.commands.values():
            for option, kind in below.everywhere().items():
                if found.get(option) != "list":  # which takes what the others take, too
                    found[option] = kind
        return found


def config_file_default() -> Path:
    """Give `$XDG_CONFIG_HOME/paystream/config.toml`, mostly under `~/.config`."""
    return _xdg("XDG_CONFIG_HOME", ".config") / APPLICATION / "config.toml"


def state_dir_default() -> Path:
    """Give `$XDG_DATA_HOME/paystream`, mostly `~/.local/share/paystream`."""
    return _xdg("XDG_DATA_HOME", ".local/share") / APPLICATION


def cache_dir_default() -> Path:
    """Give `$XDG_CACHE_HOME/paystream`, mostly `~/.cache/paystream`."""
    return _xdg("XDG_CACHE_HOME", ".cache") / APPLICATION


def read_config(path: Path) -> dict[str, Any]:
    """Read a configuration file as it stands. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise ConfigError(
            f"there is no configuration file {path}: make it, or leave --config away"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"the configuration file {path} cannot be read ({error.strerror}): "
            "check its path and its permissions"
        ) from None
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigError(f"the configuration file {path} is longer than {FILE_BYTES_MAX} bytes")
    try:
        return tomllib.loads(raw.decode())
    except UnicodeDecodeError:
        raise ConfigError(f"the configuration file {path} is not UTF-8: save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the configuration file {path} is no TOML: {error}") from None


def option_values(
    document: Mapping[str, Any], options: Options, command: tuple[str, ...], path: Path
) -> dict[str, Value]:
    """Give what the file sets for the options of `command`, after checking all of the file.

    `command` is the way to it, such as `("stream", "create")`. Numbers come as text, to be read
    exactly as if they had been typed. Raises ConfigError for a key that no command knows, and for
    a value of the wrong kind.
    """
    _check(document, options, (), path)
    mine = options
    for name in command:
        mine = mine.commands[name]
    found: dict[str, Value] = {}
    table: Any = document
    for depth in range(len(command) + 1):
        for key, value in table.items():
            option = _option_name(key)
            if option in mine.kinds and not isinstance(value, Mapping):
                found[option] = _value(value, mine.kinds[option], key, path)
        if depth < len(command):
            table = table.get(command[depth], {})
    return found


def _xdg(variable: str, below_home: str) -> Path:
    value = os.environ.get(variable, "")
    # the XDG base directory specification: a relative path is to be ignored
    return Path(value) if Path(value).is_absolute() else Path.home() / below_home


def _option_name(key: str) -> str:
    return key.replace("-", "_")


def _check(table: Mapping[str, Any], options: Options, where: tuple[str, ...], path: Path) -> None:
    known = options.everywhere()
    for key, value in table.items():
        at = ".".join((*where, key))
        if isinstance(value, Mapping):
            if key not in options.commands:
                raise ConfigError(_unknown(f"table [{at}]", key, list(options.commands), path))
            _check(value, options.commands[key], (*where, key), path)
        elif _option_name(key) in known:
            _value(value, known[_option_name(key)], at, path)
        else:
            names = [name.replace("_", "-") for name in known]
            raise ConfigError(_unknown(f"key {at!r}", key.replace("_", "-"), names, path))


def _unknown(what: str, key: str, known: list[str], path: Path) -> str:
    near = get_close_matches(key, known, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else "remove it; --help lists every option"
    return f"unknown {what} in {path}: {remedy}"


def _value(value: Any, kind: str, key: str, path: Path) -> Value:
    if kind == "flag":
        if isinstance(value, bool):
            return value
        raise ConfigError(f"{key!r} in {path} is {value!r}: write true or false")
    if kind == "list":
        if isinstance(value, str):
            return [value]
        if isinstance(value, list) and all(isinstance(item, str | int) for item in value):
            return [str(item) for item in value]
        raise ConfigError(f'{key!r} in {path} is {value!r}: write a list, such as ["..."]')
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    raise ConfigError(f"{key!r} in {path} is {value!r}: write a text or a number")
