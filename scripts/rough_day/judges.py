"""What must hold at the end of a rough day. Pure, but for reading the chain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from main_job.chain_facts import ChainFacts
from main_job.report import Findings
from offchain.cli import audit
from offchain.cli.audit import History
from offchain.ledger.client import Ledger
from offchain.ledger.types import NATIVE, Grant
from offchain.reconcile import UNPAID_KILLED_MS_MAX, judge
from rough_day.unpaid import CREDIT_MS, SLACK_MS

SOCKETS_MORE_MAX: Final = 2
"""Connections of the job itself come and go while sockets are counted."""
SETTLED_TAILS: Final = -(-(CREDIT_MS + SLACK_MS) // UNPAID_KILLED_MS_MAX)
"""So many tails of killed processes make up a credit."""
_OVER: Final = frozenset({"closed", "failed"})


def disagreements(result: Mapping[str, Any], findings: Findings) -> list[str]:
    """Give everything that does not fit of money, delivery and credit, in words."""
    history = findings.facts.history
    found = judge(result, killed=True, tails=tails(result, history))
    found += audit.disagreements(history, None, findings.stream, {}, findings.delivered_ms)
    limit_ms = CREDIT_MS + SLACK_MS
    for viewer in result["viewers"]:
        worst_ms = viewer["worst_unpaid_ms"]
        if worst_ms > limit_ms:
            found.append(
                f"viewer {viewer['account']}: {worst_ms / 1000:.1f} s were watched and unpaid at a "
                f"time, and {CREDIT_MS / 1000:g} s are allowed"
            )
    return found


def tails(result: Mapping[str, Any], history: History) -> int:
    """Count how often a viewer's media may have ended with something unpaid.

    A settled session is paid as far as its last tick: what it leaves is at most the credit.
    """
    sessions = max(len(viewer["session"].split("+")) for viewer in result["viewers"])
    settled = Counter(
        each.viewer for each in history.sessions.values() if each.close_reason == "Settled"
    )
    left = SETTLED_TAILS * max(settled.values(), default=0)
    return sessions + int(result["kills"].get("server", 0)) + left


def sockets_left(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """Name the parts that have more sockets than when nobody had watched yet."""
    return [
        f"the {part} had {before[part]} sockets before anybody watched, and has {after[part]}"
        for part in before
        if after[part] > before[part] + SOCKETS_MORE_MAX
    ]


def open_in_book(sessions: Iterable[Mapping[str, Any]]) -> list[str]:
    """Name the sessions that the relayer does not call over."""
    return [
        f"session {each['grant']}-{each['index']} is {each['status']} in the relayer's book"
        for each in sessions
        if each["status"] not in _OVER
    ]


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What the ledger holds in one finalized block, on a chain where nobody else was."""

    grants: Mapping[int, Grant]
    sessions_open: Mapping[int, int]
    """By grant."""
    sessions_of_stream: int
    vaults: int
    unclaimed: int
    owed: int
    pot: int

    @classmethod
    async def read(cls, ledger: Ledger, facts: ChainFacts, viewers: Sequence[str]) -> Ending:
        """Read it. Raises LedgerError."""
        at = facts.finalized_hash
        grants: dict[int, Grant] = {}
        for viewer in viewers:
            grants |= await ledger.grants_of(viewer, at=at)
        stream = await ledger.stream(facts.history.stream, at=at)
        entry = await ledger.asset_entry(NATIVE, at=at)
        payees = stream.payees if stream is not None else ()
        vaults = [*viewers, *(payee.account for payee in payees)]
        return cls(
            grants=grants,
            sessions_open={grant: len(await ledger.sessions(grant)) for grant in grants},
            sessions_of_stream=stream.sessions_open if stream is not None else 0,
            vaults=sum([await ledger.vault(account, at=at) for account in vaults]),
            unclaimed=stream.earned + stream.fees if stream is not None else 0,
            owed=entry.owed if entry is not None else 0,
            pot=await ledger.balance(ledger.pot, at=at),
        )

    def problems(self) -> Iterator[str]:
        """Give every slot and coin that is not free again, and each invariant that is broken."""
        for number, grant in self.grants.items():
            if grant.open or self.sessions_open[number]:
                yield f"grant {number} has {len(grant.open)} open slots, and its sessions as many"
            if grant.cap_left + grant.spent != grant.cap:
                yield (
                    f"grant {number}: of its cap of {grant.cap}, {grant.cap_left} are left and "
                    f"{grant.spent} spent"
                )
        if self.sessions_of_stream:
            yield f"the stream counts {self.sessions_of_stream} open sessions"
        if self.vaults + self.unclaimed != self.owed:
            yield (
                f"the ledger owes {self.owed}, but vaults have {self.vaults} and the stream "
                f"{self.unclaimed}"
            )
        if self.pot < self.owed:
            yield f"the ledger owes {self.owed}, and its pot has {self.pot}"
