"""Which key a viewer grants: the same until it is spent, damaged, or a newer master has come."""

from __future__ import annotations

from pathlib import Path

import trio
from trio.testing import MockClock

from offchain.journal import put_delegate
from offchain.journal.records import DelegateRecord
from offchain.keys.delegate_keys import add_master
from offchain.keys.derivation import Master
from offchain.keys.keystore import Keystore, KeystoreCorrupt
from offchain.keys.signer import Signer, key_of_seed
from offchain.relayer.keyring import KeystoreKeyring, MemoryKeyring
from tests.relayer.fake_chain import account
from tests.relayer.rig import Rig, rig


class Damageable(MemoryKeyring):
    """A keyring some of whose files can be damaged."""

    def __init__(self) -> None:
        super().__init__()
        self.damaged: set[str] = set()
        self.asked = 0

    async def open(self, name: str) -> Signer:
        self.asked += 1
        if name in self.damaged:
            raise KeystoreCorrupt(f"{name} is no key file")
        return await super().open(name)


async def delegate_of(r: Rig, token: str) -> str:
    return str((await r.result("terms", token=token, stream=1))["delegate"])


async def test_a_damaged_key_stops_one_viewer_until_another_key_is_granted(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path, started=False) as r:
        r.keyring = keyring = Damageable()
        await r.start()
        alice, bob = await r.ready_viewer("Alice"), await r.ready_viewer("Bob")
        before = await delegate_of(r, alice)
        keyring.damaged.add(r.relayer.core.key_names[bytes.fromhex(before[2:])])
        problem = (await r.ask("admit", token=alice, stream=1)).problem
        assert problem is not None
        assert (problem.status, problem.code) == (503, "keys-unavailable")
        await r.watch(bob)  # nobody else is concerned
        refused = (await r.ask("admit", token=alice, stream=1)).problem
        assert refused is not None
        assert (refused.status, refused.code) == (402, "payment-required")
        assert refused.terms is not None
        assert refused.terms["missing"] == ["grant"]
        fresh = refused.terms["delegate"]
        assert fresh != before
        r.chain.add_grant("Alice", bytes.fromhex(fresh[2:]))
        await r.watch(alice)


async def test_an_open_that_is_never_signed_leaves_no_session_behind(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path, started=False) as r:
        r.keyring = keyring = Damageable()
        await r.start()
        alice = await r.ready_viewer("Alice")
        delegate = await delegate_of(r, alice)
        keyring.damaged.add(r.relayer.core.key_names[bytes.fromhex(delegate[2:])])
        assert (await r.ask("admit", token=alice, stream=1)).problem is not None
        assert r.relayer.core.book.sessions
        await trio.sleep(5)
        assert not r.relayer.core.book.sessions


async def test_a_key_that_cannot_sign_is_tried_at_a_pace_and_goes_on_afterwards(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path, started=False) as r:
        r.keyring = keyring = Damageable()
        await r.start()
        watching = await r.watch(await r.ready_viewer("Alice"))
        await r.until(lambda: r.earned() > 5)
        keyring.damaged |= set(r.relayer.core.key_names.values())
        await trio.sleep(10)
        commits, asked = r.relayer.core.journal.commits, keyring.asked
        await trio.sleep(30)
        assert keyring.asked - asked <= 7
        assert r.relayer.core.journal.commits - commits <= 30 + 7  # one each second anyway
        keyring.damaged.clear()
        r.server.leave(watching)
        await r.until(lambda: r.closed(watching))
        assert r.earned() == watching.delivered_ms // 1000


async def test_nothing_is_kept_of_a_session_whose_key_never_signed_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path, started=False) as r:
        r.keyring = keyring = Damageable()
        await r.start()
        watching = await r.watch(await r.ready_viewer("Alice"))
        await r.until(lambda: r.earned() > 5)
        keyring.damaged |= set(r.relayer.core.key_names.values())
        r.server.leave(watching)
        await r.until(lambda: r.closed(watching), 600)
        await r.until(lambda: not r.relayer.core.book.sessions)
        await trio.sleep(10)
        submitter = r.relayer.submitter
        kept = {name: value for name, value in vars(submitter).items() if isinstance(value, dict)}
        assert not any(kept.values()), kept


async def test_a_new_master_takes_the_keys_that_wait_and_leaves_those_that_are_granted(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        alice, bob = await r.ready_viewer("Alice"), await r.token("Bob")
        granted, waiting = await delegate_of(r, alice), await delegate_of(r, bob)
        watching = await r.watch(alice)
        old = r.keyring
        assert isinstance(old, MemoryKeyring)

        class Rotated(MemoryKeyring):
            async def open(self, name: str) -> Signer:
                return await (super().open(name) if self.is_current(name) else old.open(name))

        r.relayer.core.keyring = Rotated(key_of_seed(bytes(range(32))))
        assert await delegate_of(r, alice) == granted
        after = await delegate_of(r, bob)
        assert after != waiting
        # it may have been granted in the same moment: it counts as ours
        assert r.relayer.requests._delegates.is_ours(account("Bob"), bytes.fromhex(waiting[2:]))
        master = Master(key_of_seed(bytes(range(32))))
        assert bytes.fromhex(after[2:]) == master.delegate(account("Bob"), 1).public_key
        await r.until(lambda: r.earned() > 5)
        r.server.leave(watching)
        await r.until(lambda: r.closed(watching))


async def test_a_damaged_newest_master_refuses_new_grants_and_older_ones_go_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    directory = tmp_path / "delegates"
    add_master(Keystore(directory), "secret")

    def opened() -> KeystoreKeyring:
        keyring = KeystoreKeyring(directory, "secret")
        keyring._keys.check()  # not in a thread: the clock would jump meanwhile
        return keyring

    async with rig(tmp_path, started=False) as r:
        r.keyring = opened()
        await r.start()
        alice = await r.ready_viewer("Alice")
        watching = await r.watch(alice)
        await r.until(lambda: r.earned() > 5)
        await r.stop()
        add_master(Keystore(directory), "secret")
        (directory / "master-2.json").write_text("nothing")
        r.keyring = opened()
        await r.start()
        earned = r.earned()
        await r.until(lambda: r.earned() > earned + 5)
        assert not watching.final
        problem = (await r.ask("challenge", account=account("Bob"), purpose="watch")).problem
        assert problem is not None
        assert (problem.status, problem.code) == (503, "keys-unavailable")
        for word in ("master-2.json", "backup", "paystream keys rotate"):
            assert word in problem.detail
        assert str(tmp_path) not in problem.detail, "strangers may ask"
        add_master(Keystore(directory), "secret")
        await r.watch(await r.ready_viewer("Bob"))


async def test_a_lost_journal_names_the_same_key_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        before = await delegate_of(r, await r.token("Alice"))
        await r.stop()
        for path in r.path.parent.iterdir():
            path.unlink()
        await r.start()
        assert await delegate_of(r, await r.token("Alice")) == before


async def test_spent_keys_are_put_away_and_those_of_open_sessions_are_not(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer("Alice")
        granted = bytes.fromhex((await delegate_of(r, token))[2:])
        name = r.relayer.core.key_names[granted]
        watching = await r.watch(token)
        await r.until(lambda: r.earned() > 3)
        retired = DelegateRecord(
            public=granted, viewer=account("Alice"), key_name=name, retired=True
        )
        await r.relayer.core.journal.commit([put_delegate(retired)])
        put_away: list[str] = []

        async def archive(names: list[str]) -> None:
            put_away.extend(names)

        r.keyring.archive = archive  # type: ignore[method-assign]
        await r.stop()
        await r.start()
        assert put_away == []
        r.server.leave(watching)
        await r.until(lambda: r.closed(watching))
        await trio.sleep(30)
        await r.stop()
        await r.start()
        assert put_away == [name]


async def test_a_key_that_was_granted_and_a_lost_journal_does_not_have_is_used_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        await r.ready_viewer("Alice")
        r.chain.revoke(0)
        await trio.sleep(10)
        token = await r.token("Alice")
        second = await delegate_of(r, token)
        r.chain.add_grant("Alice", bytes.fromhex(second[2:]))
        await r.stop()
        for path in r.path.parent.iterdir():
            path.unlink()
        await r.start()
        token = await r.token("Alice")
        assert await delegate_of(r, token) == second
        watching = await r.watch(token)
        await r.until(lambda: r.earned() > 5)
        r.server.leave(watching)
        await r.until(lambda: r.closed(watching))
