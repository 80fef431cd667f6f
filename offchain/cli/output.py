"""What a command says: data on standard output, everything else on standard error.

With `--json` standard output is one JSON object and nothing else; an integer that JavaScript would
round (2^53 and more) is text in it, so that no reader changes an amount. Without, it is text for
people, as wide as the terminal; where it is no terminal, 120 columns and no colours.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

SAFE_INTEGER_MAX: Final = 2**53 - 1
"""The highest integer that a reader with double floats, such as JavaScript, keeps exactly."""

Row = tuple[str, object]


class Output:
    """One command's two channels. `json_mode` is what `--json` says."""

    def __init__(self, *, json_mode: bool) -> None:
        self.json_mode = json_mode

    def json(self, data: Mapping[str, Any]) -> None:
        """Print the one JSON object. Numbers are integers, moments unix milliseconds."""
        sys.stdout.write(json.dumps(exact(data), ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def event(self, data: Mapping[str, Any], *, stderr: bool = False) -> None:
        """Print one line of JSON at once, for programs that wait for a process to be ready, or
        (on standard error) for what happens before its result is there."""
        line = json.dumps(exact(data), ensure_ascii=False, separators=(",", ":"))
        stream = sys.stderr if stderr else sys.stdout
        stream.write(line + "\n")
        stream.flush()

    def text(self, text: str) -> None:
        """Print text as data, as it is."""
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()

    def show(self, *parts: RenderableType) -> None:
        """Print for people on standard output."""
        console = self.console()
        if console.is_terminal:
            for part in parts:
                console.print(part)
            return
        with console.capture() as capture:
            for part in parts:
                console.print(part)
        # tables fill their lines with blanks, which files and pipes need not keep
        self.text("\n".join(line.rstrip() for line in capture.get().splitlines()))

    def note(self, text: str) -> None:
        """Tell people what is going on, on standard error."""
        from rich.text import Text

        self.console(stderr=True).print(Text(text, style="dim"), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Tell people what they should know, on standard error."""
        from rich.text import Text

        line = Text.assemble(("Warning: ", "bold yellow"), " ".join(text.split()))
        self.console(stderr=True).print(line, soft_wrap=True)

    def progress(self, text: str) -> None:
        """Tell how far something is, on one line that the next such call writes over.

        Where standard error is no terminal, each is a line of its own.
        """
        if not sys.stderr.isatty():
            self.note(text)
            return
        columns = self.console(stderr=True).width
        sys.stderr.write(f"\r\x1b[2K{text[: columns - 1]}")
        sys.stderr.flush()

    def progress_over(self) -> None:
        """Clear the line that `progress` wrote."""
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Show on standard error that something is going on, where that is a terminal."""
        console = self.console(stderr=True)
        if console.is_terminal:
            with console.status(text, spinner="dots"):
                yield
        else:
            yield

    def console(self, *, stderr: bool = False) -> Console:
        """Give a console for one of the two channels."""
        from rich.console import Console

        stream = sys.stderr if stderr else sys.stdout
        width = None if stream.isatty() or os.environ.get("COLUMNS") else 120
        return Console(file=stream, width=width, highlight=False, soft_wrap=False)


def exact(value: Any) -> Any:
    """Give JSON data in which integers beyond `SAFE_INTEGER_MAX` are decimal text."""
    if isinstance(value, Mapping):
        return {name: exact(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [exact(each) for each in value]
    if isinstance(value, int) and abs(value) > SAFE_INTEGER_MAX:
        return str(value)
    return value


def facts(rows: Iterable[Row], title: str | None = None) -> RenderableType:
    """Give names and values in two aligned columns."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(name, _cell(value))
    if title is None:
        return grid
    return Group(Text(title, style="bold"), grid)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str, title: str | None = None
) -> RenderableType:
    """Give rows under headings.

    A heading that ends in `>` marks a column of figures, in `|` one that is never broken.

    `empty` is what to say where there is no row.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(
        box=box.SIMPLE_HEAD,
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="bold cyan",
        pad_edge=False,
        show_edge=False,
    )
    for heading in columns:
        figures = heading.endswith(">")
        made.add_column(
            heading.rstrip(">|"),
            justify="right" if figures else "left",
            no_wrap=figures or heading.endswith("|"),
            overflow="fold",
        )
    for row in rows:
        made.add_row(*(_cell(value) for value in row))
    return made if made.row_count else Text(empty, style="dim")


def short(text: str, ends: int = 6) -> str:
    """Shorten an address or a hash to its two ends."""
    return text if len(text) <= 2 * ends + 1 else f"{text[:ends]}…{text[-ends:]}"


def moment(unix_ms: int) -> str:
    """Write a moment (unix milliseconds) in this machine's time zone, to the second."""
    from datetime import UTC, datetime

    if not 0 <= unix_ms < 253_402_300_800_000:
        return "never"
    at = datetime.fromtimestamp(unix_ms / 1000, tz=UTC).astimezone()
    return at.strftime("%Y-%m-%d %H:%M:%S")


def _cell(value: object) -> RenderableType:
    from rich.text import Text

    if isinstance(value, Text):
        return value
    return Text("" if value is None else str(value))
