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
words = group("Words that a chat refuses, or holds back for a moderator.")
app.add_typer(words, name="filter")
Who = Annotated[str, typer.Argument(metavar="WHO", help="A handle, or an account's address.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="A message's number.")]
Reason = Annotated[str, options.option("--reason", "Why; it is in the log.", "TEXT")]
AllStreams = Annotated[
    int | None,
    options.option("--stream", "Of this stream.", "N", min=0, show_default="all, as the operator"),
]


def moderating(
    server: str, work: Callable[[ModerationClient], Awaitable[T]], key: LocalKey | None = None
) -> T:
    """Run `work`, with a key as a moderator who has signed in. Raises ClientError and Failure."""
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


@command(
    app,
    "ban",
    "paystream community ban 1 bob --reason 'sells coins'",
    "paystream community ban 1 bob --addresses",
)
def ban(
    out: Output,
    wallets: Wallets,
    number: options.StreamId,
    who: Who,
    *,
    reason: Reason = "",
    addresses: Annotated[
        bool,
        options.option("--addresses", "Let nobody speak from where it spoke, either, for 30 days."),
    ] = False,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Let an account not speak beside a stream any more."""
    signer = wallets.signer(key)

    async def work(desk: ModerationClient) -> dict[str, Any]:
        return await desk.mute(number, who, None, reason, addresses=addresses)

    told = moderating(server, work, signer)
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


@command(app, "moderators", "paystream community moderators 1")
def moderators(
    out: Output, number: options.StreamId, *, server: options.Server = options.SERVER_DEFAULT
) -> None:
    """List who moderates a stream's chat beside its owner. Anybody may ask."""
    found = moderating(server, lambda desk: desk.moderators(number))
    if out.json_mode:
        out.json({"stream": number, "moderators": found})
        return
    rows = [(called(one), one["account"]) for one in found]
    out.show(table(("Who", "Account"), rows, "Nobody but the owner moderates."))


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


@command(
    app,
    "settings",
    "paystream community settings 1",
    "paystream community settings 1 --slow-mode 10",
    "paystream community settings 1 --links held --links-days 7",
)
def settings(
    out: Output,
    wallets: Wallets,
    number: options.StreamId,
    *,
    slow_mode: Annotated[
        int | None,
        options.option("--slow-mode", "Seconds between an account's messages.", "SECONDS", min=0),
    ] = None,
    speakers: Annotated[
        str | None, options.option("--speakers", "Who speaks: everybody or followers.", "WHO")
    ] = None,
    links: Annotated[
        str | None,
        options.option("--links", "Links are `held` for a moderator, or `free`.", "HOW"),
    ] = None,
    links_days: Annotated[
        int | None,
        options.option(
            "--links-days",
            "Of accounts that signed in so many days ago they are not held; 0 for nobody's.",
            "DAYS",
            min=0,
        ),
    ] = None,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Set how a stream's chat is, or show it. What no option names stays as it is.

    Without an option of the chat nothing is set, and nobody has to sign in.
    """
    if links not in (None, "held", "free"):
        raise Failure("--links is held or free", Exit.USAGE, "usage")
    given = {
        "slow_mode_s": slow_mode,
        "speakers": speakers,
        "links_held": None if links is None else links == "held",
        "links_days": links_days,
    }
    wanted = {name: value for name, value in given.items() if value is not None}
    if wanted:
        signer = wallets.signer(key)
        kept = moderating(server, lambda desk: desk.set_settings(number, **wanted), signer)
    else:
        kept = moderating(server, lambda desk: desk.settings(number))
    if out.json_mode:
        out.json({"stream": number, "settings": kept})
        return
    out.show(
        facts(
            [
                ("Slow mode", f"{kept['slow_mode_s']} s" if kept["slow_mode_s"] else "off"),
                ("Who speaks", kept["speakers"]),
                ("Links", "held" if kept["links_held"] else "free"),
                ("Links are free after", f"{kept['links_days']} days"),
            ]
        )
    )


# --- reports -------------------------------------------------------------------------------

Message = Annotated[
    int | None,
    options.option("--message", "A message's number.", "N", min=1, show_default="none"),
]
Account = Annotated[str, options.option("--who", "A handle, or an account's address.", "WHO")]


@command(
    app,
    "report",
    "paystream community report 1 spam --message 17",
    "paystream community report 1 harassment --who bob --text 'all evening'",
)
def report(
    out: Output,
    wallets: Wallets,
    number: options.StreamId,
    why: Annotated[
        str,
        typer.Argument(
            metavar="WHY", help="spam, harassment, hate, sexual, violence, danger or other."
        ),
    ],
    *,
    message: Message = None,
    who: Account = "",
    text: Annotated[str, options.option("--text", "More about it.", "TEXT")] = "",
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Report a message or an account to who moderates."""
    _refuse_but_one(message, who)
    signer = wallets.signer(key)

    async def work(client: CommunityClient) -> int:
        return await client.report(number, why, message=message, who=who, text=text)

    made = with_community(server, work, signer)
    _tell(out, number, {"number": made}, "Reported; `paystream community reports` has the answer.")


@command(app, "reports", "paystream community reports --key viewer")
def own_reports(
    out: Output,
    wallets: Wallets,
    *,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """List what you have reported, with the answers."""
    found = with_community(server, lambda client: client.reports(), wallets.signer(key))
    if out.json_mode:
        out.json({"reports": found})
        return
    rows = [
        (
            moment(one["made_at_ms"]),
            one["stream"],
            called(one["account"]),
            one["message"],
            one["reason"],
            one["answer"] or "waits",
        )
        for one in found
    ]
    headings = ("When|", "Stream>", "Whom", "Message>", "Why|", "Answer|")
    out.show(table(headings, rows, "You have reported nothing."))


@command(
    app,
    "queue",
    "paystream community queue --stream 1",
    "paystream community queue --key operator --json",
)
def queue(
    out: Output,
    wallets: Wallets,
    *,
    stream: AllStreams = None,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """List what is reported and what is held, the longest waiting first."""
    found = moderating(server, lambda desk: desk.queue(stream), wallets.signer(key))
    if out.json_mode:
        out.json(found)
        return
    rows = [
        (
            one["stream"],
            f"message {one['message']['number']}" if one["message"] else "account",
            called(one["account"]),
            one["message"]["text"] if one["message"] else "",
            f"{one['count']} × {', '.join(sorted({each['reason'] for each in one['reports']}))}",
        )
        for one in found["reports"]
    ]
    rows += [
        (one["stream"], f"held {one['number']}", called(one["author"]), one["text"], one["why"])
        for one in found["held"]
    ]
    out.show(table(("Stream>", "What|", "Whose", "Text", "Why"), rows, "Nothing waits."))


@command(
    app,
    "answer",
    "paystream community answer 1 delete --message 17 --reason 'an advert'",
    "paystream community answer 1 time-out --who bob --seconds 600",
)
def answer(
    out: Output,
    wallets: Wallets,
    number: options.StreamId,
    what: Annotated[
        str, typer.Argument(metavar="ANSWER", help="dismiss, delete, time-out or ban.")
    ],
    *,
    message: Message = None,
    who: Account = "",
    seconds: Annotated[
        int | None,
        options.option("--seconds", "Of a time-out.", "SECONDS", min=1, show_default="none"),
    ] = None,
    reason: Reason = "",
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Do something about what is reported; it closes every report of it."""
    _refuse_but_one(message, who)

    async def work(desk: ModerationClient) -> dict[str, Any]:
        return await desk.answer(
            number, what, message=message, who=who, seconds=seconds, reason=reason
        )

    told = moderating(server, work, wallets.signer(key))
    _tell(out, number, told, f"{told['closed']} reports are closed.")


def _refuse_but_one(message: int | None, who: str) -> None:
    if (message is None) == (not who):
        raise Failure("give one of --message and --who", Exit.USAGE, "usage")


# --- words, and what waits -----------------------------------------------------------------


@command(
    words,
    "add",
    "paystream community filter add coin --stream 1",
    "paystream community filter add coin --refuse --key operator",
)
def add_filter(
    out: Output,
    wallets: Wallets,
    pattern: Annotated[str, typer.Argument(metavar="WORDS", help="A word, or some.")],
    *,
    stream: AllStreams = None,
    refuse: Annotated[
        bool, options.option("--refuse", "Refuse what has them, and do not hold it.")
    ] = False,
    within_words: Annotated[
        bool, options.option("--within-words", "Look inside of other words, too.")
    ] = False,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Hold back what has some words, or refuse it, however they are written."""
    action = "refuse" if refuse else "hold"

    async def work(desk: ModerationClient) -> int:
        return await desk.add_filter(stream, pattern, action, within_words=within_words)

    number = moderating(server, work, wallets.signer(key))
    if out.json_mode:
        out.json({"stream": stream, "number": number, "pattern": pattern, "action": action})
    else:
        out.note(f"Filter {number} is there.")


@command(words, "list", "paystream community filter list --stream 1")
def list_filters(
    out: Output,
    wallets: Wallets,
    *,
    stream: AllStreams = None,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """List the words that are looked for."""
    found = moderating(server, lambda desk: desk.filters(stream), wallets.signer(key))
    if out.json_mode:
        out.json({"stream": stream, "filters": found})
        return
    rows = [
        (one["number"], one["pattern"], one["action"], "yes" if one["within_words"] else "")
        for one in found
    ]
    out.show(table(("No.>", "Words", "What is done|", "Within words"), rows, "No filter."))


@command(words, "remove", "paystream community filter remove 4203 --stream 1")
def remove_filter(
    out: Output,
    wallets: Wallets,
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=0, help="The filter's number.")],
    *,
    stream: AllStreams = None,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Look for some words no more."""
    moderating(server, lambda desk: desk.remove_filter(stream, number), wallets.signer(key))
    if out.json_mode:
        out.json({"stream": stream, "number": number, "removed": True})
    else:
        out.note(f"Filter {number} is removed.")


@command(app, "held", "paystream community held 1")
def list_held(
    out: Output,
    wallets: Wallets,
    number: options.StreamId,
    *,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """List messages that wait for a moderator, the oldest first."""
    found = moderating(server, lambda desk: desk.held(number), wallets.signer(key))
    if out.json_mode:
        out.json({"stream": number, "held": found})
        return
    rows = [
        (
            one["number"],
            moment(one["held_at_ms"]),
            called(one["author"]),
            one["text"],
            one["pattern"] or one["why"],
        )
        for one in found
    ]
    out.show(table(("No.>", "When|", "Who", "What", "Why"), rows, "Nothing waits."))


@command(
    app,
    "release",
    "paystream community release 1 4203",
    "paystream community release 1 4203 --reject --reason 'an advert'",
)
def release(
    out: Output,
    wallets: Wallets,
    number: options.StreamId,
    message: Annotated[
        int, typer.Argument(metavar="NUMBER", min=0, help="The number among those that wait.")
    ],
    *,
    reject: Annotated[bool, options.option("--reject", "Let it never be said.")] = False,
    reason: Reason = "",
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Let a message that waits be said now, or never."""

    async def work(desk: ModerationClient) -> dict[str, Any]:
        if reject:
            await desk.reject(number, message, reason)
            return {"rejected": True}
        return await desk.release(number, message)

    told = moderating(server, work, wallets.signer(key))
    text = "It is not said." if reject else f"Said, as message {told['number']}."
    _tell(out, number, told, text)


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
