"""`paystream relay drain`: one of several relayers hands over what it holds, and may be stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from offchain.cli import options
from offchain.cli.command import command
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.output import Output

if TYPE_CHECKING:
    from offchain.journal.leasing import Relayers

LOOK_EVERY_S: Final = 0.5
RelayerId = Annotated[
    str | None,
    options.option(
        "--relayer-id",
        "Name of this relayer among several on one journal in PostgreSQL, which share a signer, "
        "too; each needs one of its own.",
        "NAME",
        show_default="none: it is the only one",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(
        app,
        "drain",
        "paystream relay drain one --journal-url-file /etc/paystream/journal-url",
        "paystream relay drain one --timeout 120 --json",
    )(drain)


def drain(
    out: Output,
    *,
    relayer_id: Annotated[
        str, typer.Argument(metavar="RELAYER", help="The relayer's --relayer-id.")
    ],
    timeout: Annotated[
        int,
        options.option("--timeout", "Seconds to wait until it is empty.", "SECONDS", min=1),
    ] = 60,
    journal_url_file: options.JournalUrlFile = None,
) -> None:
    """Let one of several relayers hand its sessions over, and wait until it holds none.

    It takes no viewer any more, until it is started anew; the others take what it gives up within a
    second or two, and nobody's payment pauses. When the command ends with 0, the relayer may be
    stopped.
    """
    from offchain.journal import leasing
    from offchain.journal.opening import attached

    place = options.journal_url(journal_url_file)
    if place is None:
        raise Failure(
            "several relayers share a journal in PostgreSQL: name it with --journal-url-file",
            Exit.USAGE,
            "usage",
        )
    deadline = time.monotonic() + timeout
    with attached(place) as store:
        found = _checked(leasing.drain(store, relayer_id), relayer_id)
        first = found.viewers
        if not out.json_mode:
            out.note(
                f"Relayer {relayer_id} holds {first} viewers; {found.others} others take over."
            )
        while found.viewers:
            if time.monotonic() >= deadline:
                raise Failure(
                    f"relayer {relayer_id} still holds {found.viewers} viewers after {timeout} s: "
                    "run this again, and see its log for what it waits for",
                    Exit.FAILED,
                    "timeout",
                )
            time.sleep(LOOK_EVERY_S)
            found = _checked(leasing.drain(store, relayer_id), relayer_id)
    if out.json_mode:
        out.json({"relayer": relayer_id, "handed_over": first, "others": found.others})
    else:
        out.note(f"Relayer {relayer_id} is empty, and may be stopped.")


def _checked(found: Relayers, name: str) -> Relayers:
    if not found.lives:
        raise Failure(
            f"no relayer named {name!r} is running on this journal: see its --relayer-id",
            Exit.SERVER,
            "relayer-unknown",
        )
    if not found.others:
        raise Failure(
            f"nobody could take over from relayer {name}, so it keeps what it has: start another "
            "relayer on this journal first",
            Exit.SERVER_REFUSED,
            "no-other-relayer",
        )
    return found
