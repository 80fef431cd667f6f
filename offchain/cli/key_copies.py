"""`paystream keys backup`, `verify` and `restore`: copies of the encrypted key files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offchain.cli import options
from offchain.cli.command import command
from offchain.cli.exits import Exit
from offchain.cli.output import Output, facts
from offchain.cli.wallets import Wallets

if TYPE_CHECKING:
    from offchain.keys.copies import CheckedKeys

KEYS = "keys"
DELEGATES = "delegates"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "backup", "paystream keys backup /var/backups/paystream/keys")(backup)
    command(
        app,
        "verify",
        "paystream keys verify",
        "paystream keys verify --copy /var/backups/paystream/keys --open --json",
    )(verify)
    command(app, "restore", "paystream keys restore /var/backups/paystream/keys")(restore)


def backup(
    out: Output,
    *,
    copy: Annotated[Path, typer.Argument(metavar="DIR", help="The copy; it must not exist.")],
    state_dir: options.StateDir = None,
    keys_dir: options.KeysDir = None,
    delegates_dir: options.DelegatesDir = None,
) -> None:
    """Copy every key file, encrypted as it is: wallets', the batch account's, the delegates'.

    Needs no password, and what uses the keys may run. The masters of the delegates and the files
    of earlier releases' delegates are in it, and what was put into their archive. Keep the password
    elsewhere. Exits with 1 if the copy has what cannot be read.
    """
    from offchain.keys import copies

    stores = _stores(state_dir, keys_dir, delegates_dir)
    with out.working("Copying"):
        checked = copies.backup(stores, copy)
    _tell(out, checked, "A copy of the keys")


def verify(
    out: Output,
    *,
    copy: Annotated[
        Path | None,
        options.option("--copy", "A copy to check instead.", "DIR", show_default="the keys in use"),
    ] = None,
    open_keys: Annotated[
        bool, options.option("--open", "Open each key with the password, too: 0.1 s for each.")
    ] = False,
    state_dir: options.StateDir = None,
    keys_dir: options.KeysDir = None,
    delegates_dir: options.DelegatesDir = None,
    password_file: options.PasswordFile = None,
) -> None:
    """Read every key file, or those of a copy, and say which are damaged.

    Exits with 1 if there is one. Where the batch account's password is not the delegates', give
    --open with the password of the one, and it names the keys of the other.
    """
    from offchain.keys import copies

    stores = _stores(state_dir, keys_dir, delegates_dir) if copy is None else copies.parts(copy)
    password = None
    if open_keys:
        password = Wallets(Path(), password_file).password("Password of the keys")
    with out.working("Reading"):
        checked = copies.verify(stores, password)
    _tell(out, checked, "The keys")


def restore(
    out: Output,
    *,
    copy: Annotated[Path, typer.Argument(metavar="DIR", help="The copy.")],
    state_dir: options.StateDir = None,
    keys_dir: options.KeysDir = None,
    delegates_dir: options.DelegatesDir = None,
) -> None:
    """Put the key files of a copy back where they are missing: all of them, or nothing.

    What is there and the same is left alone; where a file of that name is another one, nothing is
    changed. A relayer or signer that was started without a key needs a start to use it again.
    """
    from offchain.keys import copies

    with out.working("Copying"):
        checked = copies.restore(copy, _stores(state_dir, keys_dir, delegates_dir))
    _tell(out, checked, "The keys")


def _stores(
    state_dir: Path | None, keys_dir: Path | None, delegates_dir: Path | None
) -> dict[str, Path]:
    return {
        KEYS: keys_dir or options.state_dir(state_dir) / KEYS,
        DELEGATES: delegates_dir or options.state_dir(state_dir) / DELEGATES,
    }


def _tell(out: Output, checked: CheckedKeys, title: str) -> None:
    if out.json_mode:
        out.json({"place": checked.place, "keys": checked.keys, "problems": checked.problems})
    else:
        out.show(facts([("place", checked.place), *checked.keys.items()], title))
        for problem in checked.problems:
            out.warn(problem)
    if checked.problems:
        raise typer.Exit(Exit.FAILED)
