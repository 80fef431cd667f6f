"""Copies of key files: made, checked and put back. No password is needed, and nothing is decrypted.

A copy is a directory with one below it for each keystore, in which the files are as they were:
polkadot.js's JSON, encrypted. So any one of them can be imported where there is no paystream.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from offchain.keys.keystore import ARCHIVE, Keystore, KeystoreError, WrongPassword

_PLACES: Final = (Path(), Path(ARCHIVE))
"""Where a keystore has files: itself, and what was put aside in it."""


class CopyRefused(KeystoreError):
    """Nothing was copied: something is in the way, or nothing is there. Names the remedy."""


class CheckedKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: `keys` counts the files of each keystore, `problems` are in words."""

    place: str
    keys: dict[str, int]
    problems: list[str]


def verify(stores: Mapping[str, Path], password: str | None = None) -> CheckedKeys:
    """Read every key file of some keystores, by name, and say which are damaged.

    With a password each is opened, too (0.1 s): who has two passwords checks one keystore at a
    time. Raises KeystoreError where a directory cannot be read.
    """
    keys, problems = {}, []
    for name, directory in stores.items():
        found = _files(directory)
        keys[name] = len(found)
        for file in found:
            problem = _problem(directory / file, password)
            if problem is not None:
                problems.append(problem)
    place = ", ".join(str(directory) for directory in stores.values())
    return CheckedKeys(place=place, keys=keys, problems=problems)


def backup(stores: Mapping[str, Path], to: Path) -> CheckedKeys:
    """Copy the key files of some keystores, by name, to a new directory, and check the copy.

    It appears under its name only when it is whole. A keystore without keys has no part in it.
    Raises CopyRefused where the directory is there already, or there is no key at all, and
    KeystoreError.
    """
    if to.exists():
        raise CopyRefused(f"{to} is there already: give another name, or remove it")
    sources = {name: directory for name, directory in stores.items() if _files(directory)}
    if not sources:
        raise CopyRefused(f"there is no key in {', '.join(map(str, stores.values()))}")
    with _disk_errors(to), tempfile.TemporaryDirectory(dir=to.parent, prefix=".keys-") as scratch:
        part = Path(scratch) / to.name  # mkdtemp's mode is 0700
        part.mkdir(mode=0o700)
        for name, directory in sources.items():
            for file in _files(directory):
                _put(directory / file, part / name / file)
        checked = verify({name: part / name for name in sources})
        _sync(part)
        part.replace(to)
        _sync(to.parent)
    problems = [problem.replace(str(part), str(to)) for problem in checked.problems]
    return CheckedKeys(place=str(to), keys=checked.keys, problems=problems)


def restore(copy: Path, stores: Mapping[str, Path]) -> CheckedKeys:
    """Put the key files of a copy back into their keystores, and check these.

    What is there already and the same is left alone. Raises CopyRefused, with nothing changed,
    where a file of that name is another key's, where the copy has a part that no keystore is named
    for, or where it is no copy; and KeystoreError.
    """
    wanted = parts(copy)
    unknown = [name for name in wanted if name not in stores]
    if not wanted or unknown:
        raise CopyRefused(
            f"{copy} is no copy of keys: `paystream keys backup` makes one"
            if not wanted
            else f"{copy} has {', '.join(unknown)}, and no directory is named for it"
        )
    missing = [
        (source, target)
        for name, part in wanted.items()
        for source, target in _pairs(part, stores[name])
        if not _is_there(source, target)
    ]
    with _undone_unless_whole() as put:
        for source, target in missing:
            put(source, target)
    return verify({name: stores[name] for name in wanted})


def parts(copy: Path) -> dict[str, Path]:
    """Name the keystores of which a copy has keys. Raises KeystoreError."""
    with _disk_errors(copy):
        found = sorted(path for path in copy.iterdir() if path.is_dir())
    return {path.name: path for path in found if _files(path)}


def _pairs(part: Path, directory: Path) -> Iterator[tuple[Path, Path]]:
    for file in _files(part):
        yield part / file, directory / file


def _is_there(source: Path, target: Path) -> bool:
    """Tell whether a file is back already. Raises CopyRefused where another is in its place."""
    with _disk_errors(target):
        if not target.exists():
            return False
        if target.read_bytes() != source.read_bytes():
            raise CopyRefused(
                f"{target} is there already and is not what the copy has: move it away, or give "
                "another directory"
            )
    return True


@contextmanager
def _undone_unless_whole() -> Iterator[Callable[[Path, Path], None]]:
    """Put files in place, all of them or none."""
    made: list[Path] = []

    def put(source: Path, target: Path) -> None:
        with _disk_errors(target):
            _put(source, target)
        made.append(target)

    try:
        yield put
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise


def _files(directory: Path) -> list[Path]:
    """List a keystore's key files, below its directory. Raises KeystoreError."""
    with _disk_errors(directory):
        return sorted(
            place / path.name
            for place in _PLACES
            for path in (directory / place).glob("*.json")
            if path.is_file()
        )


def _problem(path: Path, password: str | None) -> str | None:
    store = Keystore(path.parent)
    try:
        if password is None:
            store.show(path.stem)
        else:
            store.load(path.stem, password)
    except WrongPassword:
        return f"the password does not open {path}"
    except KeystoreError as error:
        return str(error)
    return None


def _put(source: Path, target: Path) -> None:
    """Copy a file beside its place, flush it, and link it there: never a half one, over none."""
    for made in (*reversed(target.parent.parents), target.parent):
        made.mkdir(mode=0o700, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file, source.open("rb") as read:
            shutil.copyfileobj(read, file)
            file.flush()
            os.fsync(file.fileno())
        os.link(beside, target)
    finally:
        Path(beside).unlink(missing_ok=True)
    _sync(target.parent)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeystoreError(
            f"{error.filename or path}: {error.strerror or error}. Check that the path is right, "
            "the directory is yours and its disk has room"
        ) from None
