"""`paystream relay drain`: one of several relayers hands over what it holds, and may be stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from offchain.cli import options
from offchain.cli.command import command
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.output import Output

if TYPE_CHECKING:
    from offchain.journal.leasing import Relayers
    from offchain.journal.store import Store

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

    It takes no viewer any more, on none of its chains, until it is started anew; the others take
    what it gives up within a second or two, and nobody's payment pauses. When the command ends with
    0, the relayer may be stopped.
    """
    place = options.journal_url(journal_url_file)
    if place is None:
        raise Failure(
            "several relayers share a journal in PostgreSQL: name it with --journal-url-file",
            Exit.USAGE,
            "usage",
        )
    deadline = time.monotonic() + timeout
    with _journals_of(place, relayer_id) as stores:
        found = _drained(stores, relayer_id)
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
            found = _drained(stores, relayer_id)
    if out.json_mode:
        out.json({"relayer": relayer_id, "handed_over": first, "others": found.others})
    else:
        out.note(f"Relayer {relayer_id} is empty, and may be stopped.")


@contextmanager
def _journals_of(place: str, name: str) -> Iterator[list[Store]]:
    """Open the journals in which a relayer lives: it may follow several chains.

    Raises Failure where it lives in none, or nobody could take over in one of them.
    """
    from offchain.journal import chains_in, leasing, url_of_chain
    from offchain.journal.opening import attached

    with ExitStack() as stack:
        places = [url_of_chain(place, chain) for chain in chains_in(place)]
        stores = [stack.enter_context(attached(each)) for each in places]
        own = [store for store in stores if leasing.look_for(store, name).lives]
        for store in own or stores[:1]:
            _checked(leasing.look_for(store, name), name)
        yield own


def _drained(stores: Sequence[Store], name: str) -> Relayers:
    """Let a relayer give up what it holds in each journal, and sum it up: `others` is the least."""
    from offchain.journal import leasing

    found = [_checked(leasing.drain(store, name), name) for store in stores]
    return leasing.Relayers(
        lives=sum(each.lives for each in found),
        viewers=sum(each.viewers for each in found),
        others=min(each.others for each in found),
    )


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
