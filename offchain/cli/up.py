"""`paystream up`: a whole site as one command, for a developer or a small site."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from offchain.cli import options
from offchain.cli.command import command
from offchain.cli.node import RPC_PORT, find_node
from offchain.cli.output import Output
from offchain.cli.ports import parse_listen, refuse_taken_port

if TYPE_CHECKING:
    from offchain.processes import Supervisor
    from offchain.site import Site

TEMPORARY: Final = "paystream-up-"
ADMITS_WITHIN_S: Final = 30.0
"""How long it may take from the last part's start until a viewer could be admitted."""


def add_to(app: typer.Typer, panel: str) -> None:
    """Register the command."""
    command(
        app,
        "up",
        "paystream up",
        "paystream up --state-dir site --json",
        "paystream up --chain wss://rpc.example --listen 127.0.0.1:8080",
        panel=panel,
    )(up)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to run, and where it keeps its files."""

    node: Path | None
    """The node's program; None where another's chain is used."""
    chain: str
    signer: Path
    signs_elsewhere: bool
    """Whether a signer of another's holds the keys, and none is started."""
    listen: str
    origin: str | None
    state: Path
    password_file: Path
    is_temporary: bool
    development_accounts: bool


def up(
    out: Output,
    *,
    chain: Annotated[
        str | None,
        options.option(
            "--chain",
            "Address of a node that runs already.",
            "URL",
            show_default="a development chain of its own",
        ),
    ] = None,
    node: options.NodeProgram = None,
    rpc_port: Annotated[
        int,
        options.option(
            "--rpc-port", "Port of the node's RPC; 0 takes a free one.", "PORT", min=0, max=65_535
        ),
    ] = RPC_PORT,
    signer: Annotated[
        Path | None,
        options.option(
            "--signer",
            "Socket of a signer that runs already.",
            "PATH",
            show_default="a signer of its own",
        ),
    ] = None,
    listen: Annotated[
        str, options.option("--listen", "Where pages are served; port 0: a free one.", "HOST:PORT")
    ] = options.LISTEN_DEFAULT,
    origin: Annotated[
        str | None,
        options.option(
            "--origin",
            "Public address that tokens are bound to, such as https://live.example.",
            "URL",
            show_default="what is listened on",
        ),
    ] = None,
    state_dir: Annotated[
        Path | None,
        options.option(
            "--state-dir",
            "Where chain, journal, keys and logs are kept.",
            "DIR",
            show_default="a directory that is removed at the end; with --chain the usual one",
        ),
    ] = None,
    password_file: Annotated[
        Path | None,
        options.option(
            "--password-file",
            "File whose first line is the password of the delegates' keys.",
            "FILE",
            show_default="password in the state directory, made at the first start",
        ),
    ] = None,
) -> None:
    """Run node, signer, relayer and media server with its pages together, until Ctrl-C.

    Says where everything is, and starts again what dies. With a chain of its own, pages can use the
    development accounts without a wallet. Settings of `serve`, `relay` and `signer` (variables and
    the TOML file) hold for them as ever. With --json one line an event: ready, ended, restarted,
    stopping.
    """
    import trio

    from offchain.processes import Supervisor
    from offchain.site import free_port

    program = None if chain is not None else find_node(node)
    host, port = parse_listen(listen)
    refuse_taken_port(host, port, "--listen")
    if program is not None:
        refuse_taken_port("127.0.0.1", rpc_port, "--rpc-port")
        chain = f"ws://127.0.0.1:{rpc_port or free_port()}"
    is_temporary = program is not None and state_dir is None
    state = (
        Path(tempfile.mkdtemp(prefix=TEMPORARY)) if is_temporary else options.state_dir(state_dir)
    )
    plan = Plan(
        node=program,
        chain=str(chain),
        signer=signer or state / "signer.sock",
        signs_elsewhere=signer is not None,
        # a port that a restart would change is chosen once
        listen=listen if port else f"{listen.rpartition(':')[0]}:{free_port()}",
        origin=origin,
        state=state,
        password_file=_password(state, password_file),
        is_temporary=is_temporary,
        development_accounts=program is not None,
    )
    supervisor = Supervisor(_logs(state), _environment(plan))
    try:
        trio.run(_run, out, plan, supervisor)
    finally:
        supervisor.end_all()
        if is_temporary:
            shutil.rmtree(state, ignore_errors=True)


def _password(state: Path, given: Path | None) -> Path:
    """Find the password's file, and make it where there is none."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    if given is not None:
        return given
    path = state / "password"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24) + "\n")
    return path


def _logs(state: Path) -> Path:
    """Make the directory of the logs, and keep the last run's beside this one's."""
    logs = state / "logs"
    logs.mkdir(exist_ok=True)
    for log in logs.glob("*.log"):
        log.replace(log.with_suffix(".log.1"))
    return logs


def _environment(plan: Plan) -> dict[str, str]:
    return os.environ | {
        "PAYSTREAM_STATE_DIR": str(plan.state),
        "PAYSTREAM_PASSWORD_FILE": str(plan.password_file),
        "PAYSTREAM_CHAIN": plan.chain,
        "PAYSTREAM_SIGNER": str(plan.signer),
        "PAYSTREAM_LISTEN": plan.listen,
        "PYTHONUNBUFFERED": "1",
    }


async def _run(out: Output, plan: Plan, supervisor: Supervisor) -> None:
    import trio

    from offchain.processes import ProcessFailed
    from offchain.site import Site

    site = Site(supervisor, lambda event: _tell(out, event))
    failure: ProcessFailed | None = None
    async with trio.open_nursery() as nursery:
        with supervisor.within(nursery):
            nursery.start_soon(_until_signal, out, nursery.cancel_scope)
            try:
                await _start(site, nursery, plan, out)
                await trio.sleep_forever()
            except ProcessFailed as error:  # carried out of the nursery, which would wrap it
                failure = error
                nursery.cancel_scope.cancel()
            finally:
                with trio.CancelScope(shield=True):
                    await site.end()
    if failure is not None:
        raise failure


async def _until_signal(out: Output, scope: Any) -> None:
    import signal

    import trio

    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for _ in signals:
            if not scope.cancel_called:
                _tell(out, {"event": "stopping"})
            scope.cancel()


async def _start(site: Site, nursery: Any, plan: Plan, out: Output) -> None:
    from offchain.site import (
        Part,
        free_port,
        makes_blocks,
        node_command,
        paystream,
        says_ready,
    )

    if plan.node is not None:
        _progress(out, "starting a development chain")
        port = int(plan.chain.rpartition(":")[2])

        async def node_is_ready(child: Any) -> Mapping[str, Any]:
            await makes_blocks(child, plan.chain)
            return {}

        command_line = node_command(plan.node, plan.state / "chain", port)
        await site.add(nursery, Part("node", command_line, node_is_ready))
    _progress(out, "starting signer, relayer and media server")
    signs = ["--signer", str(plan.signer)]
    if not plan.signs_elsewhere:
        await site.add(nursery, Part("signer", paystream("signer", *signs), says_ready))
    socket = ["--socket", str(plan.state / "relay.sock")]
    relay = paystream("relay", "--chain", plan.chain, "--metrics-port", str(free_port()), *socket)
    relay += signs
    relay += ["--chain-wait", "0"]  # whoever typed the command wants to see at once what is wrong
    if plan.development_accounts:
        relay.append("--development-accounts")
    relayer = await site.add(nursery, Part("relay", relay, says_ready))
    serve = paystream("serve", "--listen", plan.listen, *socket)
    serve += ["--community-database", str(plan.state / "community.sqlite")]
    if plan.origin is not None:
        serve += ["--origin", plan.origin]
    server = await site.add(nursery, Part("serve", serve, says_ready))
    metrics = f"http://127.0.0.1:{relayer['metrics_port']}"
    failing = await _in_the_way(metrics)
    for check, why in failing.items():
        out.warn(f"it admits nobody yet, for want of {check}: {why}")
    ready = {
        "event": "ready",
        "failing": failing,
        "url": server["url"],
        "chain": plan.chain,
        "metrics": f"{metrics}/metrics",
        "state_dir": str(plan.state),
        "logs": str(site.logs),
        "development_accounts": plan.development_accounts,
        "processes": {part.name: part.child.pid for part in site.parts if part.child is not None},
    }
    if out.json_mode:
        out.event(ready)
    else:
        out.text(_welcome(plan, ready))


async def _in_the_way(relayer: str) -> dict[str, str]:
    """Wait a while until the relayer could admit a viewer. Give what keeps it from that."""
    import trio

    failing: dict[str, str] = {}
    with trio.move_on_after(ADMITS_WITHIN_S):
        while True:
            failing = await trio.to_thread.run_sync(_failing, relayer)
            if not failing:
                break
            await trio.sleep(0.2)
    return failing


def _failing(relayer: str) -> dict[str, str]:
    import json
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(f"{relayer}/readyz", timeout=5):  # noqa: S310 - our own, on loopback
            return {}
    except urllib.error.HTTPError as answer:
        with answer:
            failing: dict[str, str] = json.loads(answer.read())["failing"]
            return failing
    except OSError as error:
        return {"relayer": str(error)}


def _progress(out: Output, what: str) -> None:
    if not out.json_mode:
        out.note(what)


def _welcome(plan: Plan, ready: Mapping[str, Any]) -> str:
    kind = "a development chain; its money is worth nothing" if plan.node else "as you named it"
    kept = "removed at the end" if plan.is_temporary else "kept"
    lines = [
        f"PayStream is up: {ready['url']}",
        f"  chain    {ready['chain']} ({kind})",
        f"  metrics  {ready['metrics']}",
        f"  state    {ready['state_dir']} ({kept})",
        f"  logs     {ready['logs']}",
    ]
    if plan.development_accounts:
        lines.append("  accounts the pages offer the development accounts, without a wallet")
    return "\n".join([*lines, "Ctrl-C ends all of it."])


def _tell(out: Output, event: Mapping[str, Any]) -> None:
    if out.json_mode:
        out.event(event)
        return
    match event["event"]:
        case "ended":
            out.warn(
                f"{event['part']} has ended (exit code {event['exit_code']}) and is started again "
                f"in {event['again_in_s']:g} s; its log is {event['log']}"
            )
        case "restarted":
            out.note(f"{event['part']} runs again")
        case "stopping":
            out.note("stopping; everything that was started is being ended")
