"""`paystream profile`, `paystream chat`, and what a stream is about: the community of a server.

Each command signs in with the wallet's key, does one thing and signs out again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from offchain.cli import options, stream
from offchain.cli.command import command, group
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.output import Output, Row, facts, moment, table
from offchain.cli.wallets import Wallets

if TYPE_CHECKING:
    from offchain.keys import LocalKey
    from streaming.clients.community_client import CommunityClient

T = TypeVar("T")

profile = group("Who you are in a server's community, and what it keeps of you.")
chat = group("What is said beside a stream.")
DEVICE = "the paystream command"
Who = Annotated[str, typer.Argument(metavar="WHO", help="A handle, or an account's address.")]
_NO_PROFILE = 404


def with_community(
    server: str, work: Callable[[CommunityClient], Awaitable[T]], key: LocalKey | None = None
) -> T:
    """Run `work` with a client, signed in where there is a key. Raises ClientError and Failure."""
    import asyncio

    from offchain.cli.rest import AccountSigner
    from streaming.clients.community_client import CommunityClient
    from streaming.clients.rest_client import RestClient

    async def run() -> T:
        async with RestClient(server) as rest:
            client = CommunityClient(rest)
            if key is None:
                return await work(client)
            await client.sign_in(AccountSigner(key), DEVICE)
            try:
                return await work(client)
            finally:
                if client.token is not None:
                    await client.sign_out()

    return asyncio.run(run())


# --- profiles ------------------------------------------------------------------------------


@command(profile, "show", "paystream profile show alice --server https://live.example")
def show_profile(out: Output, who: Who, *, server: options.Server = options.SERVER_DEFAULT) -> None:
    """Show somebody's profile."""
    _tell_profile(out, with_community(server, lambda client: client.profile(who)))


@command(profile, "set", 'paystream profile set --name "Alice" --handle alice --key creator')
def set_profile(
    out: Output,
    wallets: Wallets,
    *,
    name: Annotated[str | None, options.option("--name", "What you are called.", "TEXT")] = None,
    handle: Annotated[
        str | None,
        options.option("--handle", "A name that nobody else has; empty for none.", "HANDLE"),
    ] = None,
    about: Annotated[
        str | None, options.option("--about", "A few words about yourself.", "TEXT")
    ] = None,
    language: Annotated[
        list[str] | None,
        options.option("--language", "A language that you speak, such as en; repeatable.", "TAG"),
    ] = None,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Change your profile. What no option names stays as it is."""
    from streaming.clients.rest_client import ClientError

    signer = wallets.signer(key)
    given = {"name": name, "handle": handle, "about": about, "languages": language}

    async def work(client: CommunityClient) -> dict[str, Any]:
        try:
            kept = await client.profile(signer.address)
        except ClientError as error:
            if error.status != _NO_PROFILE:
                raise
            kept = {}
        names = ("name", "handle", "about", "links", "languages")
        before = {each: kept[each] for each in names if each in kept}
        changed = {each: value for each, value in given.items() if value is not None}
        return await client.keep_profile(before | changed)

    _tell_profile(out, with_community(server, work, signer))


@command(profile, "export", "paystream profile export --key creator > me.json")
def export_profile(
    out: Output,
    wallets: Wallets,
    *,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Print everything that a server keeps of your account, as one JSON object."""
    signer = wallets.signer(key)
    out.json(with_community(server, lambda client: client.export(), signer))


@command(profile, "delete", "paystream profile delete --key creator --yes")
def delete_profile(
    out: Output,
    wallets: Wallets,
    *,
    yes: Annotated[bool, options.option("--yes", "Do not ask for confirmation.")] = False,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Delete your account in a server's community with everything about it, for good.

    The chain has nothing to do with it: vault, grants and streams stay as they are.
    """
    signer = wallets.signer(key)
    if not yes:
        typer.confirm(f"Delete all that {server} keeps of {signer.address}?", abort=True, err=True)
    with_community(server, lambda client: client.delete_account(), signer)
    if out.json_mode:
        out.json({"account": signer.address, "deleted": True})
    else:
        out.note(f"{server} keeps nothing of {signer.address} any more.")


def _tell_profile(out: Output, told: dict[str, Any]) -> None:
    if out.json_mode:
        out.json(told)
        return
    rows: list[Row] = [
        ("Account", told["account"]),
        ("Name", told["name"]),
        ("Handle", f"@{told['handle']}" if told["handle"] else "-"),
        ("About", told["about"]),
        *((link["label"], link["url"]) for link in told["links"]),
        ("Languages", ", ".join(told["languages"])),
        ("Followers", told["followers"]),
    ]
    out.show(facts(rows))


# --- what a stream is about ----------------------------------------------------------------


@command(
    stream.app,
    "describe",
    'paystream stream describe 1 --title "A tea party" --tag tea --key creator',
    'paystream stream describe 1 --title "A tea party" --description-file tea.md --key creator',
)
def describe(
    out: Output,
    wallets: Wallets,
    number: options.StreamId,
    *,
    title: Annotated[str, options.option("--title", "What it is called.", "TEXT")],
    description_file: Annotated[
        Path | None,
        options.option("--description-file", "File with its description, in Markdown.", "FILE"),
    ] = None,
    category: Annotated[str, options.option("--category", "Among what it is found.", "TEXT")] = "",
    tag: Annotated[
        list[str] | None, options.option("--tag", "A word for it; repeatable.", "WORD")
    ] = None,
    language: Annotated[
        str, options.option("--language", "The language that is spoken, such as en.", "TAG")
    ] = "",
    age_min: Annotated[
        int, options.option("--age-min", "For whom it is: 0 (all), 12, 16 or 18.", "YEARS", min=0)
    ] = 0,
    starts_at: Annotated[
        list[str] | None,
        options.option(
            "--starts-at",
            "When you begin, such as 2030-05-01T20:00+02:00, or that=what; repeatable.",
            "TIME[=TEXT]",
        ),
    ] = None,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Say what a stream is about. Its owner's key signs it; it moves no money and costs nothing.

    All of it is said anew: what no option names is empty then.
    """
    from offchain.cli.rest import AccountSigner

    signer = wallets.signer(key)
    card = {
        "title": title,
        "description": "" if description_file is None else _text_in(description_file),
        "category": category,
        "tags": tag or [],
        "language": language,
        "age_min": age_min,
        "schedule": [_start_in(each) for each in starts_at or []],
    }

    async def work(client: CommunityClient) -> dict[str, Any]:
        return await client.describe(number, card, AccountSigner(signer))

    _tell_card(out, with_community(server, work))


@command(stream.app, "about", "paystream stream about 1 --server https://live.example")
def about(
    out: Output, number: options.StreamId, *, server: options.Server = options.SERVER_DEFAULT
) -> None:
    """Show what a stream is about, as its owner has signed it."""
    _tell_card(out, with_community(server, lambda client: client.card(number)))


def _start_in(text: str) -> dict[str, Any]:
    from datetime import datetime

    at, _, title = text.partition("=")
    try:
        moment_at = datetime.fromisoformat(at.strip())
    except ValueError:
        moment_at = None
    if moment_at is None or moment_at.tzinfo is None:
        raise Failure(
            f"--starts-at {at[:40]!r} is no time with its zone: write 2030-05-01T20:00+02:00, or "
            "2030-05-01T18:00Z",
            Exit.USAGE,
            "time-invalid",
        )
    return {"starts_at_ms": int(moment_at.timestamp() * 1_000), "title": title}


def _text_in(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Failure(
            f"{file} cannot be read ({why}): give --description-file a text in Markdown",
            Exit.USAGE,
            "file-unreadable",
        ) from None


def _tell_card(out: Output, told: dict[str, Any]) -> None:
    if out.json_mode:
        out.json(told)
        return
    card = told["card"]
    rows: list[Row] = [
        ("Title", card["title"]),
        ("By", told["owner"]["name"] or told["owner"]["account"]),
        ("Category", card["category"]),
        ("Tags", " ".join(f"#{each}" for each in card["tags"])),
        ("Language", card["language"]),
        ("From", f"{card['age_min']} years" if card["age_min"] else "any age"),
        *((moment(each["starts_at_ms"]), each["title"]) for each in card["schedule"]),
        ("Signed", moment(told["proof"]["version"])),
    ]
    out.show(facts(rows))
    if card["description"]:
        out.text(card["description"])


# --- chat ----------------------------------------------------------------------------------


@command(
    chat,
    "read",
    "paystream chat read 1",
    "paystream chat read 1 --after 120 --json",
)
def read(
    out: Output,
    number: options.StreamId,
    *,
    after: Annotated[
        int | None,
        options.option(
            "--after",
            "Those after this number, the first 200.",
            "N",
            min=0,
            show_default="the latest 200",
        ),
    ] = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Print what was said beside a stream."""
    found = with_community(server, lambda client: client.messages(number, after=after))
    if out.json_mode:
        out.json({"stream": number, "messages": found})
        return
    rows = [
        (each["number"], moment(each["sent_at_ms"]), called(each["author"]), each["text"])
        for each in found
        if not each["deleted"]
    ]
    out.show(table(("No.>", "When|", "Who", "What"), rows, "Nobody has said anything."))


@command(chat, "say", 'paystream chat say 1 "Hello everybody" --key viewer')
def say(
    out: Output,
    wallets: Wallets,
    number: options.StreamId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to say, in one line.")],
    *,
    reply_to: Annotated[
        int | None,
        options.option(
            "--reply-to", "The message that it answers.", "N", min=1, show_default="none"
        ),
    ] = None,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Say something beside a stream."""
    signer = wallets.signer(key)

    async def work(client: CommunityClient) -> dict[str, Any]:
        return await client.say(number, text, reply_to=reply_to)

    said = with_community(server, work, signer)
    if out.json_mode:
        out.json({"stream": number, **said})
    else:
        waits = "It waits for a moderator."
        out.note(waits if said.get("held") else f"Said, as message {said['number']}.")


def called(author: dict[str, Any]) -> str:
    """What to call somebody."""
    return str(author["name"] or author["handle"] or author["account"])
