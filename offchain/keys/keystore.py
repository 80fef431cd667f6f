"""An encrypted keystore: one file for each key, in polkadot.js's JSON format.

The format is the one that polkadot.js, its extension and subkey-compatible wallets read and write
(scrypt, xsalsa20-poly1305, version 3, PKCS#8). The directory has mode 0700 and the files 0600.
Files appear whole or not at all, and are on the disk when the call returns.

Opening a file costs 50 to 100 ms of scrypt with the cheapest parameters that polkadot.js accepts
(N = 2^15, p = 1, r = 8): load a key once and keep it, and call from a thread where a loop runs.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec
import nacl.exceptions
import sr25519
from nacl.hashlib import scrypt
from nacl.secret import SecretBox
from scalecodec.utils.ss58 import ss58_decode
from substrateinterface import Keypair

from offchain.keys.signer import SS58_FORMAT, LocalKey, fresh_key

ARCHIVE: Final = "archive"
SCRYPT_N: Final = 1 << 15
SCRYPT_P: Final = 1
SCRYPT_R: Final = 8
# What polkadot.js accepts, as (N, p, r): anything else could ask for gigabytes of memory.
_SCRYPT_ALLOWED: Final = frozenset(
    {(1 << 13, 10, 8), (1 << 14, 5, 8), (1 << 15, 3, 8), (1 << 15, 1, 8), (1 << 16, 2, 8)}
    | {(1 << 17, 1, 8)}
)
_PKCS8_HEADER: Final = bytes([48, 83, 2, 1, 1, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32])
_PKCS8_DIVIDER: Final = bytes([161, 35, 3, 33, 0])
_SECRET_END: Final = len(_PKCS8_HEADER) + 64
_PLAIN_BYTES: Final = _SECRET_END + len(_PKCS8_DIVIDER) + 32
_SEALED_BYTES: Final = 32 + 12 + SecretBox.NONCE_SIZE + SecretBox.MACBYTES + _PLAIN_BYTES
_FILE_BYTES_MAX: Final = 64 * 1024
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class KeystoreError(Exception):
    """The root of the keystore's errors. The message names the file and the remedy."""


class KeyNotFound(KeystoreError):
    """There is no key of that name."""


class WrongPassword(KeystoreError):
    """The file is whole, and the password does not open it."""


class KeystoreCorrupt(KeystoreError):
    """The file is not what the keystore wrote: cut off, changed, or no key file at all."""


class PhraseInvalid(KeystoreError):
    """What was given to import is neither a mnemonic phrase nor a development key."""


class KeySummary(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a stored key without its password."""

    name: str
    address: str
    public_key: str
    scheme: str
    created_at: int
    file: str


class Keystore:
    """The keys in one directory, which is made at the first write."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)

    def __repr__(self) -> str:
        return f"<keystore {self.directory}>"

    def new(self, name: str | None, password: str) -> LocalKey:
        """Make a fresh sr25519 key and store it; without a name it is called by its address.

        Raises KeystoreError where the name is taken or unusable, or the disk refuses.
        """
        key = fresh_key()
        self.store(key, name or key.address, password)
        return key

    def store(self, key: LocalKey, name: str, password: str) -> KeySummary:
        """Encrypt a key and write its file. Raises KeystoreError."""
        path = self._path(name)
        self._write(path, encode_key(key, name, password))
        return self.show(name)

    def has(self, name: str) -> bool:
        """Tell whether there is a file of that name, whole or not. Raises KeystoreError."""
        path = self._path(name)
        with _disk_errors(path):
            return path.exists()

    def version(self, name: str) -> tuple[int, ...]:
        """Tell one content of a key's file from another, without reading it. Raises KeystoreError.

        The mode is a part of it: a file that was closed to others is another one, too.
        """
        path = self._path(name)
        with _disk_errors(path):
            found = path.stat()
        return (found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns)

    def list(self) -> tuple[KeySummary, ...]:
        """List the keys by name. Files that are damaged raise KeystoreCorrupt."""
        with _disk_errors(self.directory):
            if not self.directory.exists():
                return ()
            names = sorted(path.stem for path in self.directory.glob("*.json"))
        return tuple(self.show(name) for name in names if _NAME.fullmatch(name))

    def show(self, name: str) -> KeySummary:
        """Tell what is known of a key without its password.

        Raises KeyNotFound and KeystoreCorrupt.
        """
        path = self._path(name)
        return _summary(name, _parse(self._read(path), str(path)), path)

    def load(self, name: str, password: str) -> LocalKey:
        """Open a key (50 to 100 ms). Raises KeyNotFound, KeystoreCorrupt and WrongPassword."""
        path = self._path(name)
        return decode_key(self._read(path), password, source=str(path))

    def import_json(self, text: str, password: str, name: str | None = None) -> KeySummary:
        """Store a key that polkadot.js exported; `password` must open it and stays the same.

        Raises KeystoreCorrupt, WrongPassword, and KeystoreError where the name is taken.
        """
        key = decode_key(text.encode(), password, source="the imported JSON")
        return self.store(key, name or key.address, password)

    def import_phrase(self, phrase: str, password: str, name: str | None = None) -> KeySummary:
        """Store the key of a mnemonic phrase, with or without a path, or of `//Alice`.

        Read `phrase` from standard input: a flag would be seen by every user of the machine.
        Raises PhraseInvalid, and KeystoreError where the name is taken.
        """
        key = key_from_phrase(phrase)
        return self.store(key, name or key.address, password)

    def change_password(self, name: str, old: str, new: str) -> None:
        """Encrypt a key with another password; a crash leaves the one file or the other.

        Raises KeyNotFound, KeystoreCorrupt, WrongPassword, and KeystoreError where `new` is empty
        or the disk refuses.
        """
        path = self._path(name)
        raw = self._read(path)
        key = decode_key(raw, old, source=str(path))
        created = _parse(raw, str(path))["meta"].get("whenCreated")
        self._write(path, encode_key(key, name, new, created_at=created), replace=True)

    def move_to_archive(self, name: str) -> None:
        """Move a key's file into the directory `archive`, still encrypted. Raises KeystoreError.

        A key that has no file is left alone.
        """
        path, archive = self._path(name), self.directory / ARCHIVE
        with _disk_errors(path):
            archive.mkdir(mode=0o700, exist_ok=True)
            with suppress(FileNotFoundError):
                path.rename(archive / path.name)
            _sync_directory(self.directory)

    def export(self, name: str, password: str) -> str:
        """Give a key's JSON for polkadot.js, still encrypted, after checking the password."""
        path = self._path(name)
        raw = self._read(path)
        decode_key(raw, password, source=str(path))
        return raw.decode()

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise KeystoreError(
                f"{name!r} cannot name a key: use 1 to 64 letters, digits, '.', '_' or '-', "
                "with a letter or digit first"
            )
        return self.directory / f"{name}.json"

    def _read(self, path: Path) -> bytes:
        with _disk_errors(path):
            try:
                with path.open("rb") as file:
                    mode = os.fstat(file.fileno()).st_mode
                    raw = file.read(_FILE_BYTES_MAX + 1)
            except FileNotFoundError:
                raise KeyNotFound(
                    f"there is no key {path.stem!r} in {self.directory}: "
                    "`paystream keys list` shows what there is"
                ) from None
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeystoreError(f"{path} can be read by other users: run `chmod 600 {path}`")
        return raw

    def _write(self, path: Path, content: bytes, *, replace: bool = False) -> None:
        """Write beside, flush, then link: never a half file, over an existing one if told to."""
        with _disk_errors(path):
            # `parents` of mkdir would be made for everybody, and the relayer refuses such a state
            for made in (self.directory.parent, self.directory):
                made.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.directory.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise KeystoreError(
                    f"{self.directory} is open to other users: run `chmod 700 {self.directory}`"
                )
            beside = self.directory / f".{path.stem}.{secrets.token_hex(8)}.tmp"
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                try:
                    if replace:
                        beside.replace(path)
                    else:
                        os.link(beside, path)
                except FileExistsError:
                    raise KeystoreError(
                        f"{path} exists already: choose another name, or move the file away"
                    ) from None
            finally:
                beside.unlink(missing_ok=True)
            _sync_directory(self.directory)


def key_from_phrase(phrase: str) -> LocalKey:
    """Give the sr25519 key of a mnemonic phrase or a `//` path. Raises PhraseInvalid.

    The message never repeats what was given: it may be a secret with one wrong letter.
    """
    phrase = " ".join(phrase.split())
    try:
        return LocalKey(Keypair.create_from_uri(phrase, ss58_format=SS58_FORMAT))
    except Exception:  # the libraries raise many kinds, and their messages repeat the phrase
        raise PhraseInvalid(
            "this is no mnemonic phrase: give 12, 15, 18, 21 or 24 English words, optionally "
            "followed by a path such as //stash, or a development key such as //Alice"
        ) from None


def encode_key(key: LocalKey, name: str, password: str, *, created_at: int | None = None) -> bytes:
    """Encrypt a key as polkadot.js's JSON. Raises KeystoreError where the password is empty.

    `created_at` is unix milliseconds, now unless given.
    """
    if not password:
        raise KeystoreError("the password is empty: give one of at least one character")
    secret = bytes(key.pair.private_key)
    if key.scheme == "sr25519":
        # polkadot.js keeps the scalar as ed25519 does: multiplied by the cofactor
        secret = bytes(sr25519.convert_secret_key_to_ed25519(secret))
    else:
        secret = secret[:32] + key.public_key
    salt = secrets.token_bytes(32)
    box = SecretBox(_stretch(password, salt, SCRYPT_N, SCRYPT_P, SCRYPT_R))
    sealed = box.encrypt(_PKCS8_HEADER + secret + _PKCS8_DIVIDER + key.public_key)
    parameters = b"".join(n.to_bytes(4, "little") for n in (SCRYPT_N, SCRYPT_P, SCRYPT_R))
    encoded = base64.b64encode(salt + parameters + bytes(sealed)).decode()
    document = {
        "encoded": encoded,
        "encoding": {
            "content": ["pkcs8", key.scheme],
            "type": ["scrypt", "xsalsa20-poly1305"],
            "version": "3",
        },
        "address": key.address,
        "meta": {
            "name": name,
            "tags": [],
            "whenCreated": int(time.time() * 1000) if created_at is None else created_at,
            # tells a damaged file from a wrong password, which the cipher alone cannot
            "checksum": _checksum(encoded),
        },
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def decode_key(raw: bytes, password: str, source: str) -> LocalKey:
    """Decrypt polkadot.js's JSON. Raises KeystoreCorrupt and WrongPassword, naming `source`."""
    document = _parse(raw, source)
    sealed = base64.b64decode(document["encoded"])
    n, p, r = (int.from_bytes(sealed[at : at + 4], "little") for at in (32, 36, 40))
    if (n, p, r) not in _SCRYPT_ALLOWED:
        raise _corrupt(source, f"its scrypt parameters N={n}, p={p}, r={r} are not allowed")
    try:
        plain = SecretBox(_stretch(password, sealed[:32], n, p, r)).decrypt(sealed[44:])
    except nacl.exceptions.CryptoError:
        raise WrongPassword(f"the password does not open {source}: try again") from None
    if plain[:16] != _PKCS8_HEADER or plain[_SECRET_END:-32] != _PKCS8_DIVIDER:
        raise _corrupt(source, "its content is no PKCS#8 key")
    key = _key(plain[16:_SECRET_END], _scheme(document), source)
    if key.public_key != plain[-32:] or key.public_key.hex() != ss58_decode(document["address"]):
        raise _corrupt(source, "its secret does not belong to its address")
    return key


def _key(secret: bytes, scheme: str, source: str) -> LocalKey:
    try:
        if scheme == "sr25519":
            public, private = sr25519.pair_from_ed25519_secret_key(secret)
            return LocalKey(
                Keypair(public_key=public, private_key=private, ss58_format=SS58_FORMAT)
            )
        return LocalKey(
            Keypair.create_from_seed(secret[:32], ss58_format=SS58_FORMAT, crypto_type=0)
        )
    except Exception:  # what the bindings raise may repeat the secret
        raise _corrupt(source, "its secret is no key") from None


def _parse(raw: bytes, source: str) -> dict[str, Any]:
    """Read and check all that can be checked without the password."""
    if len(raw) > _FILE_BYTES_MAX:
        raise _corrupt(source, f"it is longer than {_FILE_BYTES_MAX} bytes")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise _corrupt(source, "it is not JSON") from None
    if not isinstance(document, dict):
        raise _corrupt(source, "it is no JSON object")
    encoding = document.get("encoding")
    if not isinstance(encoding, dict) or encoding.get("version") != "3":
        raise _corrupt(source, "its encoding is not version 3 of polkadot.js's format")
    if encoding.get("type") != ["scrypt", "xsalsa20-poly1305"]:
        raise _corrupt(source, "it is not encrypted with scrypt and xsalsa20-poly1305")
    _scheme(document, source)
    meta = document.get("meta")
    document["meta"] = meta if isinstance(meta, dict) else {}
    encoded = document.get("encoded")
    try:
        sealed = base64.b64decode(encoded or "", validate=True)
        ss58_decode(document["address"])
    except (ValueError, TypeError, KeyError, IndexError, binascii.Error):
        raise _corrupt(source, "its address or its encoded part cannot be read") from None
    if len(sealed) != _SEALED_BYTES:
        raise _corrupt(source, f"its encoded part has {len(sealed)} bytes, not {_SEALED_BYTES}")
    if document["meta"].get("checksum", _checksum(str(encoded))) != _checksum(str(encoded)):
        raise _corrupt(source, "its checksum does not fit its content")
    return document


def _scheme(document: dict[str, Any], source: str = "") -> str:
    content = document["encoding"].get("content")
    if content in (["pkcs8", "sr25519"], ["pkcs8", "ed25519"]):
        return str(content[1])
    if content in (["pkcs8", "ecdsa"], ["pkcs8", "ethereum"]):
        raise KeystoreCorrupt(
            f"{source} holds an ECDSA key, which is not taken: make an account of type sr25519 or "
            "ed25519 in the wallet, send the money there, and import that"
        )
    raise _corrupt(source, "it holds no sr25519 or ed25519 key")


def _summary(name: str, document: dict[str, Any], path: Path) -> KeySummary:
    created = document["meta"].get("whenCreated", 0)
    return KeySummary(
        name=name,
        address=document["address"],
        public_key="0x" + ss58_decode(document["address"]),
        scheme=_scheme(document),
        created_at=created if isinstance(created, int) else 0,
        file=str(path),
    )


def _stretch(password: str, salt: bytes, n: int, p: int, r: int) -> bytes:
    memory_max = 128 * r * (n + p + 2) + (1 << 20)
    return bytes(scrypt(password.encode(), salt, n=n, r=r, p=p, dklen=32, maxmem=memory_max))


def _checksum(encoded: str) -> str:
    return hashlib.sha256(encoded.encode()).hexdigest()[:16]


def _corrupt(source: str, what: str) -> KeystoreCorrupt:
    return KeystoreCorrupt(
        f"{source} is no usable key file: {what}. Restore it from a backup, or import the key's "
        "phrase again under another name"
    )


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeystoreError(
            f"{path}: {error.strerror or error}. Check that the directory is yours and the disk "
            "has room"
        ) from None


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
