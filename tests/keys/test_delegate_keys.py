"""Delegates' keys: derived from one master, beside files that earlier releases made."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from substrateinterface import Keypair

from offchain.keys import keystore
from offchain.keys.delegate_keys import (
    NUMBERS_TRIED,
    DelegateKeys,
    MasterDamaged,
    add_master,
    master_numbers,
)
from offchain.keys.derivation import Master, read_name
from offchain.keys.keystore import (
    KeyNotFound,
    Keystore,
    KeystoreCorrupt,
    KeystoreError,
    WrongPassword,
    key_from_phrase,
)
from offchain.keys.signer import LocalKey, dev_key, key_of_seed, verify

ALICE, BOB = dev_key("Alice").address, dev_key("Bob").address
PASSWORD = "correct horse battery staple"
PHRASE = "bottom drive obey lake curtain smoke basket hold race lonely fit walk"
EARLIER = Path(__file__).parent.parent / "data" / "delegates"
"""Made by the release that had a file for each delegate; the password is PASSWORD."""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "delegates"


def opened(directory: Path) -> DelegateKeys:
    keys = DelegateKeys(directory, PASSWORD)
    keys.check()
    return keys


def earlier(directory: Path) -> list[str]:
    directory.mkdir(mode=0o700)
    for path in EARLIER.glob("*.json"):
        shutil.copy(path, directory)
        (directory / path.name).chmod(0o600)
    return sorted(path.stem for path in directory.glob("*.json"))


def test_others_derive_the_same_keys_from_the_master() -> None:
    # polkadot.js's createFromUri(seed + "//paystream//" + ALICE + ".7") gives this
    derived = Master(key_of_seed(bytes(range(32)))).delegate(ALICE, 7)
    expected = "489507c8aa90cca36c2e12ed9af41f77805524452891a2dd9caf1e70d2519736"
    assert derived.public_key.hex() == expected
    theirs = Keypair.create_from_uri(f"{PHRASE}//paystream//{ALICE}.7", ss58_format=42)
    assert Master(key_from_phrase(PHRASE)).delegate(ALICE, 7).public_key == theirs.public_key


def test_a_master_that_was_stored_derives_as_before(directory: Path) -> None:
    made = opened(directory)
    name, public = made.delegate(ALICE, 3)
    again = opened(directory)
    assert again.delegate(ALICE, 3) == (name, public)
    signature = again.open(name).sign(b"message")
    assert verify("sr25519", public, b"message", signature)


def test_a_restart_opens_one_secret_whatever_the_delegates(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(directory)
    stretched = []
    stretch = keystore._stretch
    monkeypatch.setattr(keystore, "_stretch", lambda *given: stretched.append(1) or stretch(*given))
    keys = opened(directory)
    for number in range(500):
        assert keys.open(keys.delegate(ALICE, number)[0])
    assert len(stretched) == 1


def test_viewers_and_numbers_have_keys_of_their_own(directory: Path) -> None:
    keys = opened(directory)
    publics = {keys.delegate(viewer, n)[1] for viewer in (ALICE, BOB) for n in range(20)}
    assert len(publics) == 40


@pytest.mark.parametrize(
    "name",
    ["m/46ebddef/x", "m/46ebddef/x/-1", "m/46ebddef/x/01", "m/a/b/4294967296", "m/a/b/٣", "a/b"],
)
def test_what_is_no_derived_name(name: str) -> None:
    assert read_name(name) is None


def test_secrets_are_not_shown(directory: Path) -> None:
    keys = opened(directory)
    key = keys.open(keys.delegate(ALICE, 0)[0])
    shown = f"{keys!r} {key!r} {keys.current!r}"
    assert PASSWORD not in shown
    assert key._secret.hex()[:16] not in shown  # type: ignore[attr-defined]


def test_files_of_an_earlier_release_go_on_beside_the_master(directory: Path) -> None:
    names = earlier(directory)
    assert len(names) == 2
    keys = opened(directory)
    assert master_numbers(keys.store) == [1]
    for name in names:
        public = bytes.fromhex(keys.store.show(name).public_key[2:])
        assert not keys.is_current(name)
        assert verify("sr25519", public, b"message", keys.open(name).sign(b"message"))
    assert keys.is_current(keys.delegate(ALICE, 0)[0])


def test_one_damaged_file_stops_its_key_and_no_other(directory: Path) -> None:
    first, second = earlier(directory)
    (directory / f"{second}.json").write_text("{}")
    (directory / f"{second}.json").chmod(0o600)
    keys = opened(directory)
    with pytest.raises(KeystoreCorrupt, match=second):
        keys.open(second)
    assert keys.open(first).public_key
    assert keys.open(keys.delegate(ALICE, 0)[0]).public_key


@pytest.mark.parametrize("name", ["master-1", "delegate"])
def test_a_file_that_others_read_is_refused_with_the_remedy(directory: Path, name: str) -> None:
    name = earlier(directory)[0] if name == "delegate" else name
    opened(directory)
    (directory / f"{name}.json").chmod(0o640)
    with pytest.raises(KeystoreError, match=rf"chmod 600 .*{name}"):
        opened(directory).open(name)


def test_the_wrong_password_makes_no_master(directory: Path) -> None:
    earlier(directory)
    with pytest.raises(WrongPassword):
        DelegateKeys(directory, "another").check()
    assert master_numbers(Keystore(directory)) == []
    opened(directory)
    with pytest.raises(WrongPassword):
        DelegateKeys(directory, "another").check()


def test_a_new_master_is_taken_up_while_the_old_one_goes_on(directory: Path) -> None:
    keys = opened(directory)
    before, public = keys.delegate(ALICE, 0)
    assert add_master(Keystore(directory), PASSWORD) == "master-2"
    after, _ = keys.delegate(ALICE, 1)
    assert after.split("/")[1] != before.split("/")[1]
    assert (keys.is_current(before), keys.is_current(after)) == (False, True)
    assert opened(directory).open(before).public_key == public
    assert opened(directory).open(after).public_key == keys.delegate(ALICE, 1)[1]


def test_a_master_with_another_password_is_not_added(directory: Path) -> None:
    opened(directory)
    with pytest.raises(WrongPassword):
        add_master(Keystore(directory), "another")


def changed(directory: Path, names: list[str], old: str = PASSWORD, new: str = "another") -> None:
    for name in names:
        Keystore(directory).change_password(name, old, new)


def test_a_rotation_after_a_change_of_password_leaves_running_keys_as_they_were(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = opened(directory)
    before = keys.delegate(ALICE, 0)
    changed(directory, ["master-1"])
    add_master(Keystore(directory), "another")
    for _ in range(3):
        assert keys.delegate(ALICE, 0) == before
        assert keys.is_current(before[0])
    (line,) = [each for each in caplog.messages if "master-unusable" in each]
    for word in ("master-2.json", "--password-file", "start this anew"):
        assert word in line
    add_master(Keystore(directory), "another")
    assert keys.delegate(ALICE, 0) == before
    changed(directory, ["master-2", "master-3"], "another", PASSWORD)
    assert not keys.is_current(before[0])
    assert keys.delegate(ALICE, 0) == opened(directory).delegate(ALICE, 0)
    assert keys.open(before[0]).public_key == before[1]


def test_running_keys_read_the_password_again_and_take_the_rotation_up(directory: Path) -> None:
    (filed, _) = earlier(directory)
    file = [PASSWORD]
    keys = DelegateKeys(directory, PASSWORD, lambda: file[0])
    keys.check()
    before, public = keys.delegate(ALICE, 0)
    changed(directory, ["master-1", filed])
    add_master(Keystore(directory), "another")
    assert keys.is_current(before)
    with pytest.raises(WrongPassword):
        keys.open(filed)
    file[0] = "another"  # the operator has written it into the password file
    assert not keys.is_current(before)
    assert keys.open(filed)
    assert keys.open(before).public_key == public


@pytest.mark.parametrize("whole", ["master-1", "delegate"])
def test_a_rotation_that_is_refused_leaves_everything_as_it_was(
    directory: Path, whole: str
) -> None:
    earlier(directory)
    if whole == "master-1":
        opened(directory)
        add_master(Keystore(directory), PASSWORD)
        (directory / "master-2.json").write_text("nothing")
        (directory / "master-2.json").chmod(0o600)
    before = {path: path.read_bytes() for path in directory.iterdir()}
    with pytest.raises(WrongPassword):
        add_master(Keystore(directory), "another")
    assert {path: path.read_bytes() for path in directory.iterdir()} == before


def test_a_damaged_old_master_stops_its_delegates_only(directory: Path) -> None:
    keys = opened(directory)
    before, _ = keys.delegate(ALICE, 0)
    add_master(Keystore(directory), PASSWORD)
    (directory / "master-1.json").write_text("nothing")
    (directory / "master-1.json").chmod(0o600)
    again = opened(directory)
    with pytest.raises(KeyNotFound, match="restore it from a backup"):
        again.open(before)
    assert again.open(again.delegate(ALICE, 1)[0]).public_key


def damage(directory: Path, number: int) -> bytes:
    path = directory / f"master-{number}.json"
    whole = path.read_bytes()
    path.write_text("nothing")
    return whole


def test_a_damaged_newest_master_makes_no_new_keys_and_leaves_the_older_ones(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before, public = opened(directory).delegate(ALICE, 0)
    add_master(Keystore(directory), PASSWORD)
    after, newest = opened(directory).delegate(ALICE, 1)
    whole = damage(directory, 2)
    keys = opened(directory)
    assert str(directory / "master-2.json") in caplog.text
    assert verify("sr25519", public, b"message", keys.open(before).sign(b"message"))
    assert keys.recognise(ALICE, public) == before
    assert keys.recognise(ALICE, newest) is None
    assert not keys.is_current(before), "an older master may have been stolen"
    assert keys.unusable is None
    for _ in range(2):
        with pytest.raises(MasterDamaged, match=r"master-2\.json.*backup.*paystream keys rotate"):
            keys.delegate(ALICE, 1)
    with pytest.raises(KeyNotFound, match="restore it from a backup"):
        keys.open(after)
    (directory / "master-2.json").write_bytes(whole)
    assert keys.delegate(ALICE, 1) == (after, newest)
    assert keys.open(after).public_key == newest


def test_a_rotation_is_the_way_out_of_damage(directory: Path) -> None:
    opened(directory)
    damage(directory, 1)
    keys = opened(directory)
    assert keys.unusable is not None
    for word in (str(directory), "backup", "paystream keys rotate"):
        assert word in keys.unusable
    assert add_master(Keystore(directory), PASSWORD) == "master-2"
    assert keys.unusable is None
    assert keys.delegate(ALICE, 0) == opened(directory).delegate(ALICE, 0)


@pytest.mark.parametrize("whole", ["master-1", "delegate"])
def test_damage_does_not_hide_a_wrong_password(directory: Path, whole: str) -> None:
    if whole == "delegate":
        earlier(directory)
    opened(directory)
    if whole == "master-1":
        add_master(Keystore(directory), PASSWORD)
    damage(directory, 2 if whole == "master-1" else 1)
    with pytest.raises(WrongPassword, match=whole):
        DelegateKeys(directory, "another").check()


def test_a_lost_master_is_not_taken_for_the_new_one(directory: Path) -> None:
    before, _ = opened(directory).delegate(ALICE, 0)
    (directory / "master-1.json").unlink()
    with pytest.raises(KeyNotFound, match=read_name(before).master):  # type: ignore[union-attr]
        opened(directory).open(before)


def test_an_ed25519_key_is_no_master() -> None:
    key = LocalKey(Keypair.create_from_seed("0x" + "07" * 32, crypto_type=0))
    with pytest.raises(ValueError, match="sr25519"):
        Master(key)


def test_files_that_are_spent_are_put_away_encrypted(directory: Path) -> None:
    first, second = earlier(directory)
    keys = opened(directory)
    derived, _ = keys.delegate(ALICE, 0)
    keys.archive([first, derived, "delegate-gone"])
    assert not keys.store.has(first)
    assert (directory / "archive").stat().st_mode & 0o777 == 0o700
    assert Keystore(directory / "archive").load(first, PASSWORD).public_key
    assert opened(directory).open(second)
    assert keys.open(derived)


def test_a_delegate_is_recognised_by_its_public_key_whatever_made_it(directory: Path) -> None:
    (in_file, _) = earlier(directory)
    first = opened(directory)
    name, public = first.delegate(ALICE, 9)
    add_master(Keystore(directory), PASSWORD)
    keys = opened(directory)
    newer, newest = keys.delegate(ALICE, NUMBERS_TRIED - 1)
    filed = bytes.fromhex(keys.store.show(in_file).public_key[2:])
    assert keys.recognise(ALICE, public) == name
    assert keys.recognise(ALICE, newest) == newer
    assert keys.recognise(BOB, filed) == in_file
    assert keys.recognise(BOB, public) is None, "it is Alice's"
    assert keys.recognise(ALICE, keys.delegate(ALICE, NUMBERS_TRIED)[1]) is None
    (directory / f"{in_file}.json").write_text("{}")
    assert keys.recognise(BOB, filed) is None
