"""A relayer that is an enemy, and an auditor that holds every signature against the policy's words.

The enemy knows the rules and asks for what is just allowed, for one unit more, for what was signed
before, for the absurd, and for many of them in one message; between its requests the signer's clock
goes on, and the signer is killed and started again. The auditor knows nothing of how the policy
decides: it keeps a list of all that was signed and sums it up.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from offchain.keys.delegate_keys import DelegateKeys
from offchain.keys.derivation import Master
from offchain.keys.signer import dev_key, key_of_seed
from offchain.ledger.orders import U32_MAX, U128_MAX, Close, Fund, Open, Order, Renew, Tick, Tip
from offchain.signer.journal import Clock, SignerJournal, open_signer_journal
from offchain.signer.judge import Judge
from offchain.signer.policy import Bounds, GrantTerms, Policy, SignOrder
from offchain.signer.protocol import SignedOne

VIEWER: Final = dev_key("Alice").address
GENESIS: Final = "0x" + "11" * 32
BATCH_MAX: Final = 64
POLICY: Final = Policy(
    bounds=Bounds(
        rate_per_second_max=1_000,
        cap_max=200_000,
        tips_max=500,
        renewals_max=6,
        tick_price_max=50,
    ),
    assets={"7": Bounds(rate_per_second_max=10, cap_max=1_000)},
    gap_ms_max=600_000,
    sessions_max=4,
)


class PolicyBroken(AssertionError):
    """Something was signed that the policy does not allow."""


@dataclass
class _Session:
    opened_ms: int
    rate: int = 0
    funds: int = 0
    seconds: int = 0
    closed: bool = False
    history: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=32))


@dataclass
class _Grant:
    key: str
    terms: GrantTerms
    first_ms: int
    highest: int
    tips: int = 0
    renewals: int = 0
    sessions: dict[int, _Session] = field(default_factory=dict)


def _must(holds: bool, words: str) -> None:
    if not holds:
        raise PolicyBroken(words)


class Auditor:
    """Keeps all that was signed and checks each against the whole."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.grants: dict[int, _Grant] = {}

    def signed(self, asked: SignOrder, now_ms: int) -> None:
        """Take note of an order that was signed. Raises PolicyBroken."""
        try:
            self._check(asked, now_ms)
        except (PolicyBroken, KeyError) as error:
            raise PolicyBroken(f"{asked} was signed at {now_ms}: {error!r}") from None

    def _check(self, asked: SignOrder, now_ms: int) -> None:
        order = asked.order
        if isinstance(order, Open):
            self._opened(asked, order, now_ms)
            return
        grant = self.grants[asked.grant]
        session = grant.sessions[order.index]
        bounds = self.policy.of(grant.terms.asset)
        match order:
            case Tick() | Close():
                _must(isinstance(order, Close) or not session.closed, "a tick after the close")
                _must(session.seconds <= order.seconds <= U32_MAX, "seconds fall")
                self._check_clock(grant, session, order.seconds, now_ms)
                session.seconds, session.closed = order.seconds, isinstance(order, Close)
                session.history.append((now_ms, order.seconds))
            case Fund():
                _must(session.funds <= order.funds <= grant.terms.cap, "funds fall, or too many")
                _must(not session.closed, "funds after the close")
                session.funds = order.funds
            case Tip():
                most = min(grant.terms.tips_max, bounds.tips_max)
                _must(grant.tips <= order.tips <= most, "tips")
                grant.tips = order.tips
            case Renew():
                most = min(grant.terms.renewals_max, bounds.renewals_max, grant.renewals + 1)
                _must(grant.renewals <= order.renewals <= most, "renewals")
                grant.renewals = order.renewals
        self._check_money(grant)

    def _check_clock(self, grant: _Grant, session: _Session, total: int, now_ms: int) -> None:
        head_ms, gap_ms = self.policy.head_start_ms, grant.terms.gap_ms
        _must(total * 1000 <= now_ms - session.opened_ms + head_ms, "ahead of the clock")
        for then_ms, before in session.history:
            _must((total - before) * 1000 <= max(gap_ms, now_ms - then_ms + gap_ms), "saved up")
        if session.history:
            _must((total - session.history[-1][1]) * 1000 <= gap_ms, "more than a gap at once")
        other = sum(each.seconds for each in grant.sessions.values()) - session.seconds
        if total > session.seconds:
            had_ms = (now_ms - grant.first_ms + head_ms) * grant.terms.sessions_max
            _must((other + total) * 1000 <= had_ms, "more than all slots could have")

    def _opened(self, asked: SignOrder, order: Open, now_ms: int) -> None:
        if asked.key is None or asked.terms is None:
            raise PolicyBroken("an open without key and terms")
        grant = self.grants.get(asked.grant)
        if grant is None:
            grant = self.grants[asked.grant] = _Grant(
                asked.key, asked.terms, now_ms, order.index, renewals=asked.renewals
            )
        _must((asked.key, asked.terms) == (grant.key, grant.terms), "shown otherwise")
        bounds = self.policy.of(grant.terms.asset)
        _must(grant.terms.sessions_max <= self.policy.sessions_max, "slots")
        _must(grant.terms.gap_ms <= self.policy.gap_ms_max, "gap")
        _must(order.rate_per_second <= grant.terms.rate_max_per_second, "the viewer's rate")
        _must(order.rate_per_second <= bounds.rate_per_second_max, "the operator's rate")
        _must((order.tick_price_max or 0) <= bounds.tick_price_max, "the tick price")
        _must(order.index <= grant.highest + 1, "an index jumps")
        _must(order.index in grant.sessions or order.index >= grant.highest, "an old index")
        grant.highest = max(grant.highest, order.index)
        session = grant.sessions.setdefault(order.index, _Session(now_ms))
        session.rate = max(session.rate, order.rate_per_second)
        session.funds = max(session.funds, order.funds)
        session.closed = False
        self._check_money(grant)

    def _check_money(self, grant: _Grant) -> None:
        cap = min(grant.terms.cap, self.policy.of(grant.terms.asset).cap_max)
        charged = sum(min(s.seconds * s.rate, s.funds) for s in grant.sessions.values())
        _must(charged <= cap, "charged beyond the cap")
        _must(all(session.funds <= cap for session in grant.sessions.values()), "funds")


class _TestClock(Clock):
    """A clock that the fuzzer sets."""

    def __init__(self) -> None:
        super().__init__()
        self.ms = 0

    def now_ms(self) -> int:
        return self.ms


class Fuzzer:
    """Asks a judge on its own journal, seeded, in batches, with restarts between."""

    def __init__(self, seed: int, directory: Path, policy: Policy = POLICY) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.directory = directory
        self.policy = policy
        self.auditor = Auditor(policy)
        self.clock = _TestClock()
        self.asked = 0
        self.codes: Counter[str] = Counter()
        self.restarts = 0
        self._keys = MemoryKeys()
        self._grants = 0
        self._terms: dict[int, GrantTerms] = {}
        self._stack = ExitStack()
        self._judge = self._started()

    def _started(self) -> Judge:
        path = self.directory / "signer.sqlite"
        journal: SignerJournal = self._stack.enter_context(open_signer_journal(path))
        journal.clock = self.clock
        judge = Judge(self.policy, journal, self._keys)
        judge.bind(GENESIS, 10)
        return judge

    def close(self) -> None:
        """Close the journal."""
        self._stack.close()

    def run(self, requests: int) -> None:
        """Ask so many orders. Raises PolicyBroken."""
        while self.asked < requests:
            self.step()

    def step(self) -> None:
        """Ask one batch, and let time pass, or kill the signer."""
        chance = self.random
        batch = [self._order() for _ in range(chance.choice((1, 1, 2, 8, BATCH_MAX)))]
        results: Sequence[SignedOne] = self._judge.sign(batch)
        for asked, result in zip(batch, results, strict=True):
            self.asked += 1
            if result.code is None:
                self.codes["signed"] += 1
                self.auditor.signed(asked, self.clock.ms)
            else:
                self.codes[result.code] += 1
        if chance.random() < 0.01:
            self.restarts += 1
            self._stack.close()
            self._judge = self._started()
        self.clock.ms += chance.choice((0, 0, 1, 999, 1_000, 5_000, 30_000, 700_000))

    def _order(self) -> SignOrder:
        chance = self.random
        grant = self._grant()
        known = self.auditor.grants.get(grant)
        if known is None or chance.random() < 0.2:
            return self._open(grant, known)
        index = known.highest
        if chance.random() < 0.3:
            index = chance.choice((*known.sessions, known.highest + 1, 0))
        session = known.sessions.get(index)
        order: Order
        match chance.randrange(10):
            case 0 | 1 | 2 | 3:
                order = Tick(index=index, seconds=self._seconds(known, session))
            case 4 | 5:
                order = Close(index=index, seconds=self._seconds(known, session))
            case 6 | 7:
                before = session.funds if session else 0
                most = min(known.terms.cap, self.policy.of(known.terms.asset).cap_max)
                order = Fund(index=index, funds=self._near(before, most))
            case 8:
                order = Tip(index=index, tips=self._near(known.tips, known.terms.tips_max))
            case _:
                order = Renew(index=index, renewals=self._near(known.renewals, known.renewals + 1))
        return SignOrder(grant=grant, order=order)

    def _grant(self) -> int:
        """Mostly one of the latest grants; now and then a new one."""
        if self._grants == 0 or self.random.random() < 0.002:
            self._grants += 1
        return self.random.randrange(max(0, self._grants - 20), self._grants)

    def _open(self, grant: int, known: _Grant | None) -> SignOrder:
        chance = self.random
        shown = self._terms.get(grant)
        if shown is None or chance.random() < 0.02:
            shown = self._shown()
            self._terms.setdefault(grant, shown)
        highest = known.highest if known else -1
        order = Open(
            index=max(0, highest + chance.choice((1, 1, 1, 0, -1, 2, 5))),
            stream=chance.randrange(4),
            rate_per_second=self._near(0, shown.rate_max_per_second),
            funds=self._near(0, shown.cap),
            start_at=chance.choice((0, 1_000, shown.expires_at - 1, shown.expires_at)),
            tick_price_max=chance.choice((None, 0, 50, 50, 51, U128_MAX)),
        )
        owner = grant if chance.random() < 0.98 else grant + 1
        key = self._keys.name(owner)
        return SignOrder(grant=grant, order=order, key=key, terms=shown)

    def _shown(self) -> GrantTerms:
        chance = self.random
        return GrantTerms(
            asset=chance.choice((None, None, 7)),
            rate_max_per_second=chance.choice((0, 1, 10, 1_000, 1_001, U128_MAX)),
            cap=chance.choice((0, 1, 999, 100_000, 200_000, U128_MAX)),
            sessions_max=chance.choice((1, 1, 2, 4, 5)),
            gap_ms=chance.choice((1_000, 30_000, 120_000, 600_000, 600_001)),
            expires_at=chance.choice((2_000, 10_000_000, 10**13)),
            tips_max=chance.choice((0, 400, 10_000)),
            renewals_max=chance.choice((0, 3, 10_000)),
        )

    def _seconds(self, known: _Grant, session: _Session | None) -> int:
        if session is None:
            return self.random.randrange(100)
        since_ms = self.clock.ms - session.opened_ms + self.policy.head_start_ms
        step_s = min(since_ms // 1000 - session.seconds, known.terms.gap_ms // 1000)
        return self._near(session.seconds, session.seconds + max(0, step_s))

    def _near(self, before: int, most: int) -> int:
        """Choose a total: mostly at or beside the bounds, sometimes absurd."""
        between = self.random.randint(min(before, most), max(before, most))
        choices = (before, before - 1, before + 1, most, most, most + 1, between, between)
        if self.random.random() < 0.03:
            return self.random.choice((-1, U32_MAX, U32_MAX + 1, U128_MAX, 2**200))
        return self.random.choice(choices)


class MemoryKeys(DelegateKeys):
    """Keys out of a master in memory; each grant's is another."""

    def __init__(self) -> None:
        super().__init__(Path("/nonexistent"), "none")
        self._masters[1] = Master(key_of_seed(bytes(32)))
        self._newest = 1

    def name(self, grant: int) -> str:
        """Name a grant's key."""
        return str(self.current.name(VIEWER, grant))


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="fuzz-signer", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="orders to ask for")
    parser.add_argument("--seed", type=int, default=1, help="what decides all of them")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        fuzzer = Fuzzer(given.seed, Path(directory))
        try:
            fuzzer.run(given.requests)
        except PolicyBroken as broken:
            print(f"seed {given.seed}, request {fuzzer.asked}: {broken}", file=sys.stderr)
            return 1
        finally:
            fuzzer.close()
    took_s = time.monotonic() - began
    print(
        f"{fuzzer.asked} orders of a hostile relayer in {took_s:.0f} s, seed {given.seed}: "
        f"{len(fuzzer.auditor.grants)} grants, {fuzzer.restarts} restarts, nothing beyond policy"
    )
    for code, count in fuzzer.codes.most_common():
        print(f"  {code:<20} {count}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
