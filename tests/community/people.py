"""Somebody with a wallet, who speaks to the server as a page does."""

from __future__ import annotations

from typing import Any

from offchain.keys.signer import LocalKey, dev_key
from tests.http.fake_relayer import STREAM
from tests.http.rig import HttpRig

COMMUNITY = "/api/v1/community"


class Person:
    """An account with a session."""

    def __init__(self, rig: HttpRig, key: LocalKey, token: str = "") -> None:
        self.rig = rig
        self.key = key
        self.token = token

    @property
    def account(self) -> str:
        return self.key.address

    def sign(self, text: str) -> str:
        return "0x" + self.key.sign(b"<Bytes>" + text.encode() + b"</Bytes>").hex()

    async def challenge(self) -> dict[str, Any]:
        path, body = f"{COMMUNITY}/challenge", {"account": self.account}
        status, _, answer = await self.rig.ask("POST", path, json=body)
        assert status == 200, answer
        return dict(answer)

    async def sign_in(self, device: str = "") -> Person:
        challenge = await self.challenge()
        body = {
            "challenge": challenge["challenge"],
            "signature": self.sign(challenge["message"]),
            "device": device,
        }
        status, _, answer = await self.rig.ask("POST", f"{COMMUNITY}/sessions", json=body)
        assert status == 201, answer
        return Person(self.rig, self.key, answer["token"])

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        """The answer to a request that is to be served."""
        status, _, answer = await self.rig.ask(method, path, headers=self.headers, **options)
        assert status < 300, answer
        return answer

    async def refused(self, method: str, path: str, **options: Any) -> tuple[int, str]:
        """Status and code of one that is to be refused."""
        return await self.rig.refused(method, path, headers=self.headers, **options)


async def signed_in(rig: HttpRig, name: str, device: str = "") -> Person:
    """A development account that has signed in."""
    return await Person(rig, dev_key(name)).sign_in(device)


def give_to(rig: HttpRig, account: str) -> None:
    """Let the ledger say that every stream is theirs."""
    rig.relayer.answers["stream"] = lambda p: {**STREAM, "id": p["stream"], "owner": account}
    rig.relayer.answers["streams"] = lambda _p: {"streams": [{**STREAM, "owner": account}]}


CARD = "/api/v1/streams/{stream}/card"


async def signed_card(person: Person, stream: int, card: dict[str, Any]) -> dict[str, Any]:
    """What keeps a card, signed."""
    prepared = await person.ask("POST", CARD.format(stream=stream), json=card)
    signature = person.sign(prepared["message"])
    return {**prepared["card"], "version": prepared["version"], "signature": signature}


async def describe(person: Person, stream: int, card: dict[str, Any]) -> Any:
    """Say what one's stream is about."""
    body = await signed_card(person, stream, card)
    return await person.ask("PUT", CARD.format(stream=stream), json=body)
