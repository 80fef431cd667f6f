"""Several chains behind one socket: each message and question goes to the chain that it names.

Each chain has a relayer of its own in this process: a journal, a book, a view of the chain, tasks.
They share the loop, the master of the delegates' keys and the link, and know nothing of each other.
What a media server says in one message is taken apart here and the answers are put together, so a
chain that is not there, or a mistake in what serves it, takes nothing from the others.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

import msgspec

from offchain.chain_names import working_for
from offchain.relayer.assembly import Relayer
from offchain.relayer.settings import SettingsInvalid
from streaming.session_state import (
    LEASE_MS,
    ConnectionState,
    Leases,
    Problem,
    Request,
    Response,
    SessionRef,
    States,
    StreamRef,
)

log = logging.getLogger("paystream.relay.chains")

BOOTS_MAX: Final = 256
"""Media servers whose boot is remembered for a chain that comes later."""
RETRY_AFTER_S: Final = 5


class ChainNamedTwice(SettingsInvalid):
    """Two names lead to one chain. The message names both and the remedy."""


class Chains:
    """The chains that are followed, and the relayers of those that are there."""

    def __init__(self, names: Iterable[str] = ("",)) -> None:
        self.names = tuple(names)
        self.served: dict[str, Relayer] = {}
        self._genesis: dict[str, str] = {}
        """Whose chain each genesis hash is."""
        self.leaser = LeaserOfEach(self)
        self.requests = RequestsOfEach(self)

    @property
    def named(self) -> tuple[str, ...]:
        """The chains that have a name."""
        return tuple(name for name in self.names if name)

    def claim(self, name: str, genesis_hash: str) -> None:
        """Note which chain a name means. Raises ChainNamedTwice.

        Two relayers on one chain would give the same numbers to different sessions.
        """
        other = self._genesis.setdefault(genesis_hash, name)
        if other != name:
            raise ChainNamedTwice(
                f"{shown(name)} is the same as {shown(other)}, with genesis {genesis_hash}: give "
                "the nodes of one chain one name, or correct the address"
            )

    def serve(self, name: str, relayer: Relayer) -> None:
        """Send a chain's messages and questions to its relayer from now on."""
        self.served[name] = relayer
        self.leaser.introduce(name)

    def is_alone(self) -> bool:
        """Tell whether there is one chain only."""
        return len(self.names) == 1


class LeaserOfEach:
    """Takes states apart by chain, and puts the leases together."""

    def __init__(self, chains: Chains) -> None:
        self._chains = chains
        self._boots: OrderedDict[str, str] = OrderedDict()
        """The last boot of each media server, by its id."""

    def greet(self, boot_id: str) -> None:
        """A media server said hello: every chain hears it."""
        server = boot_id.partition("@")[2]
        self._boots.pop(server, None)
        self._boots[server] = boot_id
        if len(self._boots) > BOOTS_MAX:
            self._boots.popitem(last=False)
        for name, relayer in self._chains.served.items():
            with working_for(name):
                relayer.leaser.greet(boot_id)

    def lose_sight(self, boot_id: str) -> None:
        """A media server is gone: every chain hears it."""
        for name, relayer in self._chains.served.items():
            with working_for(name):
                relayer.leaser.lose_sight(boot_id)

    def introduce(self, name: str) -> None:
        """Tell a chain that came later which media servers have said hello."""
        with working_for(name):
            for boot_id in self._boots.values():
                self._chains.served[name].leaser.greet(boot_id)

    def answer(self, states: States, boot_id: str) -> Leases:
        """Let each chain lease its own. Of one that is not there nothing is said: silence stops
        its media, and its final states are told again."""
        chains = self._chains
        answers: dict[str, Leases] = {}
        for name, relayer in chains.served.items():
            part = states if chains.is_alone() else _part(states, name)
            try:
                with working_for(name):
                    answers[name] = relayer.leaser.answer(part, boot_id)
            except Exception:
                if chains.is_alone():
                    raise
                log.exception("event=states-crashed chain=%r", name)
        return _together(states.sequence, answers)


def _part(states: States, chain: str) -> States:
    """Take what is a chain's out of a message, as its relayer reads it: without the name."""
    return States(
        sequence=states.sequence,
        connections=[_unnamed(one) for one in states.connections if one.session.chain == chain],
        publishers=[one for one in states.publishers if one.chain == chain],
    )


def _unnamed(state: ConnectionState) -> ConnectionState:
    if not state.session.chain:
        return state
    session = SessionRef(state.session.grant, state.session.index)
    return msgspec.structs.replace(state, session=session)


def _together(sequence: int, answers: dict[str, Leases]) -> Leases:
    return Leases(
        sequence=sequence,
        lease_ms=min((answer.lease_ms for answer in answers.values()), default=LEASE_MS),
        leases=[lease for answer in answers.values() for lease in answer.leases],
        publishers_denied={
            str(StreamRef(int(number), name)): reason
            for name, answer in answers.items()
            for number, reason in answer.publishers_denied.items()
        },
        acknowledged=[each for answer in answers.values() for each in answer.acknowledged],
        draining=bool(answers) and all(answer.draining for answer in answers.values()),
    )


class RequestsOfEach:
    """Asks the chain that a question names."""

    def __init__(self, chains: Chains) -> None:
        self._chains = chains

    async def answer(self, request: Request, origin: str) -> Response:
        """Answer one request of the server whose public origin is `origin`. Never raises."""
        relayer = self._chains.served.get(request.chain)
        if relayer is None:
            return Response(id=request.id, problem=self._absent(request.chain))
        with working_for(request.chain):
            return await relayer.requests.answer(request, origin)

    def _absent(self, name: str) -> Problem:
        if name not in self._chains.names:
            known = ", ".join(self._chains.named) or "none"
            return Problem(
                status=404,
                code="chain-not-found",
                detail=f"no chain named {name[:40]!r} is followed here: those with names are "
                f"{known}",
                field="chain",
            )
        return Problem(
            status=503,
            code="chain-unavailable",
            detail=f"{shown(name)} is not there yet: the relayer waits for one of its nodes. Try "
            "again in a moment",
            retry_after_s=RETRY_AFTER_S,
        )


def shown(name: str) -> str:
    """Name a chain in a sentence."""
    return f"the chain {name!r}" if name else "the chain without a name"
