"""`scripts/setup` keeps nodes by what they are made of. Compilers are stand-ins here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

SETUP: Final = Path(__file__).resolve().parents[2] / "scripts" / "setup"
NODES_KEPT: Final = 5

CARGO: Final = """#!/bin/sh
[ "$1" = build ] || exit 0
echo "$PWD" >>"$HOME/builds"
[ -z "$TOUCH" ] || echo "// changed" >>"$TOUCH"
mkdir -p "$CARGO_TARGET_DIR/release"
for name in node oracle; do
	printf '#!/bin/sh\\n# of %s\\n' "$PWD" >"$CARGO_TARGET_DIR/release/paystream-$name"
	chmod +x "$CARGO_TARGET_DIR/release/paystream-$name"
done
blobs=$CARGO_TARGET_DIR/release/wbuild/paystream-runtime
mkdir -p "$blobs"
echo "$SKIP_WASM_BUILD" >"$blobs/paystream_runtime.compact.compressed.wasm"
[ -n "$PAYSTREAM_RUNTIME_BLOB" ] || exit 0
name=paystream-parachain-runtime
blobs=$CARGO_TARGET_DIR/release/wbuild/$name
mkdir -p "$blobs"
echo "$PAYSTREAM_RUNTIME_BLOB" >"$blobs/paystream_parachain_runtime.compact.compressed.wasm"
"""
RUSTC: Final = """#!/bin/sh
case $1 in
--print) echo "$HOME/sysroot" ;;
*) echo "rustc ${RUSTC_VERSION:-1.95.0} (stand-in)" ;;
esac
"""
NOTHING: Final = "#!/bin/sh\n"
TAKES_INPUT: Final = "#!/bin/sh\nexec cat >/dev/null\n"
FAILS: Final = "#!/bin/sh\nexit 1\n"


class Machine:
    """A home directory of its own, where a clone is set up with stand-ins for the compilers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "sysroot/lib/rustlib/wasm32v1-none/lib").mkdir(parents=True)
        programs = root / "cargo/bin"
        programs.mkdir(parents=True)
        texts = dict.fromkeys(("make", "protoc", "pkg-config", "rustup", "wasm-opt"), NOTHING)
        texts |= dict.fromkeys(("cc", "c++"), TAKES_INPUT)
        texts |= dict.fromkeys(("apt-get", "sudo"), FAILS)
        texts |= {"cargo": CARGO, "rustc": RUSTC}
        for name, text in texts.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o700)
        self._programs = programs

    def clone(self, name: str) -> Path:
        """Make a clone: the script, and a source of each kind."""
        root = self.root / name
        for folder in ("scripts", ".cargo", "pallet-paystream/src", "runtime", "node"):
            (root / folder).mkdir(parents=True)
        shutil.copy(SETUP, root / "scripts")
        (root / "Cargo.toml").write_text('rust-version = "1.88"\n')
        (root / "Cargo.lock").write_text("")
        (root / ".cargo/config.toml").write_text("")
        (root / "pallet-paystream/src/lib.rs").write_text("// the ledger\n")
        (root / "pallet-paystream/README.md").write_text("The ledger.\n")
        return root

    def run(self, clone: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Set the clone's node up."""
        environment = {
            "HOME": str(self.root),
            "CARGO_HOME": str(self._programs.parent),
            "PATH": f"{self._programs}:{os.defpath}",
            **variables,
        }
        return subprocess.run(
            [clone / "scripts/setup", "--chain-only", *options],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def node(self, clone: Path, **variables: str) -> Path:
        """Set the clone's node up, which must succeed, and give the program that it names."""
        done = self.run(clone, **variables)
        assert done.returncode == 0, done.stderr
        named = dict(
            line.removeprefix("export ").split("=", 1) for line in done.stdout.splitlines()
        )
        node = Path(named["PAYSTREAM_NODE"])
        assert (clone / ".node/paystream-node").resolve() == node
        assert os.access(node.parent / "paystream-oracle", os.X_OK)
        assert (node.parent / "paystream_runtime.compact.compressed.wasm").read_text() == "\n"
        return node

    @property
    def builds(self) -> int:
        """How often cargo has built."""
        builds = self.root / "builds"
        return len(builds.read_text().splitlines()) if builds.exists() else 0


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_clones_with_the_same_sources_share_one_node(machine: Machine) -> None:
    one, other = machine.clone("one"), machine.clone("other")
    (other / "pallet-paystream/README.md").write_text("No part of the node.\n")
    node = machine.node(one)
    assert machine.node(other) == node == machine.node(one)
    assert machine.builds == 1
    assert str(one) in node.read_text()


def test_the_parachains_runtime_is_no_part_of_a_node_and_stands_beside_it(
    machine: Machine,
) -> None:
    clone = machine.clone("one")
    node = machine.node(clone)
    source = clone / "runtime/parachain/src/lib.rs"
    source.parent.mkdir(parents=True)
    source.write_text("// another chain\n")
    assert machine.node(clone) == node
    assert machine.builds == 1
    done = machine.run(clone, "--parachain", SKIP_WASM_BUILD="1")
    assert done.returncode == 0, done.stderr
    named = dict(line.removeprefix("export ").split("=", 1) for line in done.stdout.splitlines())
    assert Path(named["PAYSTREAM_NODE"]) == node
    # the blob of the reference runtime was handed on: it is not built again
    runtime = Path(named["PAYSTREAM_PARACHAIN"])
    assert Path(runtime.read_text().strip()).parent == node.parent
    assert machine.builds == 2


@pytest.mark.parametrize(
    "changed", ["Cargo.lock", "Cargo.toml", ".cargo/config.toml", "pallet-paystream/src/lib.rs"]
)
def test_another_source_is_another_node_and_leaves_the_first(
    machine: Machine, changed: str
) -> None:
    one, other = machine.clone("one"), machine.clone("other")
    node = machine.node(one)
    before = node.read_text()
    with (other / changed).open("a") as file:
        file.write("# another\n")
    assert machine.node(other) != node
    assert machine.node(one) == node
    assert machine.builds == 2
    assert node.read_text() == before


def test_another_compiler_or_flag_is_another_node(machine: Machine) -> None:
    clone = machine.clone("one")
    nodes = {
        machine.node(clone),
        machine.node(clone, RUSTC_VERSION="1.96.0"),
        machine.node(clone, RUSTFLAGS="-Ctarget-cpu=native"),
        machine.node(clone, TERM="dumb"),
        machine.node(clone, SKIP_WASM_BUILD="1"),
    }
    assert len(nodes) == machine.builds == 3


def test_a_node_that_does_not_run_is_built_again(machine: Machine) -> None:
    clone = machine.clone("one")
    node = machine.node(clone)
    node.write_text(FAILS)
    assert machine.node(clone) == node
    assert machine.builds == 2
    assert node.read_text() != FAILS


def test_the_nodes_that_were_used_last_are_kept(machine: Machine) -> None:
    clone = machine.clone("one")
    source = clone / "node/main.rs"

    def node(number: int, used_at: int) -> Path:
        source.write_text(f"// {number}\n")
        node = machine.node(clone)
        os.utime(node.parent, (used_at, used_at))
        return node

    nodes = [node(number, used_at=number) for number in range(NODES_KEPT)]
    node(0, used_at=NODES_KEPT)
    newest = node(NODES_KEPT, used_at=NODES_KEPT + 1)
    assert newest.exists()
    assert [node.exists() for node in nodes] == [True, False, True, True, True]


def test_sources_that_change_under_the_compiler_make_no_node(machine: Machine) -> None:
    clone = machine.clone("one")
    done = machine.run(clone, TOUCH=str(clone / "pallet-paystream/src/lib.rs"))
    assert done.returncode == 1
    assert "the sources changed" in done.stderr
    assert not done.stdout
    assert not list(machine.root.glob(".cache/paystream/nodes/*"))
