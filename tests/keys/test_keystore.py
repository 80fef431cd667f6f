"""The keystore: polkadot.js's format, whole files, and errors that tell one cause from another."""

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from substrateinterface import Keypair

from offchain.keys import (
    KeyNotFound,
    Keystore,
    KeystoreCorrupt,
    KeystoreError,
    LocalKey,
    PhraseInvalid,
    WrongPassword,
    dev_key,
    fresh_key,
    verify,
)

# Made by @polkadot/keyring 13 (createFromUri("//Alice", {}, "sr25519").toJson("secret")).
POLKADOT_JS = Path(__file__).parents[1] / "data" / "alice-polkadot-js.json"


@pytest.fixture
def store(tmp_path: Path) -> Keystore:
    return Keystore(tmp_path / "keys")


def test_a_new_key_is_read_back_and_signs(store: Keystore) -> None:
    key = store.new("viewer", "secret")
    again = store.load("viewer", "secret")
    assert again.public_key == key.public_key
    assert verify("sr25519", key.public_key, b"order", again.sign(b"order"))
    assert [summary.name for summary in store.list()] == ["viewer"]
    assert store.show("viewer").address == key.address


def test_every_key_is_fresh(store: Keystore) -> None:
    assert store.new("a", "x").public_key != store.new("b", "x").public_key


def test_nobody_else_reads_the_files(store: Keystore) -> None:
    store.new("viewer", "secret")
    assert stat.S_IMODE(store.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((store.directory / "viewer.json").stat().st_mode) == 0o600
    (store.directory / "viewer.json").chmod(0o644)
    with pytest.raises(KeystoreError, match="chmod 600"):
        store.load("viewer", "secret")


def test_an_open_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o755)
    with pytest.raises(KeystoreError, match="chmod 700"):
        Keystore(tmp_path / "keys").new("viewer", "secret")


def test_the_directory_above_that_is_made_for_it_is_private_too(tmp_path: Path) -> None:
    Keystore(tmp_path / "state" / "keys").new("viewer", "secret")
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_nothing_is_left_beside_the_file(store: Keystore) -> None:
    store.new("viewer", "secret")
    with pytest.raises(KeystoreError, match="exists already"):
        store.new("viewer", "other")
    assert [path.name for path in store.directory.iterdir()] == ["viewer.json"]
    assert store.load("viewer", "secret")


def test_a_wrong_password_is_not_corruption(store: Keystore) -> None:
    store.new("viewer", "secret")
    with pytest.raises(WrongPassword, match=r"viewer\.json"):
        store.load("viewer", "Secret")


def test_an_empty_password_is_refused(store: Keystore) -> None:
    with pytest.raises(KeystoreError, match="password is empty"):
        store.new("viewer", "")


def change(path: Path, **fields: Any) -> None:
    document = json.loads(path.read_text())
    document.update(fields)
    path.write_text(json.dumps(document))


def flipped(encoded: str) -> str:
    raw = bytearray(base64.b64decode(encoded))
    raw[100] ^= 1
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize("content", [["pkcs8", "ecdsa"], ["pkcs8", "ethereum"]])
def test_an_ecdsa_key_is_told_the_way_out(store: Keystore, content: list[str]) -> None:
    store.new("viewer", "secret")
    path = store.directory / "viewer.json"
    encoding = json.loads(path.read_text())["encoding"]
    change(path, encoding={**encoding, "content": content})
    with pytest.raises(KeystoreError, match="ECDSA") as raised:
        store.load("viewer", "secret")
    assert "sr25519 or ed25519" in str(raised.value)


@pytest.mark.parametrize("damage", ["cut", "flip", "words", "list", "empty", "version", "address"])
def test_damage_is_told_from_a_wrong_password(store: Keystore, damage: str) -> None:
    store.new("viewer", "secret")
    path = store.directory / "viewer.json"
    document = json.loads(path.read_text())
    match damage:
        case "cut":
            path.write_bytes(path.read_bytes()[:200])
        case "flip":
            change(path, encoded=flipped(document["encoded"]))
        case "words":
            path.write_text("this is no key")
        case "list":
            path.write_text("[]")
        case "empty":
            path.write_text("")
        case "version":
            change(path, encoding={"version": "9"})
        case "address":
            change(path, address=dev_key("Bob").address)
    with pytest.raises(KeystoreCorrupt, match=r"viewer\.json"):
        store.load("viewer", "secret")


def test_scrypt_cannot_be_told_to_take_all_memory(store: Keystore) -> None:
    store.new("viewer", "secret")
    path = store.directory / "viewer.json"
    document = json.loads(path.read_text())
    raw = bytearray(base64.b64decode(document["encoded"]))
    raw[32:36] = (1 << 30).to_bytes(4, "little")
    change(path, encoded=base64.b64encode(raw).decode(), meta={})
    with pytest.raises(KeystoreCorrupt, match="scrypt"):
        store.load("viewer", "secret")


def test_a_guess_at_a_password_costs_32_mebibytes(store: Keystore) -> None:
    store.new("viewer", "secret")
    document = json.loads((store.directory / "viewer.json").read_text())
    header = base64.b64decode(document["encoded"])[32:44]
    n, p, r = (int.from_bytes(header[at : at + 4], "little") for at in (0, 4, 8))
    assert 128 * n * r == 32 << 20
    assert p == 1


def test_what_is_not_there_is_named(store: Keystore) -> None:
    assert store.list() == ()
    with pytest.raises(KeyNotFound, match="'viewer'"):
        store.load("viewer", "secret")


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65, "a b"])
def test_names_stay_in_the_directory(store: Keystore, name: str) -> None:
    with pytest.raises(KeystoreError, match="cannot name a key"):
        store.store(fresh_key(), name, "secret")


@pytest.mark.parametrize("scheme", [0, 1])
def test_substrate_interface_reads_what_we_write(store: Keystore, scheme: int) -> None:
    key = LocalKey(Keypair.create_from_seed("0x" + "07" * 32, crypto_type=scheme))
    store.store(key, "k", "secret")
    pair = Keypair.create_from_encrypted_json(store.export("k", "secret"), "secret")
    assert pair.public_key == key.public_key
    assert pair.verify(b"x", key.sign(b"x"))
    assert key.pair.verify(b"x", pair.sign(b"x"))
    assert store.load("k", "secret").public_key == key.public_key


def test_we_read_what_substrate_interface_writes(store: Keystore) -> None:
    pair = Keypair.create_from_uri("//Alice")
    document = pair.export_to_encrypted_json("secret", "alice")
    store.import_json(json.dumps(document), "secret", "alice")
    assert store.load("alice", "secret").public_key == pair.public_key


def test_we_read_what_polkadot_js_writes(store: Keystore) -> None:
    summary = store.import_json(POLKADOT_JS.read_text(), "secret", "alice")
    assert summary.address == "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
    key = store.load("alice", "secret")
    assert verify("sr25519", dev_key("Alice").public_key, b"x", key.sign(b"x"))


def test_phrases_and_paths_are_imported(store: Keystore) -> None:
    phrase = "bottom drive obey lake curtain smoke basket hold race lonely fit walk"
    assert store.import_phrase("//Alice", "x", "a").address == dev_key("Alice").address
    assert store.import_phrase(f"  {phrase}//Alice\n", "x", "b").address == (
        dev_key("Alice").address
    )
    assert store.import_phrase(phrase, "x").name == store.import_phrase(phrase, "x", "c").address


@pytest.mark.parametrize("phrase", ["", "   ", "bottom drive obey", "Alyce", "zebra " * 12])
def test_a_wrong_phrase_is_never_repeated(store: Keystore, phrase: str) -> None:
    with pytest.raises(PhraseInvalid) as raised:
        store.import_phrase(phrase, "x", "k")
    assert phrase.strip() not in str(raised.value) or not phrase.strip()
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_secrets_are_not_shown(store: Keystore) -> None:
    key = store.new("viewer", "secret")
    private = bytes(key.pair.private_key).hex()
    for text in (repr(key), str(key), repr(store), repr(store.show("viewer"))):
        assert private not in text
    assert key.address in repr(key)
    with pytest.raises(TypeError):
        key.__reduce__()


def test_a_disk_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeystoreError, match="file"):
        Keystore(tmp_path / "file").new("viewer", "secret")
