"""Asks `paystream serve` over HTTP, with a token where that needs one.

Each function runs an asyncio loop of its own and ends it, so that a command can use the ledger
client's trio before and after; the two loops never run at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from offchain.cli.exits import Exit
from offchain.cli.failure import Failure

if TYPE_CHECKING:
    from offchain.keys import LocalKey

API: Final = "/api/v1"

Purpose = Literal["watch", "publish"]


class AccountSigner:
    """An account that proves itself to a server by signing a challenge.

    What is signed is wrapped in `<Bytes>`, so that it can never be a transaction, whatever the
    server asks for.
    """

    def __init__(self, key: LocalKey) -> None:
        self._key = key

    @property
    def account(self) -> str:
        """SS58 address."""
        return self._key.address

    def sign(self, message: bytes) -> bytes:
        """Sign a challenge. Raises Failure where it is not about this account."""
        if self.account.encode() not in message:
            raise Failure(
                f"the server asks for a signature over a text that does not name {self.account}: "
                "do not use this server",
                Exit.SERVER_REFUSED,
                "challenge-strange",
            )
        return self._key.sign(b"<Bytes>" + message + b"</Bytes>")

    def __repr__(self) -> str:
        return f"<signer of {self.account}>"


def ask(
    server: str,
    method: str,
    path: str,
    *,
    token: str | None = None,
    body: dict[str, Any] | None = None,
) -> Any:
    """Give the JSON that the server answers. Raises ClientError."""
    import asyncio

    from streaming.clients.rest_client import RestClient

    async def run() -> Any:
        async with RestClient(server) as client:
            _, _, answer = await client.call(method, path, token=token, json=body)
            return answer

    return asyncio.run(run())


def obtain_token(server: str, key: LocalKey, purpose: Purpose, stream: int | None = None) -> str:
    """Prove to the server that `key` is ours. Raises ClientError and Failure."""
    return str(sign_in(server, key, purpose, stream)["token"])


def sign_in(
    server: str, key: LocalKey, purpose: Purpose, stream: int | None = None
) -> dict[str, Any]:
    """Do the same, and give what the server says of the token: `token`, `expires_at_ms`."""
    import asyncio

    from streaming.clients.rest_client import RestClient

    async def run() -> dict[str, Any]:
        async with RestClient(server) as client:
            return await client.sign_in(purpose, AccountSigner(key), stream)

    return asyncio.run(run())
