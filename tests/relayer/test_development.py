"""Development accounts: on a development chain alone, and for what was prepared alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import MockClock

from offchain.keys.signer import dev_key, verify
from offchain.relayer import development
from offchain.relayer.development import NotDevelopment
from tests.relayer.fake_chain import account
from tests.relayer.rig import rig

ALICE, BOB = account("Alice"), account("Bob")


class Chain:
    """What a chain says of itself."""

    def __init__(self, kind: str, authors: tuple[str, ...], root: str | None) -> None:
        self.kind, self.authors, self.root = kind, authors, root

    async def chain_type(self) -> str:
        return self.kind

    async def block_authors(self, *, at: str | None = None) -> tuple[str, ...]:
        return self.authors

    async def sudo_key(self) -> str | None:
        return self.root


async def test_a_development_chain_passes() -> None:
    await development.check(Chain("Development", (ALICE,), ALICE))


@pytest.mark.parametrize(
    ("chain", "word"),
    [
        (Chain("Live", (ALICE,), ALICE), "its type is Live"),
        (Chain("Local", (ALICE,), ALICE), "its type is Local"),
        (Chain("Development", (ALICE, BOB), ALICE), "write its blocks"),
        (Chain("Development", (BOB,), ALICE), "write its blocks"),
        (Chain("Development", (), ALICE), "write its blocks"),
        (Chain("Development", (ALICE,), BOB), "root"),
        (Chain("Development", (ALICE,), None), "root"),
    ],
)
async def test_every_other_chain_is_refused(chain: Chain, word: str) -> None:
    with pytest.raises(NotDevelopment, match=word):
        await development.check(chain)


async def test_nobody_is_signed_for_unless_it_is_allowed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        assert "development_accounts" not in await r.result("info")
        asked = await r.ask("development_sign", account=ALICE, kind="raw", data="0x00")
        assert asked.problem is not None
        assert (asked.problem.status, asked.problem.code) == (404, "not-development")


async def test_it_signs_in_and_pays_as_a_wallet_does(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        r.relayer.requests.allow_development_accounts()
        listed = (await r.result("info"))["development_accounts"]
        assert [one["name"] for one in listed][:2] == ["Alice", "Bob"]
        assert listed[0]["address"] == ALICE
        challenge = await r.result("challenge", account=ALICE, purpose="watch")
        text = challenge["message"].encode()
        signed = await r.result(
            "development_sign", account=ALICE, kind="raw", data="0x" + text.hex()
        )
        token = await r.result(
            "token", challenge=challenge["challenge"], signature=signed["signature"]
        )
        r.chain.add_funds("Alice", 0)
        prepared = await r.result(
            "wallet_prepare", token=token["token"], call={"kind": "claim", "stream": 1}
        )
        payload = prepared["payload"]
        given = await r.result("development_sign", account=ALICE, kind="payload", data=payload)
        message = r.relayer.requests._wallet.prepared(ALICE, payload)
        assert message is not None
        signature = bytes.fromhex(given["signature"].removeprefix("0x01"))
        assert verify("sr25519", dev_key("Alice").public_key, message, signature)
        for who, data in ((BOB, payload), (ALICE, payload | {"nonce": "0x99"}), (ALICE, "0x00")):
            refused = await r.ask("development_sign", account=who, kind="payload", data=data)
            assert refused.problem is not None
            assert refused.problem.code == "payload-unknown"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"account": "5Nobody", "kind": "raw", "data": "0x00"}, "not-a-development-account"),
        ({"account": ALICE, "kind": "raw", "data": "hello"}, "data-invalid"),
        ({"account": ALICE, "kind": "raw", "data": {"a": 1}}, "data-invalid"),
        ({"account": ALICE, "kind": "raw", "data": "0x" + "00" * 4097}, "data-too-long"),
        ({"account": ALICE, "kind": "other", "data": "0x00"}, "invalid-params"),
    ],
)
async def test_what_is_not_signed(
    tmp_path: Path, autojump_clock: MockClock, params: dict[str, object], code: str
) -> None:
    async with rig(tmp_path) as r:
        r.relayer.requests.allow_development_accounts()
        refused = await r.ask("development_sign", **params)
        assert refused.problem is not None
        assert refused.problem.code == code


async def test_a_text_cannot_be_a_transaction(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with rig(tmp_path) as r:
        r.relayer.requests.allow_development_accounts()
        given = await r.result("development_sign", account=ALICE, kind="raw", data="0x0400")
        signature = bytes.fromhex(given["signature"][2:])
        public = dev_key("Alice").public_key
        assert not verify("sr25519", public, b"\x04\x00", signature)
        assert verify("sr25519", public, b"<Bytes>\x04\x00</Bytes>", signature)
