"""The delegates' keys in one directory: masters that are opened once, and files from before them.

Masters are called `master-1`, `master-2` and so on; new delegates derive from the newest, older
masters go on for the delegates that they made. A delegate of an earlier release has a file of its
own, `delegate-...`, which is opened when it first has to sign. Nothing here waits for a loop.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from offchain.keys.derivation import Master, read_name
from offchain.keys.keystore import (
    KeyNotFound,
    Keystore,
    KeystoreCorrupt,
    KeystoreError,
    WrongPassword,
)
from offchain.keys.signer import LocalKey, Signer

log = logging.getLogger("paystream.keys")

DERIVED_KEPT_MAX: Final = 65_536
"""Derived keys that stay in memory; what is beyond is derived again."""
NUMBERS_TRIED: Final = 64
"""A viewer's delegates are counted from 0, and each lives as long as its grant: a month, mostly."""
_MASTER: Final = re.compile(r"master-([1-9][0-9]{0,5})")
_TRIED_MAX: Final = 8
"""So many files of earlier delegates are tried to learn whether the password is right."""
_ROTATION_REMEDY: Final = (
    ". It was made with another password than this process has: write that into the "
    "--password-file, or start this anew with it. Until then new keys come from the master before"
)


class MasterDamaged(KeystoreCorrupt):
    """The newest master's file is damaged, so no new delegate derives. Names file and remedy."""

    code = "master-damaged"


class DelegateKeys:
    """Opens and derives delegates' keys; `check` comes first."""

    def __init__(
        self, directory: Path, password: str, again: Callable[[], str | None] = lambda: None
    ) -> None:
        """`again` reads the password once more, for what was encrypted with another one since;
        None where it cannot be read."""
        self.store = Keystore(directory)
        self._password = password
        self._again = again
        self._masters: dict[int, Master] = {}
        self._newest = 0
        """The master of new delegates. It is not among the masters where its file is damaged."""
        self._refused: dict[int, object] = {}
        """The newest master and newer ones that did not open: what they were tried with."""
        self._derived: dict[str, Signer] = {}
        self._opened: dict[str, Signer] = {}

    def __repr__(self) -> str:
        return f"<delegates' keys in {self.store.directory}>"

    def check(self) -> None:
        """Open the masters; make the first where there is none. 0.1 s for each.

        Raises KeystoreError where the newest master that is whole does not open, or the directory
        cannot be used. A damaged file stops what needs it, and not this.
        """
        numbers = master_numbers(self.store)
        if not numbers:
            add_master(self.store, self._password)
            numbers = [1]
        for number in reversed(numbers):
            try:
                self._open_master(number)
            except KeystoreError as error:
                if not self._masters and not isinstance(error, KeystoreCorrupt):
                    raise
                log.error("event=master-unusable why=%r", str(error))  # noqa: TRY400
        self._newest = numbers[-1]
        if self._newest not in self._masters:
            check_password(self.store, self._password)
            self._refused[self._newest] = self._tried(self._newest)

    def _open_master(self, number: int) -> None:
        name = f"master-{number}"
        self._masters[number] = Master(self._by_password(lambda p: _sr25519(self.store, name, p)))

    def _by_password(self, load: Callable[[str], LocalKey]) -> LocalKey:
        """Open a key with the password, or with the one that is in its place by now."""
        try:
            return load(self._password)
        except WrongPassword:
            other = self._again()
            if other is None or other == self._password:
                raise
            key = load(other)
            self._password = other
            return key

    @property
    def current(self) -> Master:
        """The master of new delegates. Raises MasterDamaged, and KeystoreError before `check`.

        Those that `paystream keys rotate` has made meanwhile are found here.
        """
        if not self._newest:
            raise KeystoreError(f"no master of {self.store.directory} is open: check() comes first")
        self._look_for_newer()
        newest = self._masters.get(self._newest)
        if newest is None:
            # an older one may have been replaced because it was stolen: it makes no new keys
            raise MasterDamaged(
                f"the file master-{self._newest}.json of the delegates' keys is damaged: restore "
                "it from a backup, or make another master with `paystream keys rotate`. Keys of "
                "masters that are whole sign on"
            )
        return newest

    @property
    def unusable(self) -> str | None:
        """Say why no delegate derives at all, neither a new one nor one that was granted."""
        if not self._masters:
            with suppress(KeystoreError):  # what the disk refuses is no better
                self._look_for_newer()
        if self._masters:
            return None
        return (
            f"no master in {self.store.directory} can be used: restore one from a backup, or make "
            "another with `paystream keys rotate`"
        )

    def _look_for_newer(self) -> None:
        """Open what was made or restored since. A master that does not open leaves all as it was,
        and is tried again when its file or the password is another."""
        number = self._newest + (self._newest in self._masters)
        while self.store.has(f"master-{number}"):
            self._take_up(number)
            number += 1

    def _take_up(self, number: int) -> None:
        """Open a master that was made since the start, unless it has been tried in vain."""
        tried = self._tried(number)
        if self._refused.get(number) == tried:
            return
        try:
            self._open_master(number)
        except KeystoreError as error:
            self._refused[number] = tried
            remedy = _ROTATION_REMEDY if isinstance(error, WrongPassword) else ""
            log.error("event=master-unusable why=%r", f"{error}{remedy}")  # noqa: TRY400
        else:
            self._newest = number
            log.info("event=master-rotated master=%s", self._masters[number].fingerprint)

    def _tried(self, number: int) -> object:
        return self.store.version(f"master-{number}"), self._again()

    def delegate(self, viewer: str, number: int) -> tuple[str, bytes]:
        """Give name and public key of a viewer's delegate. Nothing is stored.

        `viewer` is an address in the generic format, `number` counts the viewer's delegates.
        """
        master = self.current
        name = str(master.name(viewer, number))
        return name, master.delegate(viewer, number).public_key

    def recognise(self, viewer: str, public: bytes) -> str | None:
        """Name the key of a viewer's delegate; None where it is not of this directory.

        The keys of a viewer's first `NUMBERS_TRIED` numbers are derived from every master: 3 ms
        for each. Nothing is decrypted.
        """
        self._look_for_newer()
        for _, master in sorted(self._masters.items(), reverse=True):
            for number in range(NUMBERS_TRIED):
                if master.delegate(viewer, number).public_key == public:
                    return str(master.name(viewer, number))
        wanted = "0x" + public.hex()
        names = sorted(path.stem for path in self.store.directory.glob("delegate-*.json"))
        for name in names:
            try:
                if self.store.show(name).public_key == wanted:
                    return name
            except KeystoreError as error:
                log.warning("event=key-unusable why=%r", str(error))
        return None

    def is_current(self, name: str) -> bool:
        """Tell whether a key comes from the newest master."""
        self._look_for_newer()
        named, newest = read_name(name), self._masters.get(self._newest)
        return named is not None and newest is not None and named.master == newest.fingerprint

    def is_open(self, name: str) -> bool:
        """Tell whether `open` answers at once, without 0.1 s of scrypt."""
        return name in self._opened or read_name(name) is not None

    def open(self, name: str) -> Signer:
        """Give a key by its name. Raises KeystoreError; that concerns this key alone."""
        found = self._derived.get(name) or self._opened.get(name)
        if found is not None:
            return found
        named = read_name(name)
        if named is None:
            key = self._by_password(lambda password: self.store.load(name, password))
            self._opened[name] = key
            return key
        # a copy, since another thread may find a newer one
        own = (each for each in list(self._masters.values()) if each.fingerprint == named.master)
        master = next(own, None)
        if master is None:
            raise KeyNotFound(
                f"the master {named.master} of the delegate {name} is not in "
                f"{self.store.directory}: restore it from a backup"
            )
        while len(self._derived) >= DERIVED_KEPT_MAX:
            del self._derived[next(iter(self._derived))]
        derived = self._derived[name] = master.delegate(named.viewer, named.number)
        return derived

    def archive(self, names: list[str]) -> None:
        """Move the files of those keys that have one into `archive`. Raises KeystoreError."""
        for name in names:
            if read_name(name) is None and self.store.has(name):
                self.store.move_to_archive(name)
                self._opened.pop(name, None)


def master_numbers(store: Keystore) -> list[int]:
    """Give the numbers of the masters in a keystore, the newest last."""
    found = (_MASTER.fullmatch(path.stem) for path in store.directory.glob("master-*.json"))
    return sorted(int(match[1]) for match in found if match is not None)


def add_master(store: Keystore, password: str) -> str:
    """Make the next master and give its name; new delegates derive from it. Raises KeystoreError.

    The password has to open what is there already, unless that is damaged: a relayer has one
    password. One that does not leaves everything as it was.
    """
    check_password(store, password)
    name = f"master-{max(master_numbers(store), default=0) + 1}"
    store.new(name, password)
    return name


def check_password(store: Keystore, password: str) -> None:
    """Try a password on the newest key that is whole: a master, or an earlier delegate's file.

    Raises KeystoreError; nothing where there is no such key.
    """
    masters = [f"master-{number}" for number in reversed(master_numbers(store))]
    names = sorted(path.stem for path in store.directory.glob("delegate-*.json"))
    for name in masters + names[: -_TRIED_MAX - 1 : -1]:
        try:
            store.load(name, password)
        except KeystoreCorrupt:
            continue
        return


def _sr25519(store: Keystore, name: str, password: str) -> LocalKey:
    try:
        key = store.load(name, password)
    except WrongPassword:
        raise
    except KeystoreCorrupt as error:
        raise KeystoreCorrupt(
            f"{error}. Restore the file from a backup; without one, make another master with "
            "`paystream keys rotate`: the delegates of this one are lost"
        ) from None
    if key.scheme != "sr25519":
        raise KeystoreCorrupt(f"{name} in {store.directory} is no sr25519 key: it cannot derive")
    return key
