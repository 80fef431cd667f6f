"""`paystream community`: what moderators and operators do beside streams, and the log of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from offchain.cli import options
from offchain.cli.command import command, group
from offchain.cli.community import called, with_community
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.output import Output, facts, moment, table
from offchain.cli.wallets import Wallets

if TYPE_CHECKING:
    from offchain.keys import LocalKey
    from streaming.clients.community_client import CommunityClient
    from streaming.clients.moderation_client import ModerationClient

T = TypeVar("T")

app = group("Moderate what is said beside a stream, or, as the operator, beside all.")
audit = group("The log of what moderators did, which cannot be edited.")
app.add_typer(audit, name="audit")
Who = Annotated[str, typer.Argument(metavar="WHO", help="A handle, or an account's address.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="A message's number.")]
Reason = Annotated[str, options.option("--reason", "Why; it is in the log.", "TEXT")]
AllStreams = Annotated[
    int | None,
    options.option("--stream", "Of this stream.", "N", min=0, show_default="all, as the operator"),
]


def moderating(server: str, work: Callable[[ModerationClient], Awaitable[T]], key: LocalKey) -> T:
    """Run `work` as a moderator who has signed in. Raises ClientError and Failure."""
    from streaming.clients.moderation_client import ModerationClient

    async def run(client: CommunityClient) -> T:
        return await work(ModerationClient(client))

    return with_community(server, run, key)


# --- people --------------------------------------------------------------------------------


@command(app, "time-out", "paystream community time-out 1 bob --seconds 600 --reason spam")
def time_out(
    out: Output,
    wallets: Wallets,
    number: options.StreamId,
    who: Who,
    *,
    seconds: Annotated[int, options.option("--seconds", "For how long.", "SECONDS", min=1)] = 600,
    reason: Reason = "",
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Let an account not speak beside a stream for a while."""
    signer = wallets.signer(key)
    told = moderating(server, lambda desk: desk.mute(number, who, seconds, reason), signer)
    _tell(out, number, told, f"{told['account']} may speak again at {moment(told['until_ms'])}.")


@command(app, "ban", "paystream community ban 1 bob --reason 'sells coins'")
def ban(
    out: Output,
    wallets: Wallets,
    number: options.StreamId,
    who: Who,
    *,
    reason: Reason = "",
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Let an account not speak beside a stream any more."""
    signer = wallets.signer(key)
    told = moderating(server, lambda desk: desk.mute(number, who, None, reason), signer)
    _tell(out, number, told, f"{told['account']} may not speak any more.")


@command(app, "let-speak", "paystream community let-speak 1 bob")
def let_speak(
    out: Output,
    wallets: Wallets,
    number: options.StreamId,
    who: Who,
    *,
    reason: Reason = "",
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """End an account's time-out or ban."""
    signer = wallets.signer(key)
    told = moderating(server, lambda desk: desk.unmute(number, who, reason), signer)
    _tell(out, number, told, f"{told['account']} may speak.")


@command(app, "mutes", "paystream community mutes 1")
def mutes(
    out: Output,
    wallets: Wallets,
    number: options.StreamId,
    *,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """List who may not speak beside a stream."""
    found = moderating(server, lambda desk: desk.mutes(number), wallets.signer(key))
    if out.json_mode:
        out.json({"stream": number, "mutes": found})
        return
    rows = [(called(one), one["account"], _until(one["until_ms"])) for one in found]
    out.show(table(("Who", "Account", "Until|"), rows, "Everybody may speak."))


@command(
    app,
    "moderator",
    "paystream community moderator 1 bob",
    "paystream community moderator 1 bob --dismiss",
)
def moderator(
    out: Output,
    wallets: Wallets,
    number: options.StreamId,
    who: Who,
    *,
    dismiss: Annotated[bool, options.option("--dismiss", "Let them moderate no more.")] = False,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Name a moderator of your stream, or dismiss one."""

    async def work(desk: ModerationClient) -> dict[str, Any]:
        return await desk.name_moderator(number, who, moderates=not dismiss)

    told = moderating(server, work, wallets.signer(key))
    does = "moderates no more" if dismiss else "moderates"
    _tell(out, number, told, f"{told['account']} {does}.")


# --- messages ------------------------------------------------------------------------------


@command(app, "delete", "paystream community delete 1 17 --reason 'an advert'")
def delete(
    out: Output,
    wallets: Wallets,
    number: options.StreamId,
    message: Number,
    *,
    reason: Reason = "",
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Delete what somebody said."""
    moderating(server, lambda desk: desk.delete(number, message, reason), wallets.signer(key))
    _tell(out, number, {"message": message, "deleted": True}, f"Message {message} is deleted.")


# --- the log -------------------------------------------------------------------------------


@command(
    audit,
    "list",
    "paystream community audit list --stream 1 --key creator",
    "paystream community audit list --key operator --json",
)
def list_acts(
    out: Output,
    wallets: Wallets,
    *,
    stream: AllStreams = None,
    before: Annotated[
        int | None,
        options.option("--before", "Those before this number.", "N", min=1, show_default="latest"),
    ] = None,
    limit: Annotated[int, options.option("--limit", "How many.", "N", min=1, max=200)] = 50,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """List what moderators did, the latest first: by whom, on whom, when and why."""

    async def work(desk: ModerationClient) -> list[dict[str, Any]]:
        return await desk.acts(stream, before=before, limit=limit)

    found = moderating(server, work, wallets.signer(key))
    if out.json_mode:
        out.json({"stream": stream, "acts": found})
        return
    rows = [
        (
            one["number"],
            moment(one["at_ms"]),
            _somebody(one["actor"]),
            one["act"],
            _somebody(one["subject"]),
            one["reason"],
        )
        for one in found
    ]
    headings = ("No.>", "When|", "Who", "What|", "Whom", "Why")
    out.show(table(headings, rows, "No moderator has done anything."))


@command(
    audit,
    "verify",
    "paystream community audit verify --database community.sqlite",
    "paystream community audit verify --url-file url --head 17:0f3a...",
)
def verify(
    out: Output,
    *,
    database: Annotated[
        Path | None, options.option("--database", "The community's file (SQLite).", "PATH")
    ] = None,
    url_file: Annotated[
        Path | None,
        options.option(
            "--url-file", "File with the URL of its PostgreSQL database instead.", "FILE"
        ),
    ] = None,
    noted: Annotated[
        str | None,
        options.option("--head", "A head that an earlier check printed.", "NUMBER:DIGEST"),
    ] = None,
) -> None:
    """Check on the server's machine that no entry was altered or taken out, also while it runs.

    Prints the head: note it elsewhere, and give it the next time, since whoever owns the database
    could write the whole log anew. Ends with 1 where something is wrong.
    """
    from streaming.cli import verify_acts

    if (database is None) == (url_file is None):
        raise Failure("give one of --database and --url-file", Exit.USAGE, "usage")
    found = verify_acts(database, url_file, noted)
    if found.faults:
        raise Failure(
            f"the log is not what was written: {'; '.join(found.faults)}. Restore the database "
            "from a backup whose log is whole, and ask who could write to it",
            Exit.FAILED,
            "audit-broken",
        )
    if out.json_mode:
        out.json({"ok": True, "entries": found.entries, "head": found.head})
    else:
        out.show(facts([("Entries", found.entries), ("Head", found.head)]))


def _somebody(person: dict[str, Any] | None) -> str:
    if person is None:
        return ""
    return called(person) if person["account"] else f"{person['pseudonym']} (gone)"


def _until(until_ms: int | None) -> str:
    return "for good" if until_ms is None else moment(until_ms)


def _tell(out: Output, stream: int, told: dict[str, Any], text: str) -> None:
    if out.json_mode:
        out.json({"stream": stream, **told})
    else:
        out.note(text)
