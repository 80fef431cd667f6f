"""Stock polkadot-omni-node with the parachain's runtime, in place of the reference node."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import trio

from main_job.parts import Dirs, free_port
from main_job.processes import Child, ProcessFailed, Supervisor
from offchain import site

RUNTIME_VARIABLE: Final = "PAYSTREAM_PARACHAIN"
"""Path of the parachain runtime's WebAssembly; scripts/demo sets it."""
BLOCK_MS: Final = 6_000
"""Its development clock moves by so much with each block, however soon that comes."""
RELAY_CHAIN: Final = "rococo-local"
"""A specification names one; none is there."""


async def start_omni_node(supervisor: Supervisor, dirs: Dirs, program: Path) -> tuple[Child, str]:
    """Start a development chain of its own; give it and its address once it makes blocks.

    Raises ProcessFailed.
    """
    spec = dirs.root / "parachain.json"
    await _write_specification(program, _runtime(), spec)
    port = free_port()
    node = supervisor.start(
        "node",
        [
            *(str(program), "--chain", str(spec), "--dev", "--dev-block-time", str(BLOCK_MS)),
            *("--base-path", str(dirs.root / "chain"), "--rpc-port", str(port), "--port", "0"),
            *("--no-prometheus", "--no-telemetry", "--no-mdns", "--no-hardware-benchmarks"),
        ],
    )
    url = f"ws://127.0.0.1:{port}"
    await site.makes_blocks(node, url)
    return node, url


def _runtime() -> Path:
    named = os.environ.get(RUNTIME_VARIABLE, "")
    if not named or not Path(named).is_file():
        raise ProcessFailed(
            "the parachain's runtime is not there: scripts/setup --parachain builds it, and says "
            f"what to set {RUNTIME_VARIABLE} to"
        )
    return Path(named)


async def _write_specification(program: Path, runtime: Path, spec: Path) -> None:
    """Let omni-node write what it starts from, as an operator would. Raises ProcessFailed."""
    command = [
        *(str(program), "chain-spec-builder", "--chain-spec-path", str(spec), "create"),
        *("--chain-name", "PayStream Parachain", "--chain-id", "paystream_parachain_dev"),
        *("-t", "development", "--relay-chain", RELAY_CHAIN),
        *("--runtime", str(runtime), "named-preset", "development"),
    ]
    done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise ProcessFailed(f"{program} wrote no specification of the chain: {said[-500:]}")
