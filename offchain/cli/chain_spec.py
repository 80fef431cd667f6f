"""`paystream chain`: the specification of a network of one's own."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from offchain.cli import options
from offchain.cli.command import command, group
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.node import BUILD, find_node
from offchain.cli.output import Output

if TYPE_CHECKING:
    from offchain.chain_spec import Network

NODE_SECONDS_MAX: Final = 120.0
PRESET_DEFAULT: Final = "local_testnet"
TYPES: Final = ("development", "local", "live")
_PRESETS: Final = "the preset's"

app = group("Chain specifications for networks of one's own.", name="chain")


@dataclass(frozen=True)
class Wanted:
    """What is to differ from the preset, as it was written."""

    validators: Path | None
    root: str | None
    endow: Sequence[str]
    bootnode: Sequence[str]
    name: str | None
    identifier: str | None
    chain_type: str | None
    runtime: Path | None

    @classmethod
    def from_options(
        cls,
        *,
        validators: Annotated[
            Path | None,
            options.option(
                "--validators",
                "JSON list of the validators' public keys, `aura` and `grandpa`.",
                "FILE",
                show_default=_PRESETS,
            ),
        ] = None,
        root: Annotated[
            str | None,
            options.option("--root", "Who has the sudo key.", "ADDRESS", show_default=_PRESETS),
        ] = None,
        endow: Annotated[
            list[str] | None,
            options.option(
                "--endow",
                "Who has how much at the beginning; again for others. The preset's accounts then "
                "have nothing.",
                "ADDRESS=AMOUNT",
                show_default=_PRESETS,
            ),
        ] = None,
        bootnode: Annotated[
            list[str] | None,
            options.option(
                "--bootnode",
                "Where a first peer is; again for others.",
                "MULTIADDR",
                show_default="none",
            ),
        ] = None,
        name: Annotated[
            str | None,
            options.option("--name", "What people call it.", "NAME", show_default=_PRESETS),
        ] = None,
        identifier: Annotated[
            str | None,
            options.option("--id", "Names its database's directory.", "ID", show_default=_PRESETS),
        ] = None,
        chain_type: Annotated[
            str | None,
            options.option("--type", f"One of {', '.join(TYPES)}.", "TYPE", show_default=_PRESETS),
        ] = None,
        runtime: Annotated[
            Path | None,
            options.option(
                "--runtime",
                "Blob of the runtime at genesis, compressed or not.",
                "FILE",
                show_default="the node's",
            ),
        ] = None,
    ) -> Wanted:
        """Take what the options say."""
        return cls(
            validators, root, endow or (), bootnode or (), name, identifier, chain_type, runtime
        )

    def network(self, plain: dict[str, Any]) -> Network:
        """Read it, with amounts in the token of the preset's specification. Raises Failure."""
        from offchain.chain_spec import Network, SpecificationInvalid, read_endowments

        try:
            endowments = read_endowments(self.endow, plain)
        except SpecificationInvalid as error:
            raise _invalid(f"--endow: {error}") from None
        return Network(
            name=self.name,
            identifier=self.identifier,
            chain_type=_chain_type(self.chain_type),
            validators=_validators(self.validators),
            root=_root(self.root),
            endowments=endowments,
            bootnodes=self.bootnode,
            code=None if self.runtime is None else self.runtime.read_bytes(),
        )


@command(
    app,
    "spec",
    "paystream chain spec --list",
    "paystream chain spec --validators keys.json --raw --output net.json",
    'paystream chain spec --root 5F… --endow "5F…=1000 UNIT" --output net.json',
)
def spec(
    out: Output,
    wanted: Wanted,
    *,
    preset: Annotated[
        str, options.option("--preset", "The runtime's genesis to begin with.", "NAME")
    ] = PRESET_DEFAULT,
    list_presets: Annotated[
        bool, options.option("--list", "Only list the presets that the runtime has.")
    ] = False,
    raw: Annotated[
        bool,
        options.option("--raw", "Write the genesis as storage, which every build reads alike."),
    ] = False,
    output: Annotated[
        Path | None,
        options.option(
            "--output",
            "Where to write it; no file is replaced.",
            "FILE",
            show_default="standard output",
        ),
    ] = None,
    node: options.NodeProgram = None,
) -> None:
    """Write the specification with which every node of a network starts.

    It is one of the runtime's presets with other validators, accounts, sudo key and first peers.
    Keys are public ones here; `paystream-node key insert` gives each node its secrets.
    """
    program = find_node(node)
    presets = _run(program, "list-presets").split()
    if list_presets:
        _list(out, presets)
        return
    if preset not in presets:
        raise _invalid(f"the runtime has no preset {preset!r}: it has {', '.join(presets)}")
    if output is not None and output.exists():
        raise Failure(
            f"{output} is there already: remove it, or name another file with --output",
            Exit.MACHINE,
            "file-exists",
        )
    plain = json.loads(_run(program, "export-chain-spec", "--chain", preset))
    network = wanted.network(plain)
    text = _written(program, plain, network, raw=raw)
    if output is None:
        out.text(text)
        return
    output.write_text(text, encoding="utf-8")
    _tell(out, output, json.loads(text), raw=raw)
    if not network.validators:
        out.warn("its validators are the preset's, whose keys everybody has: see --validators")


def _list(out: Output, presets: list[str]) -> None:
    if out.json_mode:
        out.json({"presets": presets})
    else:
        out.text("\n".join(presets))


def _chain_type(given: str | None) -> str | None:
    if given is None:
        return None
    if given.lower() not in TYPES:
        raise _invalid(f"--type {given!r}: give one of {', '.join(TYPES)}")
    return given.capitalize()


def _validators(path: Path | None) -> list[Any]:
    from offchain.chain_spec import SpecificationInvalid, read_validators

    if path is None:
        return []
    try:
        return list(read_validators(path.read_text(encoding="utf-8")))
    except (SpecificationInvalid, UnicodeDecodeError) as error:
        raise _invalid(f"--validators {path}: {error}") from None


def _root(given: str | None) -> str | None:
    from offchain.ledger.types import AddressInvalid, address

    try:
        return None if given is None else address(given)
    except AddressInvalid as error:
        raise _invalid(f"--root: {error}") from None


def _written(program: Path, plain: dict[str, Any], network: Network, *, raw: bool) -> str:
    """Give the specification's text; the node builds the storage of a raw one, and checks a plain
    one by building it."""
    from offchain.chain_spec import SpecificationInvalid, tailored

    try:
        spec = tailored(plain, network)
    except SpecificationInvalid as error:
        raise _invalid(str(error)) from None
    text = json.dumps(spec, indent=2, ensure_ascii=False) + "\n"
    with tempfile.TemporaryDirectory(prefix="paystream-chain-") as directory:
        path = Path(directory) / "plain.json"
        path.write_text(text, encoding="utf-8")
        built = _run(program, "export-chain-spec", "--raw", "--chain", str(path))
    return built if raw else text


def _tell(out: Output, path: Path, spec: dict[str, Any], *, raw: bool) -> None:
    if not out.json_mode:
        out.note(f"{spec['name']} ({spec['id']}) is in {path}: give the same file to every node")
        return
    out.json(
        {
            "specification": str(path),
            "name": spec["name"],
            "id": spec["id"],
            "type": spec["chainType"],
            "raw": raw,
            "bootnodes": spec["bootNodes"],
        }
    )


def _run(program: Path, *arguments: str) -> str:
    """Give what the node prints. Raises Failure with what it complains of."""
    try:
        done = subprocess.run(
            [str(program), *arguments],
            capture_output=True,
            check=False,
            text=True,
            timeout=NODE_SECONDS_MAX,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(f"{program}: {error}", Exit.MACHINE, "node-failed") from None
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["it says nothing"]
        if "unrecognized subcommand" in done.stderr:
            said = [f"it is of an earlier release: build it with `{BUILD}`, or name another"]
        raise Failure(f"{program} {arguments[0]}: {said[0]}", Exit.MACHINE, "node-failed")
    return done.stdout


def _invalid(message: str) -> Failure:
    return Failure(message, Exit.USAGE, "specification-invalid")
