"""A whole running system for one stream: node, relayer, media server, people and a publisher.

The demo plays on it, and so do measurements and tests.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import trio

from main_job import accounts, parts
from main_job.accounts import People
from main_job.options import PathOptions
from main_job.parts import Dirs, Meeting
from main_job.processes import Child, ProcessFailed, Supervisor
from main_job.rest import Rest
from main_job.state import Phase
from offchain.ledger.client import Ledger, open_ledger
from offchain.ledger.types import NATIVE, Asset

LIVE_SECONDS_MAX: Final = 60.0
GUARD_INTERVAL_S: Final = 0.2
NODE_PATIENCE_S: Final = 60.0
"""On a machine that others keep busy an answer may take long; a node that has died is noticed at
once by the guard."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the stage is built for. Money in the smallest unit; `chain` None starts a node.

    `viewer_funds` are native; of another `asset` each viewer gets `viewer_assets` besides.
    """

    viewers: int
    rate_per_second: int
    viewer_funds: int
    chain: str | None = None
    relayer_chain: str | None = None
    """Where the relayer reaches the chain, if that is not where everybody else does."""
    batch_account: str | None = None
    """The funded account with which the relayer settles, and sends batches; None for none."""
    asset: Asset = NATIVE
    viewer_assets: int = 0
    path: PathOptions | None = None
    """What stands between clients and server; None for nothing."""


NodeStarter = Callable[[Supervisor, Dirs], Awaitable[tuple[Child, str]]]
"""Starts a chain of its own, and gives its node and address once it makes blocks."""
Planner = Callable[[Ledger], Awaitable[Plan]]
"""Makes the plan once the chain answers."""


@dataclass(kw_only=True)
class Stage:
    """What runs, and who is there."""

    supervisor: Supervisor
    dirs: Dirs
    chain: str
    relayer_chain: str
    batch_account: str | None
    ledger: Ledger
    people: People
    meeting: Meeting
    asset: Asset
    """What the stream is paid in."""
    rest: Rest
    """Signed in with a publish token of the stream's owner."""
    parts: dict[str, Child] = field(default_factory=dict)
    """By name: `node` (unless another's is used), `relay`, `serve`, `path` (if any), `publish`."""

    async def publish(self, video: Path | None, stall_s: int = 0) -> Child:
        """Start the publisher, a browser without `video`, and wait until it is live."""
        publisher = parts.start_publisher(
            self.supervisor, self.meeting, self.people.owner_name, video, stall_s
        )
        self.parts["publish"] = publisher
        await publisher.ready("live", LIVE_SECONDS_MAX)
        return publisher

    async def unpublish(self) -> None:
        """End the publisher."""
        await self.supervisor.end(self.parts.pop("publish"))

    async def kill(self, name: str) -> None:
        """SIGKILL a part, and wait until it is gone."""
        child = self.parts.pop(name)
        child.send_group(signal.SIGKILL)
        await child.wait()

    async def start_relayer(self) -> None:
        """Start the relayer, again if it was killed."""
        self.parts["relay"] = await parts.start_relayer(
            self.supervisor, self.dirs, self.relayer_chain, self.batch_account
        )

    async def start_server(self) -> None:
        """Start the media server again where it was reached before."""
        listen = urlsplit(self.meeting.server).netloc
        self.parts["serve"], _ = await parts.start_server(self.supervisor, self.dirs, listen=listen)

    async def guard(self) -> None:
        """Complain as soon as a part ends that should run. Raises ProcessFailed."""
        while True:
            for child in self.parts.values():
                if not child.running:
                    raise ProcessFailed(child.complaint("ended while it was needed"))
            await trio.sleep(GUARD_INTERVAL_S)


@asynccontextmanager
async def open_stage(
    supervisor: Supervisor,
    dirs: Dirs,
    plan: Plan | Planner,
    enter: Callable[[Phase], None],
    *,
    chain: str | None = None,
    start_node: NodeStarter = parts.start_node,
) -> AsyncIterator[Stage]:
    """Start everything but publisher and viewers; `enter` is told each phase.

    `chain` is a running node's address, as a plan's own is; `start_node` starts one without. The
    supervisor ends the processes.
    Raises ProcessFailed, RestFailed or LedgerError.
    """
    running: dict[str, Child] = {}
    enter("starting the node")
    chain = plan.chain if isinstance(plan, Plan) else chain
    if chain is None:
        running["node"], chain = await start_node(supervisor, dirs)
    supervisor.env["PAYSTREAM_CHAIN"] = chain
    async with open_ledger(chain, timeout_s=NODE_PATIENCE_S) as ledger:
        if not isinstance(plan, Plan):
            plan = await plan(ledger)
        enter("starting relayer and media server")
        dirs.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        accounts.write_password(dirs.password_file)
        relayer_chain = plan.relayer_chain or chain
        running["relay"] = await parts.start_relayer(
            supervisor, dirs, relayer_chain, plan.batch_account
        )
        if plan.path is None:
            running["serve"], server = await parts.start_server(supervisor, dirs)
        else:
            media, server = await parts.start_server_behind(supervisor, dirs, plan.path)
            running |= media

        enter("creating accounts and the stream")
        people = await trio.to_thread.run_sync(
            accounts.make_people,
            dirs.state / "keys",
            dirs.password_file.read_text(),
            plan.viewers,
            plan.rate_per_second,
            abandon_on_cancel=True,
        )
        await accounts.fund(ledger, people, plan.viewer_funds)
        if plan.asset is not None:
            await accounts.fund_in(ledger, people, plan.asset, plan.viewer_assets)
        stream, _ = await ledger.create_stream(
            people.owner,
            rate_per_second=plan.rate_per_second,
            payees=people.payees,
            asset=plan.asset,
            wait="finalized",
        )
        rest = Rest(server)
        await rest.sign_in(people.owner, "publish", stream)
        yield Stage(
            supervisor=supervisor,
            dirs=dirs,
            chain=chain,
            relayer_chain=relayer_chain,
            batch_account=plan.batch_account,
            ledger=ledger,
            people=people,
            meeting=Meeting(server=server, stream=stream),
            asset=plan.asset,
            rest=rest,
            parts=running,
        )
