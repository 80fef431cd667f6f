"""The options that several commands have, each with its variable and its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from offchain.amounts import NATIVE_NAME
from offchain.cli.command import COMMON
from offchain.config import state_dir_default

CHAIN_DEFAULT = "ws://127.0.0.1:9944"
SERVER_DEFAULT = "http://127.0.0.1:8080"
LISTEN_DEFAULT = "127.0.0.1:8080"
MONEY = "Money"
ASSET_DEFAULT = NATIVE_NAME


def option(name: str, help_text: str, metavar: str | None = None, **more: Any) -> Any:
    """Make an option `--name` that can also be set by its variable `PAYSTREAM_<NAME>`."""
    if metavar is None:
        metavar = ""  # a switch: typer would write its type there
    variable = "PAYSTREAM_" + name.partition("/")[0].lstrip("-").replace("-", "_").upper()
    return typer.Option(
        name, help=help_text, metavar=metavar, envvar=variable, show_envvar=True, **more
    )


def _keys_dir_of(context: typer.Context) -> Path:
    given = context.params.get("keys_dir")
    if given:
        return Path(given)
    return Path(context.params.get("state_dir") or state_dir_default()) / "keys"


def complete_key(ctx: typer.Context, args: list[str], incomplete: str) -> list[str]:
    """Offer the names in the keystore to the shell."""
    del args
    try:
        names = sorted(path.stem for path in _keys_dir_of(ctx).glob("*.json"))
    except OSError:
        return []
    return [name for name in names if name.startswith(incomplete)]


MetricsPort: TypeAlias = Annotated[
    int | None,
    option(
        "--metrics-port",
        "Port on loopback for Prometheus; 0 takes a free one.",
        "PORT",
        min=0,
        max=65_535,
        show_default="none",
    ),
]
NodeProgram: TypeAlias = Annotated[
    Path | None,
    option(
        "--node",
        "The node's program.",
        "FILE",
        show_default="looked for on PATH, then what scripts/setup built",
    ),
]
Chain: TypeAlias = Annotated[
    str, option("--chain", "Address of the node's RPC.", "URL", rich_help_panel=COMMON)
]
Chains: TypeAlias = Annotated[
    list[str] | None,
    option(
        "--chain",
        "Address of a node's RPC; give it again for others, which stand in when it fails. Those of "
        "another chain that is to be followed as well have its name in front.",
        "[NAME=]URL",
        rich_help_panel=COMMON,
        show_default=CHAIN_DEFAULT,
    ),
]
Server: TypeAlias = Annotated[
    str, option("--server", "Address of `paystream serve`.", "URL", rich_help_panel=COMMON)
]
StateDir: TypeAlias = Annotated[
    Path | None,
    option(
        "--state-dir",
        "Where journal, socket and keys lie.",
        "DIR",
        rich_help_panel=COMMON,
        show_default="$XDG_DATA_HOME/paystream",
    ),
]
KeysDir: TypeAlias = Annotated[
    Path | None,
    option(
        "--keys-dir",
        "Where the keystore lies.",
        "DIR",
        rich_help_panel=COMMON,
        show_default="keys in the state directory",
    ),
]
DelegatesDir: TypeAlias = Annotated[
    Path | None,
    option(
        "--delegates-dir",
        "Where the delegates' keys lie, encrypted.",
        "DIR",
        show_default="delegates in the state directory",
    ),
]
PasswordFile: TypeAlias = Annotated[
    Path | None,
    option(
        "--password-file",
        "File whose first line is the keystore's password; /dev/fd/N for a descriptor.",
        "FILE",
        rich_help_panel=COMMON,
        show_default="paystream-password of systemd's credentials, else ask",
    ),
]
Key: TypeAlias = Annotated[
    str | None,
    option(
        "--key",
        "Key that signs: a name in the keystore, or a development key such as //Alice.",
        "NAME",
        autocompletion=complete_key,
        show_default="the only key there is",
    ),
]
Account: TypeAlias = Annotated[
    str | None,
    option(
        "--account",
        "Whose: an address, a name in the keystore, or //Alice.",
        "ACCOUNT",
        autocompletion=complete_key,
        show_default="the only key there is",
    ),
]
DryRun: TypeAlias = Annotated[
    bool,
    option("--dry-run", "Show call, fee and effect; sign and send nothing.", rich_help_panel=MONEY),
]
Wait: TypeAlias = Annotated[
    bool,
    option(
        "--wait/--no-wait",
        "Wait until the block is final, or only until there is one.",
        rich_help_panel=MONEY,
    ),
]
Socket: TypeAlias = Annotated[
    Path | None,
    option(
        "--socket",
        "Local socket between server and relayer.",
        "PATH",
        show_default="relay.sock in the state directory",
    ),
]
JournalUrlFile: TypeAlias = Annotated[
    Path | None,
    option(
        "--journal-url-file",
        "File whose first line is the URL of the PostgreSQL database with the journal; the URL "
        "itself can be in the variable PAYSTREAM_JOURNAL_URL.",
        "FILE",
        show_default="journal.sqlite in the state directory",
    ),
]
AssetName: TypeAlias = Annotated[
    str,
    option(
        "--asset",
        "What the money is: `native`, an asset's number, or its symbol.",
        "ASSET",
        rich_help_panel=MONEY,
    ),
]
IceHost: TypeAlias = Annotated[
    list[str] | None,
    option(
        "--ice-host",
        "Address, or name of one, that WebRTC peers are told to send to; repeat it for several. "
        "Loopback is offered beside it only where the server listens on loopback.",
        "HOST",
        show_default="the machine's own addresses",
    ),
]
UdpPorts: TypeAlias = Annotated[
    str | None,
    option(
        "--udp-ports",
        "UDP ports of the media, for the firewall; one for each connection and address.",
        "FROM-TO",
        show_default="any free one",
    ),
]
StreamId: TypeAlias = Annotated[
    int, typer.Argument(metavar="STREAM", min=0, help="Number of the stream.")
]


def state_dir(given: Path | None) -> Path:
    """Give the state directory in use."""
    return given if given is not None else state_dir_default()


def socket_path(given: Path | None, state: Path | None) -> Path:
    """Give the path of the socket in use."""
    return given if given is not None else state_dir(state) / "relay.sock"


def journal_url(given: Path | None) -> str | None:
    """Give the URL of the journal's database; None where it is a file in the state directory."""
    from offchain.journal import url_of

    return url_of(given)


def journal_place(state: Path | None, url_file: Path | None) -> Path | str:
    """Give where the journal is: the URL of a database, or a file in the state directory."""
    return journal_url(url_file) or state_dir(state) / "journal.sqlite"
