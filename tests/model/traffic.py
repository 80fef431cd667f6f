"""Calls by chance: mostly such as people and relayers make, and every kind of hostile one.

What is drawn depends on the state of the model, so that boundaries are met and each call, each
order and each error comes up; it depends on nothing else but the random numbers, so that a seed
is a whole story.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from tests.model.accounts import NATIVE, Account, Accounts, Asset, AssetKind
from tests.model.calls import GUARD, NOBODY, ROOT, Call
from tests.model.entries import (
    U32_MAX,
    U64_MAX,
    U128_MAX,
    WHOLE,
    AssetEntry,
    Constants,
    Payee,
    Stream,
    StreamChange,
    Terms,
    Tier,
)
from tests.model.ledger import Ledger
from tests.model.orders import Close, Fund, Open, Order, Renew, SignedOrder, Tick, Tip

CONSTANTS = Constants(
    head_start_max_ms=6_000,
    settlement_window_ms=20_000,
    block_gap_max_ms=90_000,
    halt_max_ms=400_000,
    min_tick_seconds=5,
    fund_below_seconds=20,
    gap_min_ms=10_000,
    gap_max_ms=60_000,
    period_min_ms=30_000,
    treasury_share_max=300_000,
    tick_price_max=100,
    max_payees=3,
    max_tiers=3,
    max_sessions_per_grant=3,
    max_stops=4,
    max_batch_orders=6,
    stream_deposit_base=20,
    stream_deposit_per_payee=3,
    stream_deposit_per_tier=2,
    grant_deposit_base=10,
    grant_deposit_per_session=2,
    subscription_deposit=7,
)
"""Small, so that boundaries are near; the oracle's runtime has the same."""

MIN_TICK_MS = CONSTANTS.min_tick_seconds * 1000
EXISTENTIAL_DEPOSIT = 10
ENDOWMENT = 20_000
FLOOD = 2**127 - 2**20
"""So much of an asset that a stream's totals are full when it has gone round three times. With more
of it `pallet-assets` loses what it should move: it counts it twice, and that has to fit, too."""
BEGIN_MS = 1_000_000_000

PEOPLE = (1, 2, 3, 4, 5)
GHOSTS = (6, 7)
"""Accounts that do not exist at the beginning."""
BANK = 80
"""Owns the assets, gives and takes."""
TREASURY = 90

SUFFICIENT, DEPENDENT, FOREIGN, UNKNOWN = 7, 8, 9, 10
"""Assets: an account of `DEPENDENT` needs native money; `FOREIGN` is not enabled at first, and of
`UNKNOWN` there is nothing."""
KINDS = {SUFFICIENT: (3, True), DEPENDENT: (5, False), FOREIGN: (1, True)}
"""Minimum balance, and whether it is sufficient."""
ASSETS = (NATIVE, SUFFICIENT, DEPENDENT)
KEYS = tuple(range(1, 7))
"""Delegate keys; the odd ones are sr25519."""


def genesis(pot: Account) -> Ledger:
    """Give the ledger that every story begins with. The oracle's genesis is the same."""
    accounts = Accounts(EXISTENTIAL_DEPOSIT)
    accounts.free[pot, NATIVE] = EXISTENTIAL_DEPOSIT
    for who in (*PEOPLE, BANK):
        accounts.free[who, NATIVE] = ENDOWMENT
    for asset, (minimum, sufficient) in KINDS.items():
        accounts.kinds[asset] = AssetKind(minimum, sufficient)
        for who in (*PEOPLE, BANK):
            accounts.free[who, asset] = ENDOWMENT
    ledger = Ledger(CONSTANTS, accounts, pot=pot, treasury=TREASURY)
    for asset in (SUFFICIENT, DEPENDENT):
        accounts.free[pot, asset] = KINDS[asset][0]
    for asset in ASSETS:
        ledger.asset_entries[asset] = AssetEntry(tip_min=accounts.minimum(asset))
    ledger.now = BEGIN_MS
    return ledger


class Traffic:
    """Draws calls for a ledger. `hostile` is the part of draws that are made to be refused."""

    def __init__(self, ledger: Ledger, random: Random, hostile: float = 0.15) -> None:
        self.ledger = ledger
        self.random = random
        self.hostile = hostile
        self.signed: list[SignedOrder] = []
        """Orders that were sent before: each may be sent again."""
        self.batches: list[Call] = []
        self.coming: list[Call] = []
        """Calls that follow at once, each to what was drawn before it."""
        self.restless = random.random() < 0.15
        """Whether creators pause and resume all the time."""

    # --- what is drawn from ----------------------------------------------------------------

    def call(self) -> Call:
        """Draw the next call."""
        if self.coming:
            return self.coming.pop(0)
        lacking = self._lacking()
        if lacking is not None and self.random.random() < 0.3:
            return lacking()
        if (self.ledger.stopped or self.disabled()) and self.random.random() < 0.04:
            return self.operator()
        if self.restless and self.random.random() < 0.15:
            return self.update_stream()
        draw = self.random.choices(_DRAWS, _WEIGHTS)[0]
        return draw(self)

    def _lacking(self) -> Callable[[], Call] | None:
        """Tell what there must be more of before much can happen."""
        ledger = self.ledger
        if sum(stream.status == "Active" for stream in ledger.streams.values()) < 2:
            return self.create_stream
        if len(ledger.vaults) < 3:
            return self.deposit
        if sum(grant.ended_at > ledger.now for grant in ledger.grants.values()) < 3:
            return self.grant
        return None

    def odd(self, part: float = 1.0) -> bool:
        """Say whether this draw is a hostile one."""
        return self.random.random() < self.hostile * part

    def person(self) -> Account:
        if self.odd(0.3):
            return self.random.choice((*GHOSTS, self.ledger.pot, TREASURY))
        return self.random.choice(PEOPLE)

    def asset(self) -> Asset:
        if self.odd(0.4):
            return self.random.choice((FOREIGN, UNKNOWN))
        return self.random.choices(ASSETS, (6, 2, 1))[0]

    def amount(self, *near: int) -> int:
        """Draw an amount, often at or beside one that matters."""
        if near and self.random.random() < 0.5:
            beside = self.random.choice((-1, 0, 0, 0, 1))
            return min(max(0, self.random.choice(near) + beside), U128_MAX)
        if self.odd(0.5):
            return self.random.choice((0, 1, 2, U64_MAX, U128_MAX))
        return self.random.randint(1, 400)

    def one_of(self, entries: dict[Any, Any]) -> Any:
        return self.random.choice(list(entries))

    def stream_id(self) -> int:
        if not self.ledger.streams or self.odd(0.2):
            return self.random.choice((self.ledger.next_stream, U64_MAX, 0))
        return int(self.one_of(self.ledger.streams))

    def owner_of(self, stream_id: int) -> Account:
        stream = self.ledger.streams.get(stream_id)
        return self.person() if stream is None or self.odd() else stream.owner

    def payees(self, owner: Account) -> tuple[Payee, ...]:
        if self.random.random() < 0.3:
            return ()
        count = self.random.randint(1, CONSTANTS.max_payees)
        shares = [self.random.choice((0, 1, 250_000, 333_333)) for _ in range(count - 1)]
        shares.append(max(0, WHOLE - sum(shares)))
        if self.odd():
            shares[0] = (shares[0] + self.random.choice((1, WHOLE // 2))) % (WHOLE + 1)
        # those who cannot receive are named more often than they act
        everybody = (*PEOPLE, *GHOSTS, TREASURY)
        named = [self.random.choice((*everybody, owner, owner, owner)) for _ in range(count)]
        if self.odd(0.3):
            named[0] = self.ledger.pot
        return tuple(Payee(*each) for each in zip(named, shares, strict=True))

    # --- time ------------------------------------------------------------------------------

    def time(self) -> Call:
        ledger, now = self.ledger, self.ledger.now
        moments = self._moments()
        if moments and self.random.random() < 0.2:
            moment = self.random.choice(moments) + self.random.choice((-1, 0, 0, 1))
            if now <= moment <= now + CONSTANTS.block_gap_max_ms:
                return Call("at", args={"time_ms": moment + ledger.halted_ms})
        step = self.random.choice((0, 0, 1, 999, 1000, 2000, 2000, 2000, 5000, 5000, 6001, 9000))
        if self.random.random() < 0.01:
            step = CONSTANTS.gap_max_ms + ledger.constants.settlement_window_ms
        elif self.random.random() < 0.01:
            step = self.random.choice((90_001, 200_000, 489_999, 490_000, 490_001, 600_000))
        return Call("at", args={"time_ms": ledger.time_ms + step})

    def _moments(self) -> list[int]:
        """Give moments at which something changes by itself."""
        ledger = self.ledger
        if ledger.sessions and self.random.random() < 0.6:
            session = ledger.sessions[self.one_of(ledger.sessions)]
            ended_at = ledger.read(session).ended_at
            lapse = session.ticked_at + session.gap_ms
            window = CONSTANTS.settlement_window_ms
            return [ended_at, ended_at + window, lapse, lapse + window]
        if ledger.subscriptions and self.random.random() < 0.6:
            subscription = ledger.subscriptions[self.one_of(ledger.subscriptions)]
            period_ms, paid_until = subscription.tier.period_ms, subscription.paid_until
            start = subscription.period_start(ledger.now)
            return [start + period_ms, paid_until - period_ms, paid_until]
        if ledger.grants:
            grant = ledger.grants[self.one_of(ledger.grants)]
            rested = [moment + MIN_TICK_MS for moment in (grant.opened_at, grant.tipped_at)]
            return [grant.ended_at, *rested]
        return []

    # --- viewers ---------------------------------------------------------------------------

    def deposit(self) -> Call:
        who, asset = self.person(), self.asset()
        accounts = self.ledger.accounts
        poor = [
            (grant.viewer, grant.asset)
            for grant in self.ledger.grants.values()
            if self.ledger.vault(grant.viewer, grant.asset) < 50
        ]
        if poor and self.random.random() < 0.6:
            who, asset = self.random.choice(poor)
        minimum = accounts.minimum(asset)
        most = accounts.balance(who, asset) - minimum
        amount = self.random.randint(100, 3000) if self.random.random() < 0.7 else 0
        amount = amount or self.amount(most, minimum)
        return Call("deposit", who, {"asset": asset, "amount": amount})

    def withdraw(self) -> Call:
        ledger = self.ledger
        if ledger.vaults and not self.odd(0.3):
            who, asset = self.one_of(ledger.vaults)
        else:
            who, asset = self.person(), self.asset()
        vault, minimum = ledger.vault(who, asset), ledger.accounts.minimum(asset)
        amount = self.amount(vault, vault, max(0, vault - minimum), minimum)
        return Call("withdraw", who, {"asset": asset, "amount": amount})

    def grant(self) -> Call:
        random, now = self.random, self.ledger.now
        key = random.choice(KEYS)
        signer = random.choice((*KEYS, None)) if self.odd(0.5) else key
        lives_ms = random.choice((10_000, 60_000, 200_000, 10**6, 10**9))
        who, asset = self.person(), self.asset()
        if self.ledger.vaults and random.random() < 0.7:
            who, asset = self.one_of(self.ledger.vaults)
        terms = Terms(
            asset=asset,
            rate_max_per_second=0 if self.odd(0.3) else random.choice((2, 5, 7, 40, U128_MAX)),
            cap=0 if self.odd(0.3) else random.choice((60, 500, 5000, 10**6, U128_MAX)),
            sessions_max=random.choice((0, 4, U32_MAX)) if self.odd(0.3) else random.randint(1, 3),
            gap_ms=random.choice((0, 9_999, 60_001, U64_MAX))
            if self.odd(0.3)
            else random.choice((10_000, 25_000, 30_000, 60_000)),
            expires_at=random.choice((0, now, now + 1, U64_MAX))
            if self.odd(0.6)
            else now + lives_ms,
            tips_max=random.choice((0, 30, 400, U128_MAX)),
            renewals_max=random.choice((0, 1, 3, 3, U32_MAX)),
        )
        return Call("grant", who, {"key": key, "signer": signer, "terms": terms})

    def revoke(self) -> Call:
        grant_id = self.grant_id()
        grant = self.ledger.grants.get(grant_id)
        who = self.person() if grant is None or self.odd(0.5) else grant.viewer
        return Call("revoke", who, {"grant": grant_id})

    def grant_id(self) -> int:
        if not self.ledger.grants or self.odd(0.2):
            return self.random.choice((self.ledger.next_grant, U64_MAX, 0))
        return int(self.one_of(self.ledger.grants))

    def tip(self) -> Call:
        stream_id = self.stream_id()
        stream = self.ledger.streams.get(stream_id)
        who, near = self.person(), 0
        if stream is not None:
            near = self.ledger.vault(who, stream.asset)
        message = self.random.choice((b"", b"!", "grüße".encode()))
        amount = self.amount(near)
        return Call("tip", who, {"stream": stream_id, "amount": amount, "message": message})

    def tier(self) -> Tier:
        if self.odd(0.5):
            return Tier(self.random.choice((0, 1, U128_MAX)), self.random.choice((0, 29_999)), 0)
        price = self.random.choice((10, 20, 20, 150, U128_MAX if self.odd() else 50))
        period_ms = self.random.choice((30_000, 45_500, 100_000, U64_MAX if self.odd() else 30_000))
        discount = self.random.choice((0, 1, 100_000, 333_333, 500_000, WHOLE))
        return Tier(price, period_ms, discount)

    def subscribe(self) -> Call:
        ledger = self.ledger
        stream_id = self.stream_id()
        if ledger.tiers and not self.odd(0.5):
            stream_id = self.one_of(ledger.tiers)
        who = self.person()
        stream = ledger.streams.get(stream_id)
        rich = [v for v, asset in ledger.vaults if stream is not None and asset == stream.asset]
        if rich and not self.odd():
            who = self.random.choice(rich)
        existing = ledger.subscriptions.get((stream_id, who))
        tiers = ledger.tiers.get(stream_id, ())
        if existing is not None and self.random.random() < 0.6:
            tier = existing.tier
        elif tiers and not self.odd(0.5):
            tier = self.random.choice(tiers)
        else:
            tier = self.tier()
        odd_periods = self.random.choice((0, U32_MAX))
        periods = odd_periods if self.odd(0.3) else self.random.choice((1, 1, 2, 3))
        args = {"stream": stream_id, "tier": tier, "periods": periods}
        return Call("subscribe", who, args)

    def subscription(self) -> tuple[int, Account]:
        if self.ledger.subscriptions and not self.odd():
            stream_id, viewer = self.one_of(self.ledger.subscriptions)
            return stream_id, viewer
        return self.stream_id(), self.person()

    def cancel_subscription(self) -> Call:
        stream_id, viewer = self.subscription()
        return Call("cancel_subscription", viewer, {"stream": stream_id})

    # --- creators --------------------------------------------------------------------------

    def rate(self) -> int:
        return self.random.choice((1, 1, 2, 3, 5, 7))

    def create_stream(self) -> Call:
        random = self.random
        odd_gap = random.choice((60_001, U64_MAX))
        owner = self.person()
        args = {
            "asset": self.asset(),
            "rate_per_second": random.choice((0, U128_MAX)) if self.odd(0.3) else self.rate(),
            "payees": self.payees(owner),
            "funds_min": U128_MAX if self.odd(0.3) else random.choice((0, 0, 0, 10, 30)),
            "gap_min_ms": odd_gap if self.odd(0.3) else random.choice((0, 0, 10_000, 20_000)),
        }
        return Call("create_stream", owner, args)

    def update_stream(self) -> Call:
        random, streams = self.random, self.ledger.streams
        stream_id = self.stream_id()
        if streams and random.random() < 0.5:
            stream_id = max(streams, key=lambda key: len(streams[key].stops))
        stream = streams.get(stream_id)
        change: dict[str, Any] = {}
        what = random.random()
        if what < 0.6:
            is_active = stream is None or stream.status == "Active"
            change["paused"] = is_active == (random.random() < 0.8)
        if what > 0.5:
            change["rate_per_second"] = 0 if self.odd(0.5) else self.rate()
        if random.random() < 0.2:
            change["payees"] = self.payees(self.owner_of(stream_id))
        if random.random() < 0.1:
            change["funds_min"] = random.choice((0, 10, 40))
        if random.random() < 0.1:
            change["gap_min_ms"] = 60_001 if self.odd() else random.choice((0, 12_000))
        args = {"stream": stream_id, "change": StreamChange(**change)}
        return Call("update_stream", self.owner_of(stream_id), args)

    def end_stream(self) -> Call:
        stream_id = self.stream_id()
        return Call("end_stream", self.owner_of(stream_id), {"stream": stream_id})

    def transfer_stream(self) -> Call:
        stream_id = self.stream_id()
        owner = self.owner_of(stream_id)
        to = owner if self.odd(0.5) else self.random.choice((*PEOPLE, *GHOSTS))
        if self.odd(0.5):
            to = self.ledger.pot
        return Call("transfer_stream", owner, {"stream": stream_id, "to": to})

    def refund(self) -> Call:
        stream_id = self.stream_id()
        earning = [key for key, stream in self.ledger.streams.items() if stream.earned]
        if earning and not self.odd():
            stream_id = self.random.choice(earning)
        stream = self.ledger.streams.get(stream_id)
        most, near = 0, [0]
        if stream is not None:
            most = self.ledger.owners_share(stream)
            parts = [part for who, part in self.ledger.shares(stream) if who == stream.owner]
            near = [most, most, stream.earned, *parts]
        some = most and self.random.random() < 0.5
        amount = self.random.randint(1, most) if some else self.amount(*near)
        args = {"stream": stream_id, "viewer": self.person(), "amount": amount}
        return Call("refund", self.owner_of(stream_id), args)

    def set_tiers(self) -> Call:
        stream_id = self.stream_id()
        count = self.random.choice((0, 1, 2, 2, CONSTANTS.max_tiers))
        tiers = [self.tier() for _ in range(count)]
        kept = self.ledger.tiers.get(stream_id, ())
        if kept and tiers:
            tiers[0] = self.random.choice(kept)
        args = {"stream": stream_id, "tiers": tuple(tiers)}
        return Call("set_tiers", self.owner_of(stream_id), args)

    # --- anybody ---------------------------------------------------------------------------

    def place(self) -> tuple[int, int]:
        """Draw a session, one that has not ended mostly."""
        sessions = self.ledger.sessions
        if sessions and not self.odd(0.5):
            live = [place for place in sessions if not self.ledger.read(sessions[place]).has_ended]
            if live and self.random.random() < 0.7:
                return self.random.choice(live)
            grant_id, index = self.one_of(sessions)
            return grant_id, index
        grant_id = self.grant_id()
        grant = self.ledger.grants.get(grant_id)
        next_index = grant.next_index if grant else 0
        return grant_id, self.random.choice((0, max(0, next_index - 1), next_index, U32_MAX))

    def settle(self) -> Call:
        grant_id, index = self.place()
        over = [
            place
            for place, session in self.ledger.sessions.items()
            if self.ledger.read(session).window_over
        ]
        if over and self.random.random() < 0.7:
            grant_id, index = self.random.choice(over)
        return Call("settle", self.anybody(), {"grant": grant_id, "index": index})

    def anybody(self) -> Any:
        """Draw an account that signs, or nobody."""
        return NOBODY if self.random.random() < 0.5 else self.person()

    def claim(self) -> Call:
        stream_id = self.stream_id()
        over = [
            key
            for key, stream in self.ledger.streams.items()
            if stream.ended and not stream.sessions_open and not stream.subscriptions_open
        ]
        if over and self.random.random() < 0.3:
            stream_id = self.random.choice(over)
        return Call("claim", self.anybody(), {"stream": stream_id})

    def settle_subscription(self) -> Call:
        stream_id, viewer = self.subscription()
        args = {"stream": stream_id, "viewer": viewer}
        return Call("settle_subscription", self.person(), args)

    # --- orders ----------------------------------------------------------------------------

    def signed_order(self, *, opens: float = 0.3) -> SignedOrder:
        if self.signed and self.odd(0.4):
            return self.random.choice(self.signed)
        if self.random.random() < opens or not self.ledger.sessions:
            grant_id = self.grant_id()
            ready = self.ready_grants()
            if ready and not self.odd():
                grant_id = self.random.choice(ready)
            order: Order = self.open_order(grant_id)
        else:
            grant_id, index = self.place()
            renewable = self.renewable()
            if renewable and self.random.random() < 0.5:
                grant_id, index = self.random.choice(renewable)
                order = Renew(index, self.ledger.grants[grant_id].renewals_total + 1)
            else:
                order = self.session_order(grant_id, index)
        grant = self.ledger.grants.get(grant_id)
        signer = grant.key if grant else self.random.choice(KEYS)
        if self.odd(0.3):
            signer = self.random.choice((*KEYS, None))
        signed = SignedOrder(grant_id, order, signer)
        if len(self.signed) < 50:
            self.signed.append(signed)
        else:
            self.signed[self.random.randrange(50)] = signed
        return signed

    def ready_grants(self) -> list[int]:
        """List the grants under which a session could be opened."""
        ledger = self.ledger
        return [
            key
            for key, grant in ledger.grants.items()
            if grant.ended_at > ledger.now
            and len(grant.open) < grant.sessions_max
            and grant.cap_left
            and ledger.vault(grant.viewer, grant.asset)
        ]

    def renewable(self) -> list[tuple[int, int]]:
        """List the sessions whose grants may renew a subscription: mostly those at its end."""
        ledger = self.ledger
        early: list[tuple[int, int]] = []
        late: list[tuple[int, int]] = []
        for place, session in ledger.sessions.items():
            subscription = ledger.subscriptions.get((session.stream, session.viewer))
            if subscription is None or not ledger.grants[place[0]].renewals_left:
                continue
            if not ledger.read(session).has_ended:
                is_early = ledger.now + subscription.tier.period_ms < subscription.paid_until
                (early if is_early else late).append(place)
        return late if late and self.random.random() < 0.7 else [*early, *late]

    def open_order(self, grant_id: int) -> Open:
        ledger, random = self.ledger, self.random
        grant = ledger.grants.get(grant_id)
        fitting = [
            key
            for key, stream in ledger.streams.items()
            if grant is not None
            and stream.asset == grant.asset
            and stream.status == "Active"
            and stream.rate_per_second <= grant.rate_max_per_second
            and stream.gap_min_ms <= grant.gap_ms
        ]
        subscribed = [
            key
            for key in fitting
            if grant is not None and (key, grant.viewer) in ledger.subscriptions
        ]
        stream_id = random.choice(fitting) if fitting and not self.odd() else self.stream_id()
        if subscribed and random.random() < 0.6:
            stream_id = random.choice(subscribed)
        stream = ledger.streams.get(stream_id)
        rate = stream.rate_per_second if stream else 1
        viewer, cap_left, vault, index = 1, 100, 100, 0
        if grant is not None:
            viewer, cap_left, index = grant.viewer, grant.cap_left, grant.next_index
            vault = ledger.vault(viewer, grant.asset)
        subscription = ledger.subscriptions.get((stream_id, viewer))
        if subscription is not None and random.random() < 0.7:
            rate = subscription.tier.discounted(rate)
        if self.odd(0.3):
            rate = min(max(0, rate + random.choice((-1, 1, 100))), U128_MAX)
        if self.odd(0.4):
            index = max(0, index + random.choice((-1, 1)))
        most = min(cap_left, vault)
        funds = self.amount(most, rate, stream.funds_min if stream else 0)
        if most and random.random() < 0.75:
            least = max(rate, stream.funds_min if stream and stream.funds_min < 100 else 0)
            funds = min(most, max(least, rate * random.randint(1, 40)))
        start_at = ledger.now + random.choice((0, -1, -2000, -6000, -6001, -20_000, 1, 5000))
        start_at = U64_MAX if self.odd(0.1) else start_at
        return Open(index, stream_id, rate, funds, start_at, self.tick_price_max(stream))

    def tick_price_max(self, stream: Stream | None) -> int:
        """What the operator takes now; sometimes any price, sometimes one less than now."""
        entry = self.ledger.asset_entries.get(stream.asset) if stream else None
        price = entry.tick_price if entry else 0
        return self.random.choice((price, price, price, U128_MAX, max(0, price - 1)))

    def session_order(self, grant_id: int, index: int) -> Order:
        ledger, random = self.ledger, self.random
        session = ledger.sessions.get((grant_id, index))
        grant = ledger.grants.get(grant_id)
        kinds = ("tick", "close", "fund", "tip", "renew")
        is_subscribed = session is not None and (
            (session.stream, session.viewer) in ledger.subscriptions
        )
        # one tip is often followed by another
        has_tipped = grant is not None and ledger.now - grant.tipped_at < 2 * MIN_TICK_MS
        weights = (50, 12, 20, 50 if has_tipped else 10, 25 if is_subscribed else 2)
        what = random.choices(kinds, weights)[0]
        if what == "fund":
            funds, rate = (session.funds, session.rate_per_second) if session else (10, 1)
            cap_left = grant.cap_left if grant else 0
            vault = ledger.vault(grant.viewer, grant.asset) if grant else 0
            enough = rate * CONSTANTS.fund_below_seconds
            if session is not None:
                enough += session.paid
            if random.random() < 0.5:
                return Fund(index, self.amount(funds, funds + min(vault, cap_left), enough))
            least = random.choice((funds, max(funds, enough)))
            return Fund(index, min(U128_MAX, least + random.randint(0, 50)))
        if what == "tip":
            total = grant.tips_total if grant else 0
            left = min(U128_MAX - total, grant.tips_left) if grant else 5
            if random.random() < 0.6:
                return Tip(index, total + random.randint(1, 12), b"x" * random.randint(0, 3))
            return Tip(index, min(U128_MAX, self.amount(total, total + left, total + 5)))
        if what == "renew":
            total = grant.renewals_total if grant else 0
            return Renew(index, max(0, total + random.choice((1, 1, 1, 1, 0, 2, -1))))
        seconds = self.seconds(grant_id, index)
        return Tick(index, seconds) if what == "tick" else Close(index, seconds)

    def seconds(self, grant_id: int, index: int) -> int:
        session = self.ledger.sessions.get((grant_id, index))
        if session is None:
            return self.random.choice((0, 5, U32_MAX))
        room = self.ledger.read(session).room
        asked = self.random.choice(
            (room, room, room, room // 2, room + 1, CONSTANTS.min_tick_seconds, 4, 1, 0)
        )
        if self.odd(0.3):
            asked = self.random.choice((-1, -1, -5, room + 1000, U32_MAX))
        return min(max(0, session.seconds + asked), U32_MAX)

    def submit(self) -> Call:
        signed = self.signed_order()
        args = {"grant": signed.grant, "order": signed.order, "signer": signed.signer}
        return Call("submit", args=args)

    def submit_batch(self) -> Call:
        if self.batches and self.odd():
            return self.random.choice(self.batches)
        count = self.random.randint(0 if self.odd() else 1, CONSTANTS.max_batch_orders)
        orders = [self.signed_order(opens=0.2) for _ in range(count)]
        if not self.odd(0.5):
            by_place = {(signed.grant, signed.order.index): signed for signed in orders}
            orders = [by_place[place] for place in sorted(by_place)]
        batch = Call("submit_batch", self.person(), {"orders": orders})
        self.batches = [batch, *self.batches[:5]]
        if orders and self.random.random() < 0.35:
            self.coming.append(batch)
            return self.copied(orders)
        return batch

    def copied(self, orders: list[SignedOrder]) -> Call:
        """Let somebody who has seen a batch bring some of it first, in either lane."""
        count = self.random.randint(1, len(orders))
        copies = sorted(self.random.sample(range(len(orders)), count))
        if count == 1 and self.random.random() < 0.7:
            signed = orders[copies[0]]
            args = {"grant": signed.grant, "order": signed.order, "signer": signed.signer}
            return Call("submit", args=args)
        return Call("submit_batch", self.person(), {"orders": [orders[each] for each in copies]})

    # --- the operator ----------------------------------------------------------------------

    def operator(self) -> Call:
        random = self.random
        asset = self.asset()
        written_off = [key for key in self.ledger.asset_entries if self.ledger.is_written_off(key)]
        if written_off and random.random() < 0.3:
            asset = written_off[0]
        name, args = random.choice(
            (
                ("enable_asset", {"asset": asset, "tip_min": random.choice((0, 0, 4, 10))}),
                ("enable_asset", {"asset": asset, "tip_min": random.choice((0, 5))}),
                ("disable_asset", {"asset": asset}),
                ("set_tick_price", {"asset": asset, "price": random.choice((0, 1, 2, 100, 101))}),
                ("set_tick_price", {"asset": asset, "price": random.choice((0, 1, U128_MAX))}),
                (
                    "set_treasury_share",
                    {"share": random.choice((0, 1, 100_000, 300_000, 300_001, WHOLE))},
                ),
                ("set_stopped", {"stopped": random.random() < 0.3}),
            )
        )
        # what blocks everything else does not last
        if random.random() < 0.9:
            disabled = self.disabled()
            if self.ledger.stopped:
                name, args = "set_stopped", {"stopped": False}
            elif disabled:
                name, args = "enable_asset", {"asset": disabled[0], "tip_min": 0}
        who = GUARD if random.random() < 0.3 else ROOT
        return Call(name, self.person() if self.odd(0.3) else who, args)

    def disabled(self) -> list[Asset]:
        """List the disabled assets that are alive."""
        return [
            asset
            for asset, entry in self.ledger.asset_entries.items()
            if entry.status == "Disabled" and asset in self.ledger.accounts.kinds
        ]

    def write_off_asset(self) -> Call:
        gone = [
            asset
            for asset, entry in self.ledger.asset_entries.items()
            if asset not in self.ledger.accounts.kinds and entry.status != "WrittenOff"
        ]
        asset = self.random.choice(gone) if gone and self.random.random() < 0.8 else self.asset()
        entry = self.ledger.asset_entries.get(asset)
        if entry is not None and entry.status == "Enabled" and self.random.random() < 0.7:
            return Call("disable_asset", ROOT, {"asset": asset})
        return Call("write_off_asset", ROOT, {"asset": asset})

    # --- outside ---------------------------------------------------------------------------

    def outside(self) -> Call:
        """Draw something that the ledger has no say in."""
        random = self.random
        who, asset = random.choice((*PEOPLE, *GHOSTS)), random.choice((*ASSETS, NATIVE, FOREIGN))
        what = random.random()
        if what < 0.5:
            args = {"source": BANK, "target": who, "asset": asset, "amount": self.amount(50, 3000)}
            return Call("give", args=args)
        if what < 0.65:
            amount = self.amount(self.ledger.accounts.balance(who, asset))
            args = {"source": who, "target": BANK, "asset": asset, "amount": amount}
            return Call("give", args=args)
        if what < 0.8:
            return Call("drain", args={"source": who, "target": BANK, "asset": asset})
        if what < 0.85:
            return Call("fill_free_lane")
        kind = self.ledger.accounts.kinds.get(asset)
        if what < 0.9:
            frozen = kind is not None and not kind.frozen
            return Call("freeze_asset", args={"asset": asset, "frozen": frozen})
        if what < 0.94:
            blocked = (who, asset) not in self.ledger.accounts.blocked
            return Call("block_account", args={"who": who, "asset": asset, "blocked": blocked})
        if random.random() < 0.8:
            asset = random.choice((SUFFICIENT, DEPENDENT))
            if asset in self.ledger.accounts.kinds:
                return Call("destroy_asset", args={"asset": asset})
            minimum, sufficient = KINDS[asset]
            args = {"asset": asset, "minimum": minimum, "sufficient": sufficient}
            return Call("create_asset", args=args)
        args = {"who": random.choice((*PEOPLE, self.ledger.pot)), "asset": asset, "amount": 3000}
        return Call("mint", args=args)

    def flood(self) -> Call:
        """Begin a story of so much money going round that it fills a stream's totals."""
        asset = self.random.choice((SUFFICIENT, DEPENDENT))
        if self.ledger.accounts.issued(asset) > FLOOD:
            return self.outside()
        owner, first, second, third = self.random.sample(PEOPLE, 4)
        money, stream = FLOOD, self.ledger.next_stream
        tier = Tier(money, CONSTANTS.period_min_ms, 0)

        def refund(viewer: Account) -> Call:
            return Call("refund", owner, {"stream": stream, "viewer": viewer, "amount": money})

        def tip(viewer: Account) -> Call:
            return Call("tip", viewer, {"stream": stream, "amount": money, "message": b""})

        def subscribe(viewer: Account) -> Call:
            return Call("subscribe", viewer, {"stream": stream, "tier": tier, "periods": 1})

        offer = {"asset": asset, "rate_per_second": 1, "payees": ()}
        self.coming += [
            Call("create_stream", owner, {**offer, "funds_min": 0, "gap_min_ms": 0}),
            Call("set_tiers", owner, {"stream": stream, "tiers": (tier,)}),
            Call("mint", args={"who": first, "asset": asset, "amount": money}),
            Call("deposit", first, {"asset": asset, "amount": money}),
            *(subscribe(first), refund(second), subscribe(second), refund(third)),
            *(subscribe(third), refund(first), tip(first), refund(second)),
            *(tip(second), refund(third), tip(third), refund(first)),
            Call("withdraw", first, {"asset": asset, "amount": money}),
        ]
        return Call("set_treasury_share", ROOT, {"share": 0})

    def dust(self) -> Call:
        """Begin a story of a payee whose account does not exist and who is credited dust."""
        ghost, (owner, viewer) = self.random.choice(GHOSTS), self.random.sample(PEOPLE, 2)
        stream = self.ledger.next_stream
        place = {"stream": stream}
        payees = (Payee(ghost, WHOLE // 2), Payee(owner, WHOLE // 2))
        offer = {"asset": NATIVE, "rate_per_second": 1, "payees": payees}
        without = Call("update_stream", owner, {**place, "change": StreamChange(payees=())})
        tips = {"amount": 2 * EXISTENTIAL_DEPOSIT - 6, "message": b""}
        life = {"source": BANK, "target": ghost, "asset": NATIVE, "amount": EXISTENTIAL_DEPOSIT}
        give, claim = Call("give", args=life), Call("claim", viewer, place)
        end = Call("end_stream", owner, place)
        self.coming += [
            Call("create_stream", owner, {**offer, "funds_min": 0, "gap_min_ms": 0}),
            Call("deposit", viewer, {"asset": NATIVE, "amount": 100}),
            Call("tip", viewer, {**place, **tips}),
            *(claim, without),
            *self.random.choice(
                (
                    (give, without, end, claim),
                    (end, claim, claim, Call("claim", NOBODY, place), give, claim),
                    (end, give, Call("claim", NOBODY, place), claim),
                )
            ),
        ]
        return Call("drain", args={"source": ghost, "target": BANK, "asset": NATIVE})

    def wrong_origin(self) -> Call:
        call = self.call()
        if call.origin == NOBODY:
            return call
        return Call(call.name, self.person() if call.origin == ROOT else ROOT, call.args)


_TABLE = {
    Traffic.time: 230,
    Traffic.submit: 360,
    Traffic.submit_batch: 60,
    Traffic.deposit: 50,
    Traffic.withdraw: 15,
    Traffic.grant: 45,
    Traffic.revoke: 12,
    Traffic.tip: 10,
    Traffic.subscribe: 30,
    Traffic.cancel_subscription: 8,
    Traffic.create_stream: 25,
    Traffic.update_stream: 45,
    Traffic.end_stream: 5,
    Traffic.transfer_stream: 8,
    Traffic.refund: 12,
    Traffic.set_tiers: 20,
    Traffic.settle: 18,
    Traffic.claim: 18,
    Traffic.settle_subscription: 12,
    Traffic.operator: 14,
    Traffic.write_off_asset: 9,
    Traffic.outside: 34,
    Traffic.flood: 1,
    Traffic.dust: 2,
    Traffic.wrong_origin: 3,
}
_DRAWS, _WEIGHTS = list(_TABLE), list(_TABLE.values())
