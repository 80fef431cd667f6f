"""Who is admitted, on which terms, into which slot; and what a viewer's wallet is asked to sign."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from offchain.keys.signer import dev_key
from offchain.ledger.errors import NodeUnreachable, TransactionRefused
from offchain.ledger.extrinsics import ERA_BLOCKS
from offchain.ledger.orders import Open
from offchain.relayer import admission
from streaming import payment_auth
from streaming.http import whep_payment
from tests.relayer.fake_chain import BASE_MS, UNIT, account, sign_text
from tests.relayer.rig import RATE, Rig, Watching, rig


async def problem(r: Rig, method: str, **params: Any) -> Any:
    response = await r.ask(method, **params)
    assert response.problem is not None, response.result
    return response.problem


async def missing(r: Rig, token: str) -> list[str]:
    refused = await problem(r, "admit", token=token, stream=1)
    assert (refused.status, refused.code) == (402, "payment-required")
    assert refused.terms is not None
    assert not refused.terms["payable"]
    return list(refused.terms["missing"])


# --- signing in ----------------------------------------------------------------------------


async def test_the_challenge_names_what_is_signed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        challenge = await r.result("challenge", account=account("Alice"), purpose="watch")
        text = challenge["message"]
        for part in ("https://live.example", account("Alice"), challenge["delegate"],
                     r.chain.genesis_hash, "Nonce: "):  # fmt: skip
            assert part in text
        again = await r.result("challenge", account=account("Alice"), purpose="watch")
        assert again["delegate"] == challenge["delegate"]
        assert again["message"] != text


async def test_signatures_raw_wrapped_and_with_their_scheme_are_taken(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        key = dev_key("Alice")
        for form in ("raw", "wrapped", "tagged"):
            asked = await r.result("challenge", account=account("Alice"), purpose="watch")
            text = asked["message"]
            signature = {
                "raw": "0x" + key.sign(text.encode()).hex(),
                "wrapped": sign_text(key, text),
                "tagged": "0x01" + sign_text(key, text)[2:],
            }[form]
            signed = await r.result("token", challenge=asked["challenge"], signature=signature)
            assert signed["account"] == account("Alice")
            assert signed["token"].startswith("psw_")


@pytest.mark.parametrize("signature", ["", "0x", "zz", "0x" + "00" * 64, "0x" + "00" * 65])
async def test_bad_signatures_are_refused(
    tmp_path: Path, autojump_clock: MockClock, signature: str
) -> None:
    async with rig(tmp_path) as r:
        asked = await r.result("challenge", account=account("Alice"), purpose="watch")
        refused = await problem(r, "token", challenge=asked["challenge"], signature=signature)
        assert (refused.status, refused.code) == (401, "signature-invalid")
        other = sign_text(dev_key("Bob"), asked["message"])
        refused = await problem(r, "token", challenge=asked["challenge"], signature=other)
        assert refused.code == "signature-invalid"


async def test_a_challenge_is_good_for_one_token_and_five_minutes(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        asked = await r.result("challenge", account=account("Alice"), purpose="watch")
        signature = sign_text(dev_key("Alice"), asked["message"])
        await r.result("token", challenge=asked["challenge"], signature=signature)
        refused = await problem(r, "token", challenge=asked["challenge"], signature=signature)
        assert refused.code == "challenge-used"
        asked = await r.result("challenge", account=account("Alice"), purpose="watch")
        await trio.sleep(342)
        signature = sign_text(dev_key("Alice"), asked["message"])
        refused = await problem(r, "token", challenge=asked["challenge"], signature=signature)
        assert refused.code == "challenge-expired"
        assert "42 s too late" in refused.detail


async def test_strangers_push_out_nobodys_challenge(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        asked = await r.result("challenge", account=account("Alice"), purpose="watch")
        for _ in range(50):
            await r.result("challenge", account=account("Alice"), purpose="watch")
        for n in range(5_000):
            raw = n.to_bytes(32, "little")
            r.relayer.requests._tokens.challenge(
                purpose="watch", account="0x" + raw.hex(), origin="o", stream=None,
                delegate="0x", now_ms=BASE_MS,
            )  # fmt: skip
        signature = sign_text(dev_key("Alice"), asked["message"])
        assert await r.result("token", challenge=asked["challenge"], signature=signature)


@pytest.mark.parametrize("spoil", [0, 5, 31, 32, 60, -1])
async def test_a_challenge_cannot_be_made_elsewhere(
    tmp_path: Path, autojump_clock: MockClock, spoil: int
) -> None:
    async with rig(tmp_path) as r:
        asked = await r.result("challenge", account=account("Alice"), purpose="watch")
        signature = sign_text(dev_key("Alice"), asked["message"])
        raw = bytearray(base64.urlsafe_b64decode(asked["challenge"]))
        raw[spoil] ^= 1
        bent = base64.urlsafe_b64encode(raw).decode()
        refused = await problem(r, "token", challenge=bent, signature=signature)
        assert refused.code == "challenge-unknown"
        await r.crash()
        await r.start()
        refused = await problem(r, "token", challenge=asked["challenge"], signature=signature)
        assert refused.code == "challenge-unknown"


async def test_what_is_not_taken_is_told_the_way_out(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        asked = await r.result("challenge", account=account("Alice"), purpose="watch")
        for signature in ("0x02" + "5a" * 64, "5a" * 65):
            refused = await problem(r, "token", challenge=asked["challenge"], signature=signature)
            assert "ECDSA" in refused.detail
            assert "sr25519 or ed25519" in refused.detail
        altered = sign_text(dev_key("Alice"), asked["message"].replace("\n", "\r\n"))
        refused = await problem(r, "token", challenge=asked["challenge"], signature=altered)
        assert "sign the message as it is" in refused.detail
        refused = await problem(r, "challenge", account="0x" + "ab" * 20, purpose="watch")
        assert "Ethereum" in refused.detail


async def test_asking_whether_a_token_may_watch_changes_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer("Bob")
        before = r.relayer.core.journal.commits
        assert await r.result("watch", token=token, stream=1) == {"stream": 1}
        assert r.relayer.core.journal.commits == before
        assert (await r.result("sessions", token=token))["sessions"] == []
        for params, expected in (
            ({"token": "psw_no", "stream": 1}, (401, "token-invalid")),
            ({"token": token, "stream": 404}, (404, "stream-not-found")),
            ({"token": await r.token("Bob", "publish", 1), "stream": 1}, (403, "wrong-purpose")),
        ):
            refused = await problem(r, "watch", **params)
            assert (refused.status, refused.code) == expected


async def test_watch_and_publish_tokens_are_never_confused(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        watch = await r.ready_viewer("Bob")
        publish = await r.token("Bob", "publish", 1)
        assert publish.startswith("psp_")
        refused = await problem(r, "admit", token=publish, stream=1)
        assert (refused.status, refused.code) == (403, "wrong-purpose")
        refused = await problem(r, "publish", token=watch, stream=1)
        assert (refused.status, refused.code) == (403, "wrong-purpose")
        r.chain.add_stream(2)
        refused = await problem(r, "publish", token=publish, stream=2)
        assert (refused.status, refused.code) == (403, "wrong-stream")
        refused = await problem(
            r, "challenge", account=account("Alice"), purpose="publish", stream=1
        )
        assert (refused.status, refused.code) == (403, "not-owner")


async def test_a_former_owner_publishes_no_more(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with rig(tmp_path) as r:
        await r.ready_viewer("Alice")  # so that the account is there
        publish = await r.token("Bob", "publish", 1)
        assert (await r.result("publish", token=publish, stream=1))["stream"] == 1
        r.chain.transfer_stream(1, "Alice")
        await trio.sleep(15)
        refused = await problem(r, "publish", token=publish, stream=1)
        assert (refused.status, refused.code) == (403, "not-owner")


async def test_tokens_outlive_the_relayer_and_are_not_stored(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer()
        await r.crash()
        await r.start()
        assert (await r.result("sessions", token=token))["sessions"] == []
        for file in r.path.parent.iterdir():
            content = file.read_bytes()
            assert token.encode() not in content
            assert token[4:].encode() not in content


async def test_asking_for_challenges_stores_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Anybody may ask for any account: only a signature makes a key that is kept."""
    async with rig(tmp_path) as r:
        before = r.relayer.core.journal.commits
        for n in range(500):
            raw = n.to_bytes(32, "little")
            await r.result("challenge", account="0x" + raw.hex(), purpose="watch")
        assert r.relayer.core.key_names == {}
        assert r.relayer.core.journal.commits <= before + 1
        assert r.relayer.requests._delegates._by_viewer == {}
        token = await r.ready_viewer()  # and nobody is locked out
        assert (await r.result("terms", token=token, stream=1))["payable"]
        call = {
            "kind": "deposit_and_grant", "deposit": "1", "cap": "1", "rate_max_per_second": "1",
            "sessions_max": 1, "gap_ms": 120_000, "expires_at_ms": BASE_MS + 10**8,
        }  # fmt: skip
        r.chain.add_funds("Eve", 0)
        refused = await problem(r, "wallet_prepare", account=account("Eve"), call=call)
        assert (refused.status, refused.code) == (401, "sign-in-first")


async def test_a_deposit_alone_tops_the_vault_up(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer()
        prepared = await r.result(
            "wallet_prepare", token=token, call={"kind": "deposit", "amount": "5"}
        )
        assert prepared["summary"].startswith("Deposit")
        refused = await problem(
            r, "wallet_prepare", token=token, call={"kind": "deposit", "amount": str(10**30)}
        )
        assert (refused.code, refused.field) == ("balance-too-low", "amount")


async def test_what_a_wallet_signs_names_the_asset(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer()
        r.chain.add_funds("Alice", 0, asset=1984)
        call: dict[str, Any] = {"kind": "deposit", "amount": "5", "asset": "dollars"}
        refused = await problem(r, "wallet_prepare", token=token, call=call)
        assert (refused.code, refused.field) == ("asset-invalid", "asset")
        call = {"kind": "create_stream", "rate_per_second": "5", "asset": "1984"}
        assert (await r.result("wallet_prepare", token=token, call=call))["summary"]
        call = {
            "kind": "deposit_and_grant", "deposit": "1", "cap": "1", "rate_max_per_second": "1",
            "sessions_max": 1, "gap_ms": 120_000, "expires_at_ms": BASE_MS + 10**8,
            "asset": "1984", "tips_max": str(2 * UNIT), "renewals_max": 3,
        }  # fmt: skip
        prepared = await r.result("wallet_prepare", token=token, call=call)
        assert prepared["summary"].endswith("tips up to 2 UNIT, 3 periods of subscriptions")


# --- terms ---------------------------------------------------------------------------------


async def test_what_is_missing_is_named(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with rig(tmp_path) as r:
        r.chain.add_funds("Alice", 0, balance=UNIT)
        token = await r.token("Alice")
        assert await missing(r, token) == ["funds", "grant"]
        r.chain.add_funds("Alice", RATE * 100)
        assert await missing(r, token) == ["grant"]
        terms = await r.result("terms", token=token, stream=1)
        public = bytes.fromhex(terms["delegate"][2:])
        for lack, given in {
            "rate": {"rate_max_per_second": RATE - 1},
            "cap": {"cap": RATE - 1},
            "gap": {"gap_ms": 10_000},
        }.items():
            number = r.chain.add_grant("Alice", public, **given)
            assert await missing(r, token) == [lack]
            del r.chain.state.ledger.grants[number]
        r.chain.add_grant("Alice", public)
        terms = await r.result("terms", token=token, stream=1)
        assert (terms["missing"], terms["payable"]) == ([], True)
        assert terms["rate_per_second"] == str(RATE)
        assert isinstance(terms["vault"], str)


async def test_what_a_closing_session_returns_is_awaited_and_not_asked_for(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer(vault=RATE * 60, cap=RATE * 60)
        nothing = {"amount": "0", "suffices": False}
        before = await r.result("terms", token=token, stream=1)
        assert before["returning_soon"] == nothing
        watching = await r.watch(token)
        await trio.sleep(12)
        # it runs, and gives nothing back that one could wait for
        terms = await r.result("terms", token=token, stream=1)
        assert terms["returning_soon"] == nothing
        r.server.leave(watching)
        await trio.sleep(0.6)
        refused = await problem(r, "admit", token=token, stream=1)
        assert (refused.status, refused.retry_after_s) == (402, 2)
        assert "nothing to sign" in refused.detail
        assert refused.terms is not None
        assert set(refused.terms["missing"]) == {"funds", "cap"}
        seconds = watching.delivered_ms // 1000
        told = {"amount": str(RATE * (60 - seconds)), "suffices": True}
        assert refused.terms["returning_soon"] == told
        await r.until(lambda: r.closed(watching))
        terms = await r.result("terms", token=token, stream=1)
        assert (terms["missing"], terms["returning_soon"]) == ([], nothing)
        assert terms["vault"] == told["amount"]


async def test_what_returns_and_is_too_little_is_no_reason_to_wait(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        r.chain.add_stream(2, rate=RATE * 100)
        token = await r.ready_viewer(vault=RATE * 60, rate_max_per_second=RATE * 100)
        watching = await r.watch(token)
        await trio.sleep(12)
        r.server.leave(watching)
        await trio.sleep(0.6)
        refused = await problem(r, "admit", token=token, stream=2)
        assert refused.terms is not None
        assert "funds" in refused.terms["missing"]
        assert int(refused.terms["returning_soon"]["amount"]) > 0
        assert refused.terms["returning_soon"]["suffices"] is False
        assert refused.detail.startswith("the vault has too little")


async def test_a_grant_of_a_strangers_key_is_no_grant(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        r.chain.add_funds("Alice", RATE * 100)
        r.chain.add_grant("Alice", dev_key("Eve").public_key)
        token = await r.token("Alice")
        assert await missing(r, token) == ["grant"]


async def test_an_ended_grant_brings_a_fresh_delegate(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer(expires_at=BASE_MS + 5_000)
        before = (await r.result("terms", token=token, stream=1))["delegate"]
        await trio.sleep(10)
        terms = await r.result("terms", token=token, stream=1)
        assert terms["grant"] is None
        assert terms["delegate"] != before


async def test_deposit_and_grant_is_one_signature(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        r.chain.add_funds("Alice", 0, balance=UNIT)
        token = await r.token("Alice")
        call = {
            "kind": "deposit_and_grant", "deposit": str(RATE * 50), "cap": str(RATE * 40),
            "rate_max_per_second": str(RATE), "sessions_max": 1, "gap_ms": 120_000,
            "expires_at_ms": BASE_MS + 10**8,
        }  # fmt: skip
        prepared = await r.result("wallet_prepare", token=token, call=call)
        assert "Deposit" in prepared["summary"]
        payload = r.relayer.requests._wallet._submissions[prepared["submission"]].payload
        signature = "0x" + dev_key("Alice").sign(payload.message).hex()
        submission = prepared["submission"]
        wrong = "0x" + dev_key("Bob").sign(payload.message).hex()
        await r.result("wallet_submit", submission=submission, signature=wrong)
        await trio.sleep(3)
        status = await r.result("wallet_status", submission=submission)
        assert status["status"] == "failed"
        assert "not by" in status["detail"]
        await r.result("wallet_submit", submission=submission, signature=signature)
        await trio.sleep(3)
        status = await r.result("wallet_status", submission=submission)
        assert (status["status"], status["result"]) == ("in_block", {"grant": 0})
        await trio.sleep(5)
        status = await r.result("wallet_status", submission=submission)
        assert status["status"] == "finalized"
        watching = await r.watch(token)
        await trio.sleep(3)
        assert watching.playing


@pytest.mark.parametrize("fate", ["in a block", "in no block", "taken at last"])
async def test_a_transaction_whose_answer_was_lost_is_found_out(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, fate: str
) -> None:
    async with rig(tmp_path) as r:
        r.chain.add_funds("Alice", 0, RATE * 10_000)
        call = {"kind": "deposit", "amount": str(RATE * 50)}
        prepared = await r.result("wallet_prepare", call=call, account=account("Alice"))
        number = prepared["submission"]
        payload = r.relayer.requests._wallet._submissions[number].payload
        send, tries = r.chain.submit_wallet_signed, list[bool]()

        async def lost(payload: Any, signature: str, *, try_first: bool = True) -> Any:
            tries.append(try_first)
            if len(tries) == 1 and fate == "in a block":
                receipts.append(await send(payload, signature))
            if len(tries) < 4:
                raise NodeUnreachable("node", "its answer never came")
            if len(tries) == 4:
                raise TransactionRefused("ImmediatelyDropped", "ImmediatelyDropped", "full")
            if fate == "in no block":
                raise TransactionRefused("AncientBirthBlock", "AncientBirthBlock", "too long ago")
            return receipts[0] if receipts else await send(payload, signature)

        receipts: list[Any] = []
        monkeypatch.setattr(r.chain, "submit_wallet_signed", lost)
        signature = "0x" + dev_key("Alice").sign(payload.message).hex()
        await r.result("wallet_submit", submission=number, signature=signature)
        await trio.sleep(12)
        status = await r.result("wallet_status", submission=number)
        assert status["status"] == "waiting"
        assert "not known yet" in status["detail"]
        await trio.sleep(30)
        status = await r.result("wallet_status", submission=number)
        assert status["status"] == ("failed" if fate == "in no block" else "finalized")
        assert ("too long ago" in status.get("detail", "")) == (fate == "in no block")
        assert tries == [True, False, False, False, False], "tried beforehand once"
        vault = await r.chain.vault(account("Alice"))
        assert vault == (0 if fate == "in no block" else RATE * 50)


async def test_a_late_signature_hears_that_it_is_late(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        r.chain.add_funds("Alice", 0, RATE)
        call = {"kind": "claim", "stream": 1}
        prepared = await r.result("wallet_prepare", call=call, account=account("Alice"))
        number = prepared["submission"]
        best = r.relayer.core.view.best
        assert best is not None
        submission = r.relayer.requests._wallet._submissions[number]
        submission.payload.json["blockNumber"] = hex(best.number - ERA_BLOCKS + 1)
        refused = await problem(r, "wallet_submit", submission=number, signature="0x00")
        assert (refused.status, refused.code) == (410, "signature-late")
        assert f"until block {best.number}" in refused.detail
        assert "Prepare it again" in refused.detail
        await trio.sleep(601)
        await r.result("wallet_prepare", call=call, account=account("Alice"))
        refused = await problem(r, "wallet_submit", submission=number, signature="0x00")
        assert (refused.status, refused.code) == (410, "signature-late")
        assert "10 min" in refused.detail


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("deposit", "1e9", "amount-invalid"),
        ("deposit", "-1", "amount-invalid"),
        ("deposit", "9" * 40, "amount-invalid"),
        ("cap", "", "amount-invalid"),
        ("rate_max_per_second", "٣", "amount-invalid"),
        ("gap_ms", 1, "out-of-range"),
        ("gap_ms", 10**9, "out-of-range"),
        ("sessions_max", 0, "out-of-range"),
        ("sessions_max", 17, "out-of-range"),
        ("expires_at_ms", 1, "expiry-in-past"),
    ],
)
async def test_bad_amounts_are_named(
    tmp_path: Path, autojump_clock: MockClock, field: str, value: object, code: str
) -> None:
    async with rig(tmp_path) as r:
        r.chain.add_funds("Alice", 0)
        call = {
            "kind": "deposit_and_grant", "deposit": "1", "cap": "1", "rate_max_per_second": "1",
            "sessions_max": 1, "gap_ms": 120_000, "expires_at_ms": BASE_MS + 10**8, field: value,
        }  # fmt: skip
        refused = await problem(r, "wallet_prepare", account=account("Alice"), call=call)
        assert (refused.status, refused.code, refused.field) == (400, code, field)


# --- slots and reservations ------------------------------------------------------------------


async def test_two_joins_at_once_share_what_there_is(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer(vault=100 * RATE, sessions_max=2)
        codes: list[str] = []
        watching: list[Watching] = []

        async def join() -> None:
            answer = await r.ask("admit", token=token, stream=1)
            if answer.problem:
                codes.append(answer.problem.code)
            else:
                watching.append(r.server.attach(answer.result))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(join)
        assert codes == ["slot-taken"]
        assert [one.ref.index for one in watching] == [0, 1]
        await trio.sleep(12)
        funds = [session.funds for session in r.chain.state.sessions.values()]
        assert funds == [50 * RATE, 50 * RATE]
        for one in watching:
            r.server.leave(one)
        await r.until(lambda: all(r.closed(one) for one in watching))
        # the second waited for the ledger to take its open: nothing of it is lost
        assert r.earned() == sum(one.delivered_ms // 1000 for one in watching)


async def test_the_only_slot_is_taken_until_its_viewer_leaves(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer()
        first = await r.watch(token)
        await trio.sleep(8)
        refused = await problem(r, "admit", token=token, stream=1)
        assert (refused.status, refused.code) == (409, "slot-taken")
        r.server.leave(first)
        await trio.sleep(0.6)
        second = await r.watch(token)  # the head start covers the wait for the close
        assert second.ref.index == 1
        await trio.sleep(20.1)
        assert second.playing
        r.server.leave(second)
        await r.until(lambda: r.closed(second))
        assert r.earned() == first.delivered_ms // 1000 + second.delivered_ms // 1000


async def test_a_reload_goes_on_with_the_same_session(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer()
        first = await r.watch(token)
        await trio.sleep(10)
        r.server.leave(first, "vanished")
        await trio.sleep(10)
        again = await r.watch(token, resume=first.resume)
        assert (again.ref, again.number) == (first.ref, 2)
        assert again.resume != first.resume
        await trio.sleep(10)
        r.server.leave(again)
        await r.until(lambda: r.closed(again))
        assert r.earned() == (first.delivered_ms + again.delivered_ms) // 1000
        assert r.chain.state.grants[0].next_index == 1


async def test_a_second_tab_takes_over_and_the_first_is_replaced(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer()
        first = await r.watch(token)
        await trio.sleep(10)
        second = await r.watch(token, resume=first.resume)
        await trio.sleep(1)
        assert first.final
        assert first.lease is not None
        assert first.lease.reason == "replaced"
        assert second.playing
        await trio.sleep(10)
        r.server.leave(second)
        await r.until(lambda: r.closed(second))
        total_ms = first.delivered_ms + second.delivered_ms
        assert total_ms - 1_600 <= r.earned() * 1000 <= total_ms


async def test_a_session_whose_viewer_does_not_return_is_closed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer(sessions_max=2)
        first = await r.watch(token)
        await trio.sleep(10)
        r.server.leave(first, "vanished")
        await trio.sleep(12)
        assert r.chain.state.sessions
        await trio.sleep(8)
        assert not r.chain.state.sessions
        assert r.earned() == first.delivered_ms // 1000
        again = await r.watch(token, resume=first.resume)  # too late: a session of its own
        assert again.ref != first.ref


async def test_resume_secrets_are_no_use_to_others(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        alice, eve = await r.ready_viewer("Alice"), await r.ready_viewer("Eve")
        first = await r.watch(alice)
        await trio.sleep(5)
        other = await r.watch(eve, resume=first.resume)
        assert other.ref != first.ref
        await trio.sleep(2)
        assert first.playing


async def test_closing_by_request_pays_what_was_delivered(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer()
        watching = await r.watch(token)
        await trio.sleep(10)
        place = {"grant": watching.ref.grant, "index": watching.ref.index}
        eve = await r.token("Eve")
        refused = await problem(r, "close_session", token=eve, **place)
        assert refused.code == "session-not-found"
        await r.result("close_session", token=token, **place)
        await r.until(lambda: watching.final)
        await r.until(lambda: r.closed(watching))
        assert r.earned() == watching.delivered_ms // 1000
        described = await r.result("session", token=token, **place)
        assert described["close_reason"] == "Order"


async def test_an_open_that_the_pool_refuses_is_an_answer(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer()
        r.chain.refuse = lambda grant, order: "RateMismatch" if isinstance(order, Open) else None
        refused = await problem(r, "admit", token=token, stream=1)
        assert (refused.status, refused.code) == (409, "open-refused")
        assert "RateMismatch" in refused.detail
        r.chain.refuse = lambda grant, order: None
        watching = await r.watch(token)
        # a final block has said that it never opened: the same index, connections go on counting
        assert (watching.ref.index, watching.number) == (0, 2)
        await trio.sleep(5)
        assert watching.playing


@pytest.mark.parametrize("price", [0, RATE])
async def test_an_open_accepts_the_tick_price_of_its_terms_and_no_higher_one(
    price: int, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The operator raises the price while the open is on its way to a block."""
    async with rig(tmp_path) as r:
        token = await r.ready_viewer()
        ledger = r.chain.state.ledger
        assert isinstance(ledger.set_tick_price(None, price), list)
        terms = await r.result("terms", token=token, stream=1)
        assert terms["tick_price"] == str(price)
        before = dict(r.chain.state.vaults)
        r.chain.hold_opens = True
        waiting = await r.watch(token)
        assert isinstance(r.chain.state.ledger.set_tick_price(None, price + 1), list)
        r.chain.hold_opens = False
        await r.until(lambda: not waiting.playing, 60)
        assert (r.chain.state.sessions, r.chain.state.vaults) == ({}, before)
        await r.until(lambda: waiting.final, 60)
        await trio.sleep(20)
        assert (await r.result("terms", token=token, stream=1))["tick_price"] == str(price + 1)
        again = await r.watch(token)
        await trio.sleep(10)
        assert again.playing
        (session,) = r.chain.state.sessions.values()
        assert session.tick_price == price + 1


async def test_a_stream_of_another_rate_is_never_billed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """An abandoned open on stream 2 comes into a block after its viewer went to stream 1."""
    async with rig(tmp_path) as r:
        r.chain.add_stream(2, rate=7)
        token = await r.ready_viewer()
        r.chain.hold_opens = True
        first = await r.watch(token, stream=2)
        await trio.sleep(2)
        first.frozen = True
        await r.until(lambda: first.final, 60)
        waits = await problem(r, "admit", token=token, stream=1)
        assert (waits.status, waits.code) == (429, "open-pace")
        r.chain.hold_opens = False
        second = await r.watch(token, stream=1)
        assert second.ref.index == 1
        await r.until(lambda: r.chain.final.state.grants[0].next_index == 2, 90)
        assert r.closed(first)
        earned = r.chain.state.streams[2].earned_total
        assert earned == first.delivered_ms // 1000 * 7
        assert second.playing


async def test_no_more_are_let_in_than_a_core_can_carry(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert admission.sessions_max(6_000) == 12_000
    assert admission.sessions_max(30_000) == 60_000
    async with rig(tmp_path) as r:
        token = await r.ready_viewer("Alice")
        other = await r.ready_viewer("Bob")
        monkeypatch.setattr(admission, "ORDERS_PER_SECOND_MAX", 1_000 / r.relayer.core.cadence_ms)
        await r.watch(token)
        refused = await problem(r, "admit", token=other, stream=1)
        assert (refused.status, refused.code) == (503, "full")


async def test_a_viewer_who_was_told_less_is_told_the_rate_and_not_charged_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer()
        told = {"token": token, "stream": 1, "rate_max_per_second": str(RATE - 1)}
        refused = await problem(r, "admit", **told)
        assert (refused.status, refused.code) == (402, "payment-required")
        assert refused.terms is not None
        assert (refused.terms["rate_per_second"], refused.terms["missing"]) == (str(RATE), [])
        assert refused.terms["owner"] == r.chain.state.streams[1].owner
        refused = await problem(r, "admit", **{**told, "rate_max_per_second": "1.5"})
        assert (refused.status, refused.field) == (400, "rate_max_per_second")
        assert await r.result("admit", **{**told, "rate_max_per_second": str(RATE)})


async def test_a_viewer_who_was_told_less_for_ticks_is_told_the_price_and_not_charged_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer()
        assert isinstance(r.chain.state.ledger.set_tick_price(None, 5), list)
        await r.until(lambda: r.relayer.core.view.best_number > 0, 10)
        told = {"token": token, "stream": 1, "rate_max_per_second": str(RATE)}
        refused = await problem(r, "admit", **told, tick_price_max="4")
        assert (refused.status, refused.code) == (402, "payment-required")
        assert refused.terms is not None
        assert (refused.terms["tick_price"], refused.terms["missing"]) == ("5", [])
        refused = await problem(r, "admit", **told, tick_price_max="-1")
        assert (refused.status, refused.field) == (400, "tick_price_max")
        assert not r.chain.state.sessions
        assert await r.result("admit", **told, tick_price_max="5")


async def test_its_terms_and_streams_are_all_that_a_challenge_needs(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Integers that fit, text, and no field that the media server looks for in vain."""
    async with rig(tmp_path) as r:
        r.chain.add_funds("Alice", 0, balance=UNIT)
        refused = await problem(r, "admit", token=await r.token("Alice"), stream=1)
        assert refused.terms is not None
        asked = whep_payment.asked_by_terms(refused.terms, "/whep/1")
        assert payment_auth.encoded(asked)
        assert (asked["amount"], asked["currency"]) == (str(RATE), "native")
        assert asked["recipient"] == r.chain.state.streams[1].owner
        details = asked["methodDetails"]
        assert (details["viewer"], details["missing"]) == (account("Alice"), ["funds", "grant"])
        assert len(details["delegate"]) == 66
        info, stream = await r.result("info"), await r.result("stream", stream=1)
        anybody = whep_payment.asked_of_anybody(stream, info["genesis_hash"], "/whep/1")
        assert payment_auth.encoded(anybody)
        shared = ("genesisHash", "stream", "resource", "symbol", "decimals", "signIn", "terms")
        for name in shared:
            assert anybody["methodDetails"][name] == details[name]
        assert anybody["amount"] == asked["amount"]


async def test_streams_are_asked_for_by_owner_and_by_number(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        for number, owner in ((2, "Alice"), (3, "Bob"), (4, "Alice")):
            r.chain.add_stream(number, owner=owner)
        await trio.sleep(5)  # a block with them

        async def listed(**asked: Any) -> tuple[list[int], int | None]:
            answer = await r.result("streams", **asked)
            return [each["id"] for each in answer["streams"]], answer["next"]

        alices = account("Alice")
        assert await listed(owner=alices) == ([2, 4], None)
        assert await listed(owner=alices, limit=1) == ([2], 2)
        assert await listed(owner=alices, after=2) == ([4], None)
        assert await listed(ids=[4, 3, 99]) == ([3, 4], None)
        assert await listed(ids=[3, 4], owner=alices) == ([4], None)
        assert await listed(ids=[]) == ([], None)
        refused = await problem(r, "streams", owner="nobody")
        assert (refused.status, refused.code, refused.field) == (400, "account-invalid", "owner")
        for wrong in (list(range(501)), [-1], [1 << 63], ["1"]):
            assert (await problem(r, "streams", ids=wrong)).status == 400
