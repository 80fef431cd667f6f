"""`paystream journal`: copies, checks and upkeep of the relayer's journal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offchain.cli import options
from offchain.cli.command import command, group
from offchain.cli.exits import Exit
from offchain.cli.output import Output, facts

if TYPE_CHECKING:
    from offchain.journal.upkeep import Checked

DAY_MS = 86_400_000
PROBLEMS_SHOWN = 20

app = group("Copy, check and prune the relayer's journal, and put a copy back.")


@command(app, "backup", "paystream journal backup /var/backups/journal.sqlite")
def backup(
    out: Output,
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy; it must not exist.")],
    journal_url_file: options.JournalUrlFile = None,
    state_dir: options.StateDir = None,
) -> None:
    """Copy the journal as it is at one moment to a file, and check the copy.

    The relayer may run. A journal in a database is copied to such a file, too. Keys are not in it:
    `paystream keys backup` copies them. Exits with 1 if the copy has what cannot be read.
    """
    from offchain.journal import upkeep

    with out.working("Copying"):
        checked = upkeep.backup(options.journal_place(state_dir, journal_url_file), file)
    _tell(out, checked, "A copy of the journal")


@command(
    app,
    "verify",
    "paystream journal verify",
    "paystream journal verify --file /var/backups/journal.sqlite --json",
)
def verify(
    out: Output,
    *,
    file: Annotated[
        Path | None,
        options.option("--file", "A copy to check instead.", "FILE", show_default="the journal"),
    ] = None,
    journal_url_file: options.JournalUrlFile = None,
    state_dir: options.StateDir = None,
) -> None:
    """Read every row of the journal, or of a copy, and say what is wrong.

    The relayer may run. Exits with 1 if something cannot be read.
    """
    from offchain.journal import upkeep

    with out.working("Reading"):
        checked = upkeep.verify(file or options.journal_place(state_dir, journal_url_file))
    _tell(out, checked, "The journal")


@command(app, "restore", "paystream journal restore /var/backups/journal.sqlite")
def restore(
    out: Output,
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy.")],
    journal_url_file: options.JournalUrlFile = None,
    state_dir: options.StateDir = None,
) -> None:
    """Put a copy back where there is no journal: all of it, or nothing.

    The relayer must not run. A copy of a file can go into a database and the other way round. What
    happened since the copy was made comes from the chain, except what no block had yet.
    """
    from offchain.journal import upkeep

    with out.working("Copying"):
        checked = upkeep.restore(file, options.journal_place(state_dir, journal_url_file))
    _tell(out, checked, "The journal")


@command(app, "prune", "paystream journal prune --older-than 400")
def prune(
    out: Output,
    *,
    older_than: Annotated[
        int,
        options.option(
            "--older-than", "Days after which an ended session is dropped.", "DAYS", min=1
        ),
    ] = 365,
    journal_url_file: options.JournalUrlFile = None,
    state_dir: options.StateDir = None,
) -> None:
    """Drop sessions that ended long ago, expired tokens, and rows that are left over.

    The relayer may run. Viewers and creators then no longer see those sessions in their lists; the
    chain keeps what was paid. A file does not shrink: its room is used again.
    """
    from offchain.journal import upkeep

    now_ms = time.time_ns() // 1_000_000
    with out.working("Dropping"):
        pruned = upkeep.prune(
            options.journal_place(state_dir, journal_url_file),
            before_ms=now_ms - older_than * DAY_MS,
            now_ms=now_ms,
        )
    data = {"sessions": pruned.sessions, "tokens": pruned.tokens, "left_over": pruned.left_over}
    if out.json_mode:
        out.json(data)
        return
    rows = [
        ("sessions", pruned.sessions),
        ("expired tokens", pruned.tokens),
        ("left over", pruned.left_over),
    ]
    out.show(facts(rows, "Dropped"))


def _tell(out: Output, checked: Checked, title: str) -> None:
    if out.json_mode:
        data: dict[str, Any] = {
            "place": checked.place,
            "version": checked.version,
            "open": checked.open,
            "rows": checked.rows,
            "problems": checked.problems,
        }
        out.json(data)
    else:
        rows = [("place", checked.place), ("version", checked.version), ("open", checked.open)]
        out.show(facts([*rows, *checked.rows.items()], title))
        for problem in checked.problems[:PROBLEMS_SHOWN]:
            out.warn(problem)
        more = len(checked.problems) - PROBLEMS_SHOWN
        if more > 0:
            out.warn(f"and {more} more: --json lists all of them")
    if checked.problems:
        raise typer.Exit(Exit.FAILED)
