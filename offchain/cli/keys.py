"""`paystream keys`: the encrypted keystore."""

from __future__ import annotations

import getpass
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offchain.cli import key_copies, options
from offchain.cli.command import command, group
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.output import Output, facts, moment, table
from offchain.cli.wallets import DEVELOPMENT_NAMES, Names, Wallets, development_key

if TYPE_CHECKING:
    from offchain.keys import KeySummary

IMPORT_BYTES_MAX = 64 * 1024

app = group("Make, list, import and export keys (encrypted, in polkadot.js's JSON format).")

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="Name of the key.", autocompletion=options.complete_key),
]
NewName = Annotated[str, typer.Argument(metavar="NAME", help="Name to store the key under.")]


@command(app, "new", "paystream keys new creator")
def new(
    out: Output,
    wallets: Wallets,
    name: NewName,
) -> None:
    """Make a fresh key and store it encrypted.

    The file is the only copy: keep a backup of it (`paystream keys export`) and of the password.
    """
    _refuse_taken(wallets, name)
    keystore = wallets.keystore()
    keystore.new(name, wallets.password(f"New password for the key {name!r}", confirm=True))
    _tell(out, keystore.show(name), "A new key")


@command(app, "list", "paystream keys list")
def list_keys(out: Output, wallets: Names) -> None:
    """List the keys. Needs no password; tells which files are damaged."""
    from offchain.keys import KeystoreError

    keystore = wallets.keystore()
    found: list[KeySummary] = []
    damaged: dict[str, str] = {}
    for name in wallets.names():
        try:
            found.append(keystore.show(name))
        except KeystoreError as error:
            damaged[name] = str(error)
    if out.json_mode:
        out.json(
            {
                "directory": str(wallets.keys_dir),
                "keys": [_data(each) for each in found],
                "damaged": damaged,
            }
        )
    else:
        rows = [(each.name, each.address, moment(each.created_at)[:10]) for each in found]
        empty = f"No keys in {wallets.keys_dir}. Make one: paystream keys new NAME"
        out.show(table(("Name", "Address|", "Made|"), rows, empty))
    if damaged:
        if not out.json_mode:
            for what in damaged.values():
                out.warn(what)
        raise typer.Exit(Exit.KEYS)


@command(app, "show", "paystream keys show creator")
def show(
    out: Output,
    wallets: Names,
    name: Name,
) -> None:
    """Show a key's address and public key. Needs no password."""
    _tell(out, wallets.keystore().show(name), None)


@command(
    app,
    "import",
    "paystream keys import creator",
    "paystream keys import creator --from-stdin < creator.json",
    "paystream keys import alice --dev Alice",
)
def import_key(
    out: Output,
    wallets: Wallets,
    name: NewName,
    from_stdin: Annotated[
        bool,
        options.option(
            "--from-stdin", "Read phrase or JSON from standard input instead of asking for it."
        ),
    ] = False,
    dev: Annotated[
        str | None,
        options.option(
            "--dev",
            f"Take a publicly known development key: {', '.join(DEVELOPMENT_NAMES)}.",
            "NAME",
        ),
    ] = None,
) -> None:
    """Store a key from its mnemonic phrase (with or without a //path) or polkadot.js's JSON.

    A phrase gets the password of this keystore; a JSON file keeps its own, which must open it.
    """
    if dev is not None and from_stdin:
        raise Failure("give --dev or --from-stdin, not both", Exit.USAGE, "usage")
    _refuse_taken(wallets, name)
    keystore = wallets.keystore()
    if dev is not None:
        key = development_key(dev)
        password = wallets.password(f"New password for the key {name!r}", confirm=True)
        summary = keystore.store(key, name, password)
    else:
        secret = _secret(from_stdin=from_stdin)
        if secret.lstrip().startswith("{"):
            password = wallets.password("Password of the imported JSON")
            summary = keystore.import_json(secret, password, name)
        else:
            from offchain.keys.keystore import key_from_phrase

            key = key_from_phrase(secret)
            password = wallets.password(f"New password for the key {name!r}", confirm=True)
            summary = keystore.store(key, name, password)
    _tell(out, summary, "Imported")


@command(app, "export", "paystream keys export creator --output creator.json")
def export(
    out: Output,
    wallets: Wallets,
    name: Name,
    output: Annotated[
        Path | None,
        options.option(
            "--output", "File to write, which must not exist.", "FILE", show_default="stdout"
        ),
    ] = None,
) -> None:
    """Give a key's JSON, still encrypted, for a backup or for polkadot.js. Checks the password."""
    keystore = wallets.keystore()
    keystore.show(name)
    text = keystore.export(name, wallets.password(f"Password of the key {name!r}"))
    if output is None:
        if out.json_mode:
            out.json(json.loads(text))
        else:
            out.text(text)
        return
    try:
        handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Failure(
            f"{output} exists already: choose another file", Exit.MACHINE, "file-exists"
        ) from None
    with os.fdopen(handle, "w") as file:
        file.write(text)
    if out.json_mode:
        out.json({"name": name, "file": str(output)})
    else:
        out.show(facts([("Key", name), ("Written to", output)]))


@command(
    app,
    "change-password",
    "paystream keys change-password creator",
    "paystream keys change-password --all --keys-dir /var/lib/paystream/delegates",
)
def change_password(
    out: Output,
    wallets: Wallets,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="Names of keys.", autocompletion=options.complete_key
        ),
    ] = None,
    all_keys: Annotated[
        bool, options.option("--all", "Every key in the directory, as a relayer's have one.")
    ] = False,
    new_password_file: Annotated[
        Path | None,
        options.option(
            "--new-password-file",
            "File whose first line is the new password; /dev/fd/N for a descriptor.",
            "FILE",
            show_default="ask on the terminal",
        ),
    ] = None,
) -> None:
    """Encrypt keys with another password. Change it in the password file of what uses them, too.

    A relayer or signer that runs reads a --password-file again when it needs it; one that has its
    password from systemd or from a terminal does not, and has to be started anew before the next
    `paystream keys rotate`. After an interruption run it again: keys that the new password opens
    already are left alone.
    """
    from offchain.keys import WrongPassword

    if bool(names) == all_keys:
        raise Failure("name keys, or give --all", Exit.USAGE, "usage")
    chosen = wallets.names() if all_keys else list(names or ())
    keystore = wallets.keystore()
    for name in chosen:
        keystore.show(name)
    old = wallets.password("Password now")
    new = Wallets(wallets.keys_dir, new_password_file).new_password("New password")
    changed: list[str] = []
    for name in chosen:
        try:
            keystore.change_password(name, old, new)
            changed.append(name)
        except WrongPassword:
            try:
                keystore.load(name, new)
            except WrongPassword:
                raise Failure(
                    f"the password does not open {name!r}: {len(changed)} of {len(chosen)} keys "
                    "were changed before it",
                    Exit.KEYS,
                    "wrong-password",
                ) from None
    if out.json_mode:
        out.json({"directory": str(wallets.keys_dir), "changed": changed})
    else:
        out.show(facts([("Changed", ", ".join(changed) or "none"), ("In", wallets.keys_dir)]))
        out.note(
            "What uses these keys needs the new password at its next start: write it into the "
            "password file."
        )


@command(app, "rotate", "paystream keys rotate --delegates-dir /var/lib/paystream/delegates")
def rotate(
    out: Output,
    delegates_dir: options.DelegatesDir = None,
    state_dir: options.StateDir = None,
    password_file: options.PasswordFile = None,
) -> None:
    """Make another master of the delegates' keys. A relayer or signer that runs takes it up.

    One that was started before the password was changed needs the new one first: it reads its
    --password-file again; with a password from systemd or from a terminal, start it anew. Keys
    that viewers have granted go on under the master before; new ones derive from this one.
    """
    from offchain.keys.delegate_keys import add_master

    wallets = Wallets(delegates_dir or options.state_dir(state_dir) / "delegates", password_file)
    keystore = wallets.keystore()
    name = add_master(keystore, wallets.password("Password of the delegates' keys"))
    _tell(out, keystore.show(name), "A new master")
    if not out.json_mode:
        out.note(
            "A relayer or signer that runs takes it up with its next new key, unless it was "
            "started with another password: then write the password into its --password-file, or "
            "start it anew. Its log says event=master-rotated, or event=master-unusable and why."
        )


key_copies.add_to(app)


def _secret(*, from_stdin: bool) -> str:
    """Read a phrase or a JSON file; never from an argument."""
    if from_stdin:
        raw = sys.stdin.read(IMPORT_BYTES_MAX + 1)
    elif sys.stdin.isatty():
        raw = getpass.getpass("Mnemonic phrase (not shown): ")
    else:
        raise Failure(
            "say where the key comes from: --from-stdin to read it from standard input, or --dev",
            Exit.USAGE,
            "usage",
        )
    if not raw.strip():
        raise Failure("nothing came to import: give a phrase or JSON", Exit.KEYS, "phrase-invalid")
    if len(raw) > IMPORT_BYTES_MAX:
        raise Failure(
            f"what came to import is longer than {IMPORT_BYTES_MAX} bytes: it is no key",
            Exit.KEYS,
            "phrase-invalid",
        )
    return raw


def _refuse_taken(wallets: Wallets, name: str) -> None:
    """Refuse a name before a password is asked for."""
    if name in wallets.names():
        raise Failure(
            f"there is a key {name!r} in {wallets.keys_dir} already: choose another name",
            Exit.KEYS,
            "key-exists",
        )


def _data(summary: KeySummary) -> dict[str, Any]:
    return {
        "name": summary.name,
        "address": summary.address,
        "public_key": summary.public_key,
        "scheme": summary.scheme,
        "created_at": summary.created_at,
        "file": summary.file,
    }


def _tell(out: Output, summary: KeySummary, title: str | None) -> None:
    if out.json_mode:
        out.json(_data(summary))
        return
    rows = [
        ("Name", summary.name),
        ("Address", summary.address),
        ("Public key", summary.public_key),
        ("Kind", summary.scheme),
        ("Made", moment(summary.created_at)),
        ("File", summary.file),
    ]
    out.show(facts(rows, title))
