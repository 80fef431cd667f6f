"""What all commands share: `--json`, `--config`, their help, and how they end.

A command is a function whose first argument is its `Output`. It returns, or it raises; what it
raises becomes one `Error:` line and an exit code. PAYSTREAM_DEBUG=1 lets tracebacks through.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import typer
from typer.core import TyperGroup

from offchain.cli.exits import Exit
from offchain.cli.failure import Failure, failure_of
from offchain.cli.output import Output
from offchain.config import Options, config_file_default, option_values, read_config

P = ParamSpec("P")
Body = Callable[Concatenate[Output, P], None]

COMMON = "Everywhere"
CONFIG_VARIABLE = "PAYSTREAM_CONFIG"
DEBUG_VARIABLE = "PAYSTREAM_DEBUG"
JSON_VARIABLE = "PAYSTREAM_JSON"
_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})


def group(help_text: str, *, name: str | None = None) -> typer.Typer:
    """Make a group of commands."""
    return typer.Typer(
        name=name,
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
    )


def command(
    app: typer.Typer, name: str, *examples: str, panel: str | None = None
) -> Callable[[Body[P]], Body[P]]:
    """Register a function as the command `name`, with examples for its help.

    A parameter whose class has `from_options` stands for the options which that takes.
    """

    def register(body: Body[P]) -> Body[P]:
        app.command(name, epilog=_epilog(examples), rich_help_panel=panel)(_runner(body))
        return body

    return register


def command_with_others(
    app: typer.Typer, name: str, body: Body[P], *examples: str, panel: str | None = None
) -> typer.Typer:
    """Register a function as the command `name`, and give the group of commands that go with it.

    `paystream NAME` runs the function, `paystream NAME OTHER` only the other one.
    """
    run = _runner(body)

    @functools.wraps(run)
    def run_alone(ctx: typer.Context, **given: Any) -> None:
        if ctx.invoked_subcommand is None:
            run(**given)
            return
        for option in given:
            source = ctx.get_parameter_source(option)
            if source is not None and source.name == "COMMANDLINE":
                raise Failure(
                    f"--{option.replace('_', '-')} is of `{ctx.command_path}`: options of "
                    f"`{ctx.command_path} {ctx.invoked_subcommand}` stand after it",
                    Exit.USAGE,
                    "usage",
                )

    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    signature = inspect.signature(run)
    del run_alone.__wrapped__
    run_alone.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[context, *signature.parameters.values()]
    )
    run_alone.__annotations__ = {"ctx": typer.Context, **run.__annotations__}
    made = group(inspect.cleandoc(body.__doc__ or ""), name=name)
    made.callback(invoke_without_command=True, no_args_is_help=False, epilog=_epilog(examples))(
        run_alone
    )
    app.add_typer(made, name=name, rich_help_panel=panel)
    return made


def _runner(body: Body[P]) -> Callable[..., None]:
    """Make what typer calls: the body's options and those of every command in one signature."""

    @functools.wraps(body)
    def run(**given: Any) -> None:
        output = Output(json_mode=given.pop("json"))
        given.pop("config")
        for each, kind in bundles.items():
            fields = inspect.signature(kind.from_options).parameters
            given[each] = kind.from_options(**{field: given.pop(field) for field in fields})
        work(output, **given)

    work: Callable[..., None] = body
    # typer reads the signature: without the output, with what every command has
    signature = inspect.signature(body, eval_str=True)
    bundles: dict[str, Any] = {}
    shown: list[inspect.Parameter] = []
    shared: list[inspect.Parameter] = []
    for each in list(signature.parameters.values())[1:]:
        if hasattr(each.annotation, "from_options"):
            bundles[each.name] = each.annotation
            shared += _parameters(each.annotation.from_options)
        else:
            shown.append(each)
    everything = [*shown, *shared, *_parameters(_common)]
    merged = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in everything]
    del run.__wrapped__
    run.__signature__ = signature.replace(parameters=merged)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in merged}
    return run


def runs_alone(command: Any) -> bool:
    """Tell whether a registered command is one that runs, and no mere group of others."""
    return not hasattr(command, "commands") or bool(command.invoke_without_command)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(function, eval_str=True).parameters.values())


def _epilog(examples: Sequence[str]) -> str:
    title = "Example" if len(examples) == 1 else "Examples"
    lines = [f"[bold]{title}[/bold]", *(f"  {_escaped(line)}" for line in examples)]
    return "\n".join([*lines, "", "[dim]Exit codes and settings: paystream --help[/dim]"])


def examples_of(command: Any) -> list[str]:
    """Give the examples of a registered command."""
    lines = str(command.epilog or "").partition("\n\n")[0].splitlines()[1:]
    return [line.strip().replace("\\[", "[") for line in lines]


def _escaped(text: str) -> str:
    return text.replace("[", "\\[")


def _load_config(ctx: typer.Context, value: Path | None) -> Path | None:
    """Put the configuration file beneath the command's options, before those are read."""
    if ctx.resilient_parsing:
        return value
    path = value or config_file_default()
    if value is None and not path.is_file():
        return None
    root = ctx.find_root()
    way = tuple(ctx.command_path.split()[len(root.command_path.split()) :])
    values = option_values(read_config(path), options_of(root.command), way, path)
    ctx.default_map = dict(values)
    ctx.meta["paystream.config"] = (str(path), frozenset(values))
    return path


def _common(
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            envvar=JSON_VARIABLE,
            help="Print one JSON object and nothing else; amounts are integers.",
            rich_help_panel=COMMON,
        ),
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            envvar=CONFIG_VARIABLE,
            is_eager=True,
            callback=_load_config,
            show_default="$XDG_CONFIG_HOME/paystream/config.toml",
            help="TOML file that sets options; unknown keys are errors.",
            rich_help_panel=COMMON,
        ),
    ] = None,
) -> None:
    """Hold the signature of what every command has."""


def options_of(command: Any) -> Options:
    """Give what a configuration file may set for a command and those below it."""
    kinds: dict[str, str] = {}
    for parameter in command.params:
        if parameter.param_type_name != "option" or parameter.name in {"help", "config"}:
            continue
        if not parameter.envvar:  # typer's own options for shell completion
            continue
        kind = "flag" if parameter.is_flag else "list" if parameter.multiple else "text"
        kinds[parameter.name] = kind
    below = getattr(command, "commands", {})
    return Options(kinds, {name: options_of(each) for name, each in below.items()})


class PaystreamGroup(TyperGroup):
    """The `paystream` command itself: it says what went wrong, and how to mend it."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and leave with its exit code."""
        given = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(
                given,
                prog_name or "paystream",
                complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )
        except typer.Abort:
            code = _report(Failure("nothing was done: not confirmed", Exit.USAGE, "aborted"), given)
        except KeyboardInterrupt:
            code = Exit.INTERRUPTED
        except Exception as error:
            code = _end(error, given)
        except BaseExceptionGroup as group:  # trio wraps a Ctrl-C that comes inside a nursery
            if group.split(KeyboardInterrupt)[1] is not None:
                raise
            code = Exit.INTERRUPTED
        if not standalone_mode:
            return code
        sys.exit(int(code or 0))


def _end(error: Exception, given: list[str]) -> Exit:
    if os.environ.get(DEBUG_VARIABLE, "").lower() in _TRUE:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, typer.TyperException):
        if type(error).__name__ == "NoArgsIsHelpError":
            return Exit.USAGE
        return _report(_usage_failure(error), given)
    known = failure_of(error)
    if known is None:
        known = Failure(
            f"{type(error).__name__}: {error}: this is a defect of paystream. Run it again with "
            f"{DEBUG_VARIABLE}=1 for the traceback, and report it",
            Exit.DEFECT,
            "defect",
        )
    return _report(known, given)


def _usage_failure(error: typer.TyperException) -> Failure:
    """Say which option is wrong, where its value came from, and where help is."""
    message = error.format_message().rstrip()
    context = getattr(error, "ctx", None)
    if context is None:
        return Failure(message, Exit.USAGE, "usage")
    parameter = getattr(error, "param", None)
    path, from_file = context.meta.get("paystream.config", ("", frozenset()))
    if parameter is not None and parameter.name in from_file:
        source = context.get_parameter_source(parameter.name)
        if source is not None and source.name == "DEFAULT_MAP":
            message = f"{message.rstrip('.')} (set in {path})"
    message = message if message.endswith((".", "?", ")")) else f"{message}."
    return Failure(f"{message} See `{context.command_path} --help`.", Exit.USAGE, "usage")


def _report(failure: Failure, given: list[str]) -> Exit:
    if "--json" in given or os.environ.get(JSON_VARIABLE, "").lower() in _TRUE:
        error = {"code": failure.code, "message": failure.message, "exit": int(failure.exit_code)}
        Output(json_mode=True).json({"error": error})
    colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    style, end = ("\x1b[1;31m", "\x1b[0m") if colours else ("", "")
    sys.stderr.write(f"{style}Error:{end} {failure.message}\n")
    sys.stderr.flush()
    return failure.exit_code
