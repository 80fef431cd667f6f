"""Renders `docs/cli.md` from the commands themselves; `scripts/cli-reference` writes it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from offchain.cli.command import examples_of, runs_alone
from offchain.cli.exits import Exit

INTRODUCTION = """\
# The `paystream` command

*Written by `scripts/cli-reference` from the commands' own help; a test keeps it true.*

Every command has `--help` with an example, and `--json`: one JSON object on standard output and
nothing else. Amounts in JSON are integers in the smallest unit, moments unix milliseconds; an
integer of 2^53 or more, which JavaScript would round, is text (`"10000000000000000"`). An
error is then `{"error": {"code", "message", "exit"}}`; in any case it is one `Error:` line on
standard error. Without `--json`, data goes to standard output and everything else to standard
error. The processes that run on (`serve`, `relay`, `publish`) print a line of JSON when they are
ready; so does `up --json`. `paystream --version` prints the release.

## Settings
An option on the command line comes before its variable, a variable before the configuration file.
Every option has a variable: `PAYSTREAM_CHAIN` for `--chain`. Options that may be repeated take
several values in a variable, separated by spaces. The file is the one that `--config` names, or
`$XDG_CONFIG_HOME/paystream/config.toml`; its keys are the options' names. At the top level they
hold for every command that has such an option, in a table named after a command for that one. An
unknown key is an error.

```toml
chain = "ws://127.0.0.1:9944"
key = "creator"

[serve]
listen = "127.0.0.1:8080"
ice-host = ["192.0.2.7"]

[stream.create]
rate = "0.001 UNIT"
```

A password is read from the first line of `--password-file`, or asked for on the terminal. It is
never an option's value. Shell completion: `paystream --install-completion`. Tracebacks:
`PAYSTREAM_DEBUG=1`.
"""


def render(root: Any) -> str:
    """Give the whole page for the root command (click's object)."""
    parts = [INTRODUCTION, _exits()]
    for way, each in _commands(root, ("paystream",)):
        parts.append(_command(way, each) if runs_alone(each) else _group(way, each))
    return "\n".join(parts)


def _commands(command: Any, way: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, each in command.commands.items():
        yield (*way, name), each
        if hasattr(each, "commands"):
            yield from _commands(each, (*way, name))


def _exits() -> str:
    rows = [f"| {int(code)} | {code.meaning} |" for code in Exit]
    return "\n".join(["## Exit codes", "| code | meaning |", "| --- | --- |", *rows, ""])


def _group(way: tuple[str, ...], command: Any) -> str:
    return f"## `{' '.join(way)}`\n{_text(command.help)}\n"


def _command(way: tuple[str, ...], command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [
        each
        for each in command.params
        if each.param_type_name == "option" and each.name not in {"help", "json", "config"}
    ]
    names = [_argument_usage(each) for each in arguments]
    usage = " ".join([*way, *names, *(["[OPTIONS]"] if options else [])])
    lines = [f"{'##' if len(way) == 2 else '###'} `{' '.join(way)}`", _text(command.help), ""]
    lines += ["```sh", *examples_of(command), "```", f"`{usage}`", ""]
    if arguments or options:
        lines += ["| option | what it says | variable | default |", "| --- | --- | --- | --- |"]
        lines += [_argument_row(each) for each in arguments]
        lines += [_option_row(each) for each in options]
        lines.append("")
    return "\n".join(lines)


def _argument_usage(argument: Any) -> str:
    name = str(argument.metavar or argument.name.upper())
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _argument_row(argument: Any) -> str:
    default = "*required*" if argument.required else _default(argument)
    return f"| `{argument.metavar}` | {_cell(argument.help)} |  | {default} |"


def _option_row(option: Any) -> str:
    names = "/".join([*option.opts, *option.secondary_opts])
    metavar = f" {option.metavar}" if option.metavar else ""
    default = "*required*" if option.required else _default(option)
    return f"| `{names}{metavar}` | {_cell(option.help)} | `{option.envvar}` | {_cell(default)} |"


def _default(parameter: Any) -> str:
    if isinstance(parameter.show_default, str):
        return parameter.show_default
    value = parameter.default
    if value is None or value is False:
        return ""
    if value is True:
        return f"`{parameter.opts[0]}`"
    return f"`{value}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _text(text: str | None) -> str:
    """Give a help text as paragraphs of at most 100 columns."""
    import textwrap

    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(text or ""))
    return "\n\n".join(textwrap.fill(" ".join(each.split()), 100) for each in paragraphs)
