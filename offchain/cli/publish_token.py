"""`paystream stream token`: what OBS, ffmpeg and other programs need to publish a stream."""

from __future__ import annotations

from typing import Annotated

from offchain.cli import options
from offchain.cli.command import command
from offchain.cli.output import Output, facts, moment
from offchain.cli.rest import sign_in
from offchain.cli.stream import app
from offchain.cli.wallets import Wallets


@command(
    app,
    "token",
    "paystream stream token 1 --key creator --server https://live.example",
    "paystream stream token 1 --key creator --bare > token",
)
def token(
    out: Output,
    wallets: Wallets,
    stream: options.StreamId,
    *,
    key: options.Key = None,
    bare: Annotated[
        bool, options.option("--bare", "Print the token and nothing else, for programs.")
    ] = False,
    server: options.Server = options.SERVER_DEFAULT,
) -> None:
    """Sign in as a stream's owner, and print where and with which token to publish it.

    The token goes to standard output and nowhere else. Whoever has it can publish the stream until
    it ends, and can neither watch nor move money.
    """
    signer = wallets.signer(key)
    issued = sign_in(server, signer, "publish", stream)
    url = f"{server.rstrip('/')}/whip/{stream}"
    if out.json_mode:
        out.json(
            {
                "stream": stream,
                "account": signer.address,
                "url": url,
                "token": issued["token"],
                "expires_at_ms": issued["expires_at_ms"],
            }
        )
    elif bare:
        out.text(issued["token"])
    else:
        ends = moment(issued["expires_at_ms"])
        out.show(facts([("URL", url), ("Bearer token", issued["token"]), ("Ends", ends)]))
        out.note("OBS: service WHIP, with both. ffmpeg: -f whip -authorization TOKEN URL")
