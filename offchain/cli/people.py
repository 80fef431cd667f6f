"""Whom you follow, where you are signed in, and what is live: the rest of a server's community."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from offchain.cli import options, stream
from offchain.cli.command import command
from offchain.cli.community import Who, called, chat, profile, with_community
from offchain.cli.media import run_until_stopped
from offchain.cli.output import Output, moment, table
from offchain.cli.wallets import Wallets

if TYPE_CHECKING:
    from streaming.clients.community_client import CommunityClient
    from streaming.live_frames import ChatMessage

FOUND_MAX: Final = 100


@command(profile, "follow", "paystream profile follow alice --key viewer")
def follow(
    out: Output,
    wallets: Wallets,
    who: Who,
    *,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Follow somebody."""
    signer = wallets.signer(key)
    told = with_community(server, lambda client: client.follow(who), signer)
    _tell_follow(out, who, told)


@command(profile, "unfollow", "paystream profile unfollow alice --key viewer")
def unfollow(
    out: Output,
    wallets: Wallets,
    who: Who,
    *,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Follow somebody no more."""
    signer = wallets.signer(key)
    told = with_community(server, lambda client: client.follow(who, follows=False), signer)
    _tell_follow(out, who, told)


def _tell_follow(out: Output, who: str, told: dict[str, Any]) -> None:
    if out.json_mode:
        out.json({"who": who, **told})
        return
    verb = "follow" if told["you_follow"] else "do not follow"
    out.note(f"You {verb} {who}, as {told['followers']} do.")


@command(profile, "following", "paystream profile following --key viewer")
def following(
    out: Output,
    wallets: Wallets,
    *,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """List whom you follow."""
    signer = wallets.signer(key)
    found = with_community(server, lambda client: client.follows(), signer)
    if out.json_mode:
        out.json({"account": signer.address, "follows": found})
        return
    rows = [(one["name"], one["handle"] or "-", one["account"]) for one in found]
    out.show(table(("Name", "Handle", "Account"), rows, "You follow nobody."))


@command(
    profile,
    "sessions",
    "paystream profile sessions --key viewer",
    "paystream profile sessions --end 2f6b0c1d --key viewer",
)
def sessions(
    out: Output,
    wallets: Wallets,
    *,
    end: Annotated[
        str | None, options.option("--end", "End this one first, by its id.", "ID")
    ] = None,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """List where your account is signed in; this command is one of them while it runs."""
    signer = wallets.signer(key)

    async def work(client: Any) -> list[dict[str, Any]]:
        if end is not None:
            await client.end_session(end)
        found: list[dict[str, Any]] = await client.sessions()
        return found

    found = with_community(server, work, signer)
    if out.json_mode:
        out.json({"account": signer.address, "sessions": found})
        return
    rows = [(one["id"], one["device"] or "-", moment(one["expires_at_ms"])) for one in found]
    out.show(table(("Id", "Device", "Until"), rows, "It is signed in nowhere."))


@command(stream.app, "undescribe", "paystream stream undescribe 1 --key creator")
def undescribe(
    out: Output,
    wallets: Wallets,
    number: options.StreamId,
    *,
    key: options.Key = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Remove what was said of a stream of your own; `describe` says something anew."""
    signer = wallets.signer(key)
    with_community(server, lambda client: client.remove_card(number), signer)
    if out.json_mode:
        out.json({"stream": number, "removed": True})
    else:
        out.note(f"Nothing is said of stream {number} any more.")


@command(
    stream.app,
    "find",
    "paystream stream find --category tea --server https://live.example",
    'paystream stream find "mad party" --language en --starts-within-s 86400 --json',
)
def find(
    out: Output,
    text: Annotated[
        str,
        typer.Argument(
            metavar="TEXT",
            help="Words in the title, the tags or the owner's name.",
            show_default="any",
        ),
    ] = "",
    *,
    category: Annotated[
        str, options.option("--category", "Among what it is found.", "TEXT", show_default="any")
    ] = "",
    tag: Annotated[str, options.option("--tag", "A word for it.", "WORD", show_default="any")] = "",
    language: Annotated[
        str,
        options.option(
            "--language", "The language that is spoken, such as en.", "TAG", show_default="any"
        ),
    ] = "",
    owner: Annotated[
        str, options.option("--owner", "An account's address.", "ADDRESS", show_default="any")
    ] = "",
    starts_within_s: Annotated[
        int | None,
        options.option(
            "--starts-within-s", "It starts within so many seconds.", "S", min=1, show_default="any"
        ),
    ] = None,
    limit: Annotated[int, options.option("--limit", "At most so many.", "N", min=1)] = FOUND_MAX,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Find streams by what their owners say of them."""
    wanted: dict[str, str | int | None] = {
        "text": text,
        "category": category,
        "tag": tag,
        "language": language,
        "owner": owner,
        "starts_within_s": starts_within_s,
    }

    async def work(client: CommunityClient) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after: int | None = None
        while len(found) < limit:
            page, after = await client.cards(after=after, limit=limit - len(found), **wanted)
            found += [one for one in page if one["card"] is not None]
            if after is None:
                break
        return found

    found = with_community(server, work)
    if out.json_mode:
        out.json({"streams": found})
        return
    rows = [
        (
            one["stream"],
            one["card"]["title"],
            called(one["owner_name"]),
            one["card"]["category"],
            one["card"]["language"],
            " ".join(f"#{tag}" for tag in one["card"]["tags"]),
        )
        for one in found
    ]
    columns = ("Stream>", "Title", "By", "Category", "Language", "Tags")
    out.show(table(columns, rows, "No stream is described so."))


@command(
    chat,
    "listen",
    "paystream chat listen 1",
    "paystream chat listen 1 --seconds 60 --json",
)
def listen(
    out: Output,
    number: options.StreamId,
    *,
    seconds: Annotated[
        float | None,
        options.option(
            "--seconds", "How long; then it ends.", "S", min=0, show_default="until stopped"
        ),
    ] = None,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Print what is said beside a stream as it is said. Ctrl-C ends it.

    With --json each frame of the server is a line, as its /asyncapi.json has it.
    """
    run_until_stopped(_listen(out, server, number, seconds))


async def _listen(out: Output, server: str, number: int, seconds: float | None) -> None:
    import asyncio
    import contextlib

    import msgspec

    from streaming.clients.live_client import LiveClient
    from streaming.clients.rest_client import ClientError
    from streaming.live_frames import Joined, MessageSaid, Refused

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), LiveClient(server) as live:
            await live.join(number)
            async for heard in live:
                if isinstance(heard, Refused):
                    raise ClientError(heard.detail, code=heard.code, status=heard.status)
                if out.json_mode:
                    out.event(msgspec.to_builtins(heard))
                elif isinstance(heard, Joined):
                    for message in heard.messages:
                        out.text(_line(message))
                elif isinstance(heard, MessageSaid):
                    out.text(_line(heard.message))


def _line(message: ChatMessage) -> str:
    author = message.author
    called = author.name or author.handle or author.account
    return f"{moment(message.sent_at_ms)}  {called}: {message.text}"
