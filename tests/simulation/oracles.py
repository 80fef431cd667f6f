"""Seven judges of a run. Each says in a sentence what is wrong, and with which session or viewer.

1. `charged`: no second is charged that was not delivered, and none twice; and no tick costs more
   than its viewer has seen.
2. `credit`: what is forwarded and in no best block stays within the viewer's credit.
3. `ends`: when the faults have stopped, every session ends, and every slot and coin is free again.
4. `bounded`: every queue, map and file is bounded, and no task is leaked.
5. `written`: what is signed was in the journal before, and what is sent was so with its signature.
6. `paid`: on a good day what was delivered is paid, with orders that the ledger takes.
7. `decided`: nothing is over in the relayer's journal that a final block has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import trio

from offchain.ledger.types import NATIVE
from streaming.session_state import SessionRef
from tests.model.invariants import violated
from tests.relayer.fake_chain import BASE_MS
from tests.simulation.blockchain import Block, Blockchain
from tests.simulation.media_server import WITHHELD_MS, Watching, now_ms
from tests.simulation.story import Story

UNDECIDED_MS = 300_000
"""So long after its last connection an open that no block has taken counts as never to come, where
it is not known when its time was up."""
READS_OF_TWO_BLOCKS = 14
"""So many answers of its node, one after the other, a relayer has read at most when it knows of a
fork: those about the block that it was reading when the fork came, and those about the next one."""
REFILL_DIVISOR = 60
"""Of what became unpayable, one second comes back in sixty."""


@dataclass(frozen=True)
class Bounds:
    """What a relayer is held to."""

    credit_ms: int = 20_000
    """What may be forwarded to one viewer and be in no best block."""
    slack_ms: int = 2_500
    """Two states, an answer and what is cut off to whole seconds."""
    fork_grace_ms: int = 5_000
    """After a fork that took charges away: how long until the media must wait."""
    unpaid_max_ms: int = 1_500
    """Of a visit on a good day: what is withheld, what is cut off, and the report that is last."""
    ends_within_s: float = 600.0
    """After the last fault: gap, window, and time to send what is due."""
    entries_max: int = 400
    """Of any map or list that the relayer keeps when everything has ended."""
    accounts_max: int = 10_000
    """Of what is kept for each account that has signed in: its token, and the key it may grant."""
    file_bytes_max: int = 32 << 20


@dataclass(frozen=True)
class Failure:
    """What a judge found."""

    oracle: str
    what: str


@dataclass
class Group:
    """The connections of one admission, and the sessions of the ledger that are to pay them."""

    viewer: str
    connections: list[Watching] = field(default_factory=list)
    sessions: list[SessionRef] = field(default_factory=list)
    """In the order in which they followed each other."""
    excused_ms: int = 0
    """What a media server's crash took with it before it could be told."""
    closed_ms: dict[SessionRef, int] = field(default_factory=dict)
    """What was forwarded when a block closed a session of which no final block has said so."""
    ended: int = 0
    """How many of the sessions have ended for good."""
    lost_ms: int = 0
    """What they left unpaid: it is in the viewer's bucket."""
    settled: bool = False
    """It is over, with all its sessions."""

    @property
    def sent_ms(self) -> int:
        """What was forwarded."""
        return sum(watching.sent_ms for watching in self.connections) - self.excused_ms

    @property
    def held_ms(self) -> int:
        """What its viewer truly has."""
        return sum(watching.held_ms for watching in self.connections)

    @property
    def over(self) -> bool:
        """Whether no connection is left."""
        return all(watching.final or watching.gone for watching in self.connections)


class Account:
    """One viewer's bucket: what can no longer be paid, and comes back slowly."""

    def __init__(self) -> None:
        self.lost_ms = 0.0
        self.at_ms = 0
        self.sent_ms = 0
        self.excused_until_ms = 0
        self.worst_ms = 0

    def leaked(self, at_ms: int) -> float:
        """Give what is left of it at a moment."""
        self.lost_ms = max(0.0, self.lost_ms - (at_ms - self.at_ms) / REFILL_DIVISOR)
        self.at_ms = at_ms
        return self.lost_ms


class Judges:
    """Watch a run from its first block to its last."""

    def __init__(self, chain: Blockchain, story: Story, bounds: Bounds) -> None:
        self.bounds = bounds
        self.failures: list[Failure] = []
        self.groups: dict[SessionRef, Group] = {}
        """By each session that is to pay for the group's connections."""
        self.accounts: dict[str, Account] = defaultdict(Account)
        self.charged: dict[SessionRef, int] = {}
        """Seconds that the best chain has charged, of every session that ever was on it."""
        self.opened = 0
        self._tick_prices: dict[SessionRef, int] = {}
        """What each session that a block has opened pays the operator for a tick."""
        self._asked: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
        """When each viewer asked anew for a stream, and what a tick cost then."""
        self._chain = chain
        self._story = story
        self._of_viewer: dict[str, list[Group]] = defaultdict(list)
        self._unsettled: dict[str, list[Group]] = defaultdict(list)
        self._undo: dict[str, list[tuple[SessionRef, int | None]]] = {}
        self.blind: Callable[[], bool] = lambda: False
        """Whether the relayer's node keeps from it what the chain does."""
        self._blind_ms = -1
        """When it last was so, by the chain's blocks."""
        self.over: Callable[[], set[tuple[int, int]]] = set
        """What the relayer's journal holds for over, by grant and index."""
        self.answer_ms: Callable[[], int] = lambda: 0
        """How long the relayer's node takes for an answer."""
        self._told: set[tuple[str, str]] = set()
        chain.on_block.append(self._block)
        chain.on_fork.append(self._fork)

    def fail(self, oracle: str, about: str, what: str) -> None:
        """Note a failure; of each kind about each thing the first."""
        if (oracle, about) not in self._told:
            self._told.add((oracle, about))
            self.failures.append(Failure(oracle, f"{about}: {what}"))
            self._story.tell(f"FAILURE {oracle}", about=about, what=what)

    # --- what is told to them --------------------------------------------------------------

    def asked(self, viewer: str, stream: int) -> None:
        """A viewer asks anew, and is shown what a tick costs; maybe they are never answered."""
        price = self._chain.ledger().asset_entries[NATIVE].tick_price
        self._asked[viewer, stream].append((now_ms(), price))

    def attached(self, watching: Watching, resume: str | None = None) -> None:
        """A viewer was admitted and watches; `resume` is the secret with which they asked."""
        if watching.ref not in self.groups and watching.resumed:
            self._join(watching, resume)
        group = self.groups.get(watching.ref)
        if group is not None and watching.resumed:
            self._reopen(group)  # an open that seemed too late may be signed anew
        elif group is None or (group.settled and not self.charged.get(watching.ref)):
            if group is not None:
                group.sessions.remove(watching.ref)  # it never was on the chain
            group = self.groups[watching.ref] = Group(watching.viewer)
            self._of_viewer[watching.viewer].append(group)
            self._unsettled[watching.viewer].append(group)
        group.connections.append(watching)
        if watching.ref not in group.sessions:
            group.sessions.append(watching.ref)

    def _join(self, watching: Watching, resume: str | None) -> None:
        """Find whom a resumed session goes on for that is in no block yet: it follows a lapsed one,
        whose connection had the secret."""
        for group in self._of_viewer.get(watching.viewer, []):
            if any(before.resume == resume for before in group.connections):
                self._follow(watching.ref, group)

    def _follow(self, ref: SessionRef, group: Group) -> None:
        group.sessions.append(ref)
        self.groups[ref] = group
        self._reopen(group)

    def _reopen(self, group: Group) -> None:
        """Reckon again with a group that counted as over."""
        if group.settled:
            group.settled = False
            self._unsettled[group.viewer].append(group)

    def crashed(self, watching: Watching, untold_ms: int) -> None:
        """A media server has crashed with a connection, of which it had not told everything."""
        self.groups[watching.ref].excused_ms += untold_ms

    def _block(self, block: Block) -> None:
        if self.blind():
            self._blind_ms = now_ms()
        undo: list[tuple[SessionRef, int | None]] = []
        for event in block.events:
            if event.name not in ("Ticked", "SessionOpened", "SessionClosed"):
                continue
            fields = event.fields
            ref = SessionRef(fields["grant"], fields["index"])
            if event.name == "SessionOpened":
                self.opened += 1
                undo.append((ref, self.charged.get(ref)))
                self.charged.setdefault(ref, 0)
                entry = block.ledger.sessions.get((ref.grant, ref.index))
                self._tick_prices[ref] = 0 if entry is None else entry.tick_price
                self._adopt(ref, fields["viewer"], fields["stream"], block.ledger.sessions.keys())
            elif event.name == "Ticked":
                undo.append((ref, self.charged.get(ref)))
                self.charged[ref] = fields["seconds"]
                self._check_charge(ref)
            else:
                self._note_close(ref)
        if undo:
            self._undo[block.head.hash] = undo
        for viewer in self._unsettled:
            self._settle(viewer)
        self._judge_decided()

    # --- 7: decided ------------------------------------------------------------------------

    def _judge_decided(self) -> None:
        """Say which sessions are over for the relayer alone."""
        ledger = self._chain.blocks[self._chain.canonical[self._chain.finalized]].ledger
        for place in sorted(self.over() & ledger.sessions.keys()):
            what = "it is over in the relayer's journal, and open in the last final block"
            self.fail("decided", f"session {SessionRef(*place)}", what)

    def _adopt(
        self, ref: SessionRef, viewer: str, stream: int, listed: Container[tuple[int, int]]
    ) -> None:
        """Find whom a session that nobody was admitted to is for: it follows a lapsed one.

        `listed` are those that are open now: rather than a group with one of them, it goes on for
        a group whose last one was open and has ended.
        """
        if ref in self.groups:
            return
        may_be = [
            group
            for group in reversed(self._of_viewer.get(viewer, []))
            if group.connections[-1].stream == stream and not self._is_past(group)
        ]
        ended = [group for group in may_be if self._may_be_followed(group, listed)]
        for group in [*ended, *may_be][:1]:
            self._check_price(ref, group, stream)
            self._follow(ref, group)  # even if its viewer left while this was on its way

    def _may_be_followed(self, group: Group, listed: Container[tuple[int, int]]) -> bool:
        if not group.sessions or group.sessions[-1] not in self.charged:
            return False
        return all((each.grant, each.index) not in listed for each in group.sessions)

    def _check_price(self, ref: SessionRef, group: Group, stream: int) -> None:
        """Hold a session that follows another against what its viewer has agreed to.

        Nor is it one that follows, where its viewer asked anew and the answer was lost: they have
        seen what a tick cost by then.
        """
        before = self._tick_prices.get(group.sessions[-1]) if group.sessions else None
        if before is None:
            return
        began_ms = group.connections[0].began_ms
        asked = self._asked[group.viewer, stream]
        agreed = max([before, *(price for at_ms, price in asked if at_ms > began_ms)])
        if self._tick_prices[ref] > agreed:
            what = f"it pays {self._tick_prices[ref]} for a tick, and its viewer has seen {agreed}"
            self.fail("charged", f"session {ref}", what)

    def _is_past(self, group: Group) -> bool:
        """Tell whether no session can come to the chain any more that pays for a group."""
        return group.settled and now_ms() - group.connections[-1].at_ms > UNDECIDED_MS

    def _note_close(self, ref: SessionRef) -> None:
        group = self.groups.get(ref)
        if group is not None:
            for watching in group.connections:
                watching.advance(now_ms())
            group.closed_ms[ref] = group.sent_ms

    def _fork(self, dropped: list[Block]) -> None:
        at_ms = now_ms()
        for block in reversed(dropped):
            for ref, before in reversed(self._undo.pop(block.head.hash, [])):
                if before is None:
                    self.charged.pop(ref, None)
                else:
                    self.charged[ref] = before
                group = self.groups.get(ref)
                if group is not None:
                    account = self.accounts[group.viewer]
                    told_ms = READS_OF_TWO_BLOCKS * self.answer_ms()
                    account.excused_until_ms = at_ms + self.bounds.fork_grace_ms + told_ms

    # --- 1: charged ------------------------------------------------------------------------

    def _check_charge(self, ref: SessionRef) -> None:
        group = self.groups.get(ref)
        if group is None:
            self.fail("charged", f"session {ref}", "charged, and nobody was ever admitted to it")
            return
        self._reopen(group)  # what counted as lost and is paid after all comes back
        at_ms = now_ms()
        for watching in group.connections:
            watching.advance(at_ms)
        seconds = sum(self.charged.get(each, 0) for each in group.sessions)
        if seconds * 1000 > group.held_ms:
            self.fail(
                "charged",
                f"session {ref} of {group.viewer[:8]}",
                f"{seconds} s are charged, and {group.held_ms / 1000:.1f} s were delivered",
            )

    def judge_charges(self) -> None:
        """Hold the whole ledger against what was delivered, at the end of a run."""
        ledger = self._chain.ledger()
        for what in violated(ledger):
            self.fail("charged", "ledger", what)
        seconds: dict[str, int] = defaultdict(int)
        for group in self._groups():
            seconds[group.viewer] += sum(self.charged.get(ref, 0) for ref in group.sessions)
        total = sum(stream.seconds for stream in ledger.streams.values())
        if total != sum(self.charged.values()):
            told = sum(self.charged.values())
            self.fail("charged", "streams", f"they have {total} s, and {told} s were charged")
        for viewer, charged in seconds.items():
            held_ms = sum(group.held_ms for group in self._of_viewer[viewer])
            if charged * 1000 > held_ms:
                what = f"{charged} s are charged, and {held_ms / 1000:.1f} s were delivered"
                self.fail("charged", f"viewer {viewer[:8]}", what)

    def _groups(self) -> Iterator[Group]:
        for groups in self._of_viewer.values():
            yield from groups

    # --- 2: credit -------------------------------------------------------------------------

    def unpaid_ms(self, viewer: str) -> int:
        """Tell what was forwarded to a viewer and is in no best block, as the design counts it."""
        self._settle(viewer)
        left_ms = sum(self._left_ms(group) for group in self._unsettled[viewer])
        return max(0, int(self.accounts[viewer].leaked(now_ms()) + left_ms))

    def _left_ms(self, group: Group, last: SessionRef | None = None) -> int:
        """Tell what of a group is neither charged nor lost yet.

        What its meter withholds and what is cut off to whole seconds is not in it. With `last`:
        what was so when a block closed that session. Below 0 where a session paid for what counted
        as lost with the one before it.
        """
        sessions, sent_ms = group.sessions, group.sent_ms
        if last is not None:
            sessions = sessions[: sessions.index(last) + 1]
            sent_ms = group.closed_ms[last]
        charged = sum(self.charged.get(ref, 0) for ref in sessions)
        left_ms = sent_ms - 1000 * charged - group.lost_ms
        tolerated_ms = WITHHELD_MS * len(group.connections) + 1000 * group.ended
        return left_ms if left_ms < 0 else max(0, left_ms - tolerated_ms)

    def _settle(self, viewer: str) -> None:
        """Take what a viewer's sessions left unpaid into the bucket, once it is final that they
        have ended: from then on it comes back."""
        for group in list(self._unsettled[viewer]):
            for ref in list(group.closed_ms):
                if self._has_ended(ref):
                    group.ended += 1
                    self._lose(group, self._left_ms(group, ref))
                    del group.closed_ms[ref]
            if group.over and self._is_decided(group):
                group.ended = len(group.sessions)
                self._lose(group, self._left_ms(group))
                group.settled = True
                self._unsettled[viewer].remove(group)

    def _lose(self, group: Group, lost_ms: int) -> None:
        account = self.accounts[group.viewer]
        account.lost_ms = max(0.0, account.leaked(now_ms()) + lost_ms)
        group.lost_ms += lost_ms

    def _has_ended(self, ref: SessionRef) -> bool:
        """Tell whether neither the best block nor the final one has a session."""
        final = self._chain.blocks[self._chain.canonical[self._chain.finalized]]
        place = (ref.grant, ref.index)
        return all(place not in block.ledger.sessions for block in (final, self._chain.best))

    def _is_decided(self, group: Group) -> bool:
        """Tell whether a final block has ended all that could still pay for a group."""
        if not all(self._has_ended(ref) for ref in group.sessions):
            return False
        late = now_ms() - group.connections[-1].at_ms > UNDECIDED_MS
        return all(
            late or ref in self.charged or self._never_opens(group, ref) for ref in group.sessions
        )

    def _never_opens(self, group: Group, ref: SessionRef) -> bool:
        """Tell whether a final block lets no later one open a session: its order's time is up, or
        its grant is gone."""
        final = self._chain.blocks[self._chain.canonical[self._chain.finalized]]
        ledger = final.ledger
        if ref.grant < ledger.next_grant and ref.grant not in ledger.grants:
            return True
        starts = [each.began_ms for each in group.connections if each.ref == ref]
        up_ms = max(starts, default=now_ms()) + self._chain.constants.head_start_max_ms
        return final.now_ms - BASE_MS > up_ms

    def watch(self, watching: Watching) -> None:
        """Judge a connection's viewer now; `watching` has just been brought up to date."""
        viewer = watching.viewer
        account = self.accounts[viewer]
        sent_ms = sum(
            each.sent_ms for group in self._unsettled[viewer] for each in group.connections
        )
        grew, account.sent_ms = sent_ms > account.sent_ms, sent_ms
        if not grew:
            return
        unpaid_ms = self.unpaid_ms(viewer)
        if account.excused_until_ms and self._may_not_know(now_ms(), account):
            return
        account.worst_ms = max(account.worst_ms, unpaid_ms)

    def _may_not_know(self, at_ms: int, account: Account) -> bool:
        """Tell whether the relayer cannot know yet what a fork took away: no node tells it."""
        heard_ms = max(self._blind_ms + self.bounds.fork_grace_ms, account.excused_until_ms)
        if self.blind() or at_ms < heard_ms:
            return True
        account.excused_until_ms = 0
        return False

    def judge_credit(self) -> None:
        """Say who has watched more on credit than is allowed."""
        limit_ms = self.bounds.credit_ms + self.bounds.slack_ms
        for viewer, account in self.accounts.items():
            if account.worst_ms > limit_ms:
                self.fail(
                    "credit",
                    f"viewer {viewer[:8]}",
                    f"{account.worst_ms / 1000:.1f} s were forwarded and in no best block, and "
                    f"{self.bounds.credit_ms / 1000:g} s are allowed",
                )

    # --- 3: ends ---------------------------------------------------------------------------

    def open_sessions(self) -> list[SessionRef]:
        """List what the ledger has not ended yet."""
        return [SessionRef(*place) for place in self._chain.ledger().sessions]

    def judge_ends(self, relayers_own: int, waited_s: float) -> None:
        """Say what is still taken when everything should be free."""
        ledger = self._chain.ledger()
        for ref in self.open_sessions():
            entry = ledger.sessions[ref.grant, ref.index]
            self.fail(
                "ends",
                f"session {ref}",
                f"{waited_s:.0f} s after the last fault it holds a slot and {entry.left} units",
            )
        if relayers_own:
            self.fail(
                "ends", "relayer", f"{relayers_own} sessions are open in its book, none on chain"
                if not ledger.sessions else f"{relayers_own} sessions are open in its book"
            )  # fmt: skip
        for number, grant in ledger.grants.items():
            if not grant.open and grant.cap_left + grant.spent != grant.cap:
                self.fail("ends", f"grant {number}", "some of its cap is neither left nor spent")

    # --- 4: bounded ------------------------------------------------------------------------

    def judge_sizes(self, roots: Iterable[tuple[str, Any]], file_bytes: int) -> None:
        """Say what has grown beyond its bound."""
        for path, size in sizes(roots):
            by_account = path.rpartition(".")[2] in KEPT_FOR_ACCOUNTS
            if size > (self.bounds.accounts_max if by_account else self.bounds.entries_max):
                self.fail("bounded", path, f"{size} entries are kept when nothing is open")
        if file_bytes > self.bounds.file_bytes_max:
            self.fail("bounded", "journal", f"its files have taken {file_bytes} bytes")

    def judge_tasks(self, before: int, after: int) -> None:
        """Say whether tasks are left over; two serve each connected media server."""
        if after > before:
            self.fail(
                "bounded", "tasks", f"{after} run when nothing is open, {before} at the start"
            )

    # --- 6: paid ---------------------------------------------------------------------------

    def judge_paid(self, watching: Watching) -> None:
        """Say what of a good day's visit nobody has paid; the fifth judge is `witness.py`."""
        group = self.groups[watching.ref]
        left_ms = watching.held_ms - 1000 * sum(self.charged.get(ref, 0) for ref in group.sessions)
        if left_ms > self.bounds.unpaid_max_ms:
            self.fail(
                "paid",
                f"session {watching.ref}",
                f"{left_ms / 1000:.1f} s of {watching.held_ms / 1000:.1f} s are not charged",
            )

    def judge_orders(self, ahead: int) -> None:
        """Say whether a good day's orders were ahead of the clock that bounds them."""
        if ahead:
            self.fail("paid", "orders", f"{ahead} were ahead of the chain's clock")


KEPT_FOR_ACCOUNTS = frozenset({"key_names", "_by_viewer", "_recognised", "_tokens"})
_LEAVES = (str, bytes, int, float, bool, type(None), type, ModuleType)


def sizes(roots: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, int]]:
    """Give the size of every container that can be reached from objects of the relayer."""
    seen: set[int] = set()
    stack = list(roots)
    while stack:
        path, thing = stack.pop()
        if isinstance(thing, _LEAVES) or id(thing) in seen or callable(thing):
            continue
        seen.add(id(thing))
        if isinstance(thing, dict | list | set | frozenset | tuple):
            yield path, len(thing)
            values = list(thing.values()) if isinstance(thing, dict) else list(thing)
            if len(values) <= 1_000:
                stack += [(f"{path}[]", value) for value in values]
            continue
        if not type(thing).__module__.startswith("offchain"):
            if type(thing).__module__ == "collections" and hasattr(thing, "__len__"):
                yield path, len(thing)
            continue
        names = list(getattr(thing, "__dict__", {}))
        for kind in type(thing).__mro__:
            names += getattr(kind, "__slots__", ())
        stack += [(f"{path}.{name}", getattr(thing, name, None)) for name in names]


async def until(condition: Any, within_s: float, every_s: float = 1.0) -> bool:
    """Wait for something, and tell whether it came."""
    deadline = trio.current_time() + within_s
    while not condition():
        if trio.current_time() >= deadline:
            return False
        await trio.sleep(every_s)
    return True
