"""What the relayer's concerns share: chain, journal, sessions, keys, two bells and a gong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from offchain.amounts import symbol_of_unnamed
from offchain.journal import Journal
from offchain.ledger.errors import AssetUnknown
from offchain.ledger.types import Asset, Constants, Currency
from offchain.relayer.belief import Belief
from offchain.relayer.bell import Bell
from offchain.relayer.book import Book
from offchain.relayer.cadence import may_settle
from offchain.relayer.chain import Chain, ChainView, bounded
from offchain.relayer.credit import CREDIT_MS, RefillClock
from offchain.relayer.keeping import Keeper
from offchain.relayer.keyring import Keyring
from offchain.relayer.lags import Lags
from offchain.relayer.live_session import LiveSession
from offchain.relayer.places import Places
from offchain.relayer.tenure import Alone, Tenure


class Gong:
    """Wakes every task that waits at that moment."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def ring(self) -> None:
        """Wake them all."""
        self._event.set()
        self._event = trio.Event()

    async def wait(self) -> None:
        """Wait for the next stroke."""
        await self._event.wait()


@dataclass
class Core:
    """The state that the relayer's tasks share. One loop runs them all, so no locks are needed."""

    chain: Chain
    journal: Journal
    keyring: Keyring
    unix_ms: Callable[[], int]
    cadence_ms: int = 6_000
    credit_ms: int = CREDIT_MS
    belief: Belief = field(default_factory=Belief)
    book: Book = field(init=False)
    key_names: dict[bytes, str] = field(default_factory=dict)
    """The keyring's name of each delegate key that the relayer has handed out."""
    keys_broken: set[bytes] = field(default_factory=set)
    """Delegate keys whose files are damaged or missing: their viewers grant others."""
    submit_bell: Bell = field(default_factory=Bell)
    journal_bell: Bell = field(default_factory=Bell)
    new_best: Gong = field(default_factory=Gong)
    """Rung when the view has moved to another best block."""
    waiting: Places = field(default_factory=Places)
    """Admissions that wait for their grant's turn."""
    counters: dict[str, int] = field(default_factory=dict)
    currencies: dict[Asset, Currency] = field(default_factory=dict)
    """How assets are written, as far as they were asked for."""
    lags: Lags = field(default_factory=Lags)
    on_admission: Callable[[str, float], None] | None = None
    """Told of each admission: what came of it, and after how many seconds."""
    tenure: Tenure = field(default_factory=Alone)
    """Whose viewers are."""
    started_at: float = field(default_factory=trio.current_time)

    def __post_init__(self) -> None:
        """Make the book, the view of the chain, and who keeps the journal."""
        self.book = Book(self.credit_ms)
        self._refill_clock = RefillClock()
        self.view = ChainView(self.chain, self.book.wanted, self.belief)
        self.keeper = Keeper(
            self.journal,
            self.book,
            self.journal_bell,
            self.refill_ms,
            self.lags,
            put_finalized=self.tenure.put_finalized,
        )

    def steady_ms(self) -> int:
        """Tell the time by which tokens end: the earlier of the machine's and the chain's. So one
        of them may jump ahead, and it ends nothing."""
        if self.view.best is None:
            return self.unix_ms()
        return min(self.unix_ms(), self.view.estimated_time_ms())

    def refill_ms(self) -> int:
        """Tell the time by which credit comes back."""
        if self.view.best is None:
            return self.unix_ms()
        return self._refill_clock.ms(trio.current_time() * 1000, self.view.estimated_time_ms())

    @property
    def limits(self) -> Constants:
        """The runtime's constants."""
        return self.chain.constants

    async def currency(self, asset: Asset) -> Currency:
        """Tell how an asset is written; read once. Raises LedgerError.

        One that is gone from the chain is written with its number.
        """
        if asset not in self.currencies:
            try:
                self.currencies[asset] = await bounded(self.chain.currency(asset))
            except AssetUnknown as gone:
                symbol = symbol_of_unnamed(gone.asset)
                return Currency(asset=gone.asset, symbol=symbol, decimals=0, minimum=0)
        return self.currencies[asset]

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter of the metrics."""
        self.counters[name] = self.counters.get(name, 0) + amount

    def on_chain(self, session: LiveSession) -> bool:
        """Whether the best block has the session."""
        return self.view.sessions.get(session.ref) is not None

    def is_past_window(self, session: LiveSession) -> bool:
        """Whether the best block has the session and takes no more orders of it.

        It holds slot and funds until somebody settles it.
        """
        entry, view = self.view.sessions.get(session.ref), self.view
        if entry is None:
            return False
        window_ms = self.limits.settlement_window_ms
        return may_settle(entry, view.best_ms, view.stops(entry), window_ms)
