"""What must always hold: I1 to I5 of a state, I6 and I7 between two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.model.accounts import NATIVE, Account, Asset
from tests.model.books import Books


def violated(books: Books, *, died: frozenset[Asset] = frozenset()) -> list[str]:
    """List what does not hold of I1 to I5.

    `died` are assets that were destroyed under the ledger: the pot cannot hold what it owes.
    """
    found = list(_money(books, died))
    for check in (_clock, _cap_and_price, _lists, _dust, _deposits):
        found += check(books)
    return found


def owed(books: Books) -> Counter[Asset]:
    """Sum up what the entries say the ledger owes, per asset."""
    sums: Counter[Asset] = Counter()
    for (_, asset), amount in books.vaults.items():
        sums[asset] += amount
    for session in books.sessions.values():
        sums[session.asset] += session.left
    for stream in books.streams.values():
        sums[stream.asset] += stream.earned + stream.fees
    for (stream_id, _), subscription in books.subscriptions.items():
        sums[books.streams[stream_id].asset] += subscription.held
    return sums


def issuance(books: Books) -> Counter[Asset]:
    """Count every token there is."""
    sums: Counter[Asset] = Counter()
    for (_, asset), amount in books.accounts.free.items():
        sums[asset] += amount
    for amount in books.accounts.held.values():
        sums[NATIVE] += amount
    return sums


def _money(books: Books, died: frozenset[Asset]) -> Iterator[str]:
    sums = owed(books)
    for asset, entry in books.asset_entries.items():
        if entry.owed != sums.pop(asset, 0):
            yield f"I1: owed of {asset} is not the sum of its entries"
        if entry.status == "WrittenOff" or asset in died:
            continue
        if books.accounts.balance(books.pot, asset) < entry.owed + books.accounts.minimum(asset):
            yield f"I1: the pot holds too little of {asset}"
    for key, stream in books.streams.items():
        if books.parts(stream, stream.treasury_share, stream.shared_total)[-1] > stream.earned:
            yield f"I1: what shares left over is not in stream {key}"
    for asset, amount in sums.items():
        if amount:
            yield f"I1: {asset} is owed and has no entry"


def _clock(books: Books) -> Iterator[str]:
    for place, session in books.sessions.items():
        if session.seconds * 1000 > books.read(session).end - session.started_at:
            yield f"I2: {place} has more seconds than time has passed"
        if session.started_at < session.opened_at - books.constants.head_start_max_ms:
            yield f"I2: {place} starts too early"
    for grant_id, grant in books.grants.items():
        if max(grant.opened_at, grant.tipped_at) > books.now:
            yield f"I2: grant {grant_id} was used in the future"
        if grant.seconds * 1000 > grant.sessions_max * (books.now - grant.created_at):
            yield f"I2: grant {grant_id} has more seconds than time has passed"


def _cap_and_price(books: Books) -> Iterator[str]:
    funds: Counter[int] = Counter()
    for (grant_id, index), session in books.sessions.items():
        funds[grant_id] += session.funds
        if session.left < 0:
            yield f"I4: {grant_id, index} has paid more than its funds"
        if session.rate_per_second > books.grants[grant_id].rate_max_per_second:
            yield f"I4: {grant_id, index} costs more than its grant allows"
        if session.tick_price > books.constants.tick_price_max:
            yield f"I4: the tick price of {grant_id, index} is above the constant"
    for grant_id, grant in books.grants.items():
        if grant.cap != grant.cap_left + funds[grant_id] + grant.spent:
            yield f"I3: the cap of grant {grant_id} does not add up"


def _lists(books: Books) -> Iterator[str]:
    indices: dict[int, list[int]] = {}
    watching: Counter[int] = Counter()
    for grant_id, index in sorted(books.sessions):
        indices.setdefault(grant_id, []).append(index)
        watching[books.sessions[grant_id, index].stream] += 1
    for grant_id, grant in books.grants.items():
        if grant.open != indices.pop(grant_id, []):
            yield f"I5: the list of grant {grant_id} is not its sessions"
        if len(grant.open) > grant.sessions_max or any(i >= grant.next_index for i in grant.open):
            yield f"I5: grant {grant_id} has sessions beyond its bounds"
    if indices:
        yield f"I5: sessions of grants that are not: {indices}"
    subscribed = Counter(stream_id for stream_id, _ in books.subscriptions)
    for stream_id, stream in books.streams.items():
        if stream.sessions_open != watching.pop(stream_id, 0):
            yield f"I5: sessions_open of stream {stream_id}"
        if stream.subscriptions_open != subscribed.pop(stream_id, 0):
            yield f"I5: subscriptions_open of stream {stream_id}"
        if len(stream.stops) > books.constants.max_stops or stream.stops != sorted(stream.stops):
            yield f"I5: stops of stream {stream_id}"
        if stream.ended != (stream.ended_at is not None):
            yield f"I5: ended_at of stream {stream_id}"
    if watching or subscribed:
        yield "I5: sessions or subscriptions of streams that are not"
    if any(not tiers or stream_id not in books.streams for stream_id, tiers in books.tiers.items()):
        yield "I5: tiers of nothing"
    if 0 in books.vaults.values() or min(books.vaults.values(), default=1) < 0:
        yield "I5: an empty vault has an entry"
    if max(books.streams, default=-1) >= books.next_stream:
        yield "I5: the next stream's id is taken"
    if max(books.grants, default=-1) >= books.next_grant:
        yield "I5: the next grant's id is taken"


def _dust(books: Books) -> Iterator[str]:
    paid = {(grant.viewer, grant.asset) for grant in books.grants.values()}
    for stream in books.streams.values():
        named = (stream.owner, *(payee.account for payee in stream.payees))
        paid |= {(who, stream.asset) for who in named}
    for (who, asset), free in books.vaults.items():
        exempt = who == books.treasury or books.is_written_off(asset)
        if books.is_dust(asset, free) and not exempt and (who, asset) not in paid:
            yield f"I5: nobody's deposit pays for the dust in the vault of {who}"


def _deposits(books: Books) -> Iterator[str]:
    held: Counter[Account] = Counter()
    constants = books.constants
    for stream_id, stream in books.streams.items():
        held[stream.owner] += stream.deposit
        if stream.deposit != books.stream_deposit(stream.payees, books.tiers.get(stream_id, ())):
            yield f"I5: the deposit of stream {stream_id}"
    for grant_id, grant in books.grants.items():
        held[grant.viewer] += grant.deposit
        per_session = constants.grant_deposit_per_session * grant.sessions_max
        if grant.deposit != constants.grant_deposit_base + per_session:
            yield f"I5: the deposit of grant {grant_id}"
    for (_, viewer), subscription in books.subscriptions.items():
        held[viewer] += subscription.deposit
        if subscription.deposit != constants.subscription_deposit:
            yield f"I5: the deposit of {viewer}'s subscription"
    if +held != Counter(books.accounts.held):
        yield "I5: what is held is not the sum of the deposits"


class Course(NamedTuple):
    """How the fields of a kind of entry may change."""

    rises: tuple[str, ...]
    falls: tuple[str, ...]
    stays: tuple[str, ...]


STREAM = Course(
    rises=(
        *("changed_at", "earned_total", "tips_total", "subscribed_total"),
        *("refunded_total", "seconds"),
    ),
    falls=(),
    stays=("asset",),
)
GRANT = Course(
    rises=(
        *("next_index", "opened_at", "tipped_at", "spent", "seconds"),
        *("freed_end_at", "tips_total", "renewals_total"),
    ),
    falls=("ended_at", "tips_left", "renewals_left"),
    stays=(
        *("viewer", "key", "asset", "cap", "created_at", "expires_at"),
        *("sessions_max", "gap_ms", "rate_max_per_second"),
    ),
)
SESSION = Course(
    rises=("seconds", "fees", "funds", "billed_until", "ticked_at"),
    falls=("ended_at",),
    stays=(
        *("viewer", "key", "asset", "stream", "rate_per_second", "gap_ms"),
        *("started_at", "opened_at", "tick_price"),
    ),
)


def broken_between(before: Books, after: Books, *, only_calls: bool = True) -> list[str]:
    """List what does not hold of I6 and I7 between two states, however many calls lie between.

    I7 holds only where nothing but calls of the ledger has happened.
    """
    found: list[str] = []
    if only_calls and issuance(before) != issuance(after):
        found.append("I7: a token was created or destroyed")
    if after.next_stream < before.next_stream or after.next_grant < before.next_grant:
        found.append("I6: an id fell")
    if any(before.next_stream > key for key in after.streams.keys() - before.streams.keys()):
        found.append("I6: the id of a stream was used again")
    if any(before.next_grant > key for key in after.grants.keys() - before.grants.keys()):
        found.append("I6: the id of a grant was used again")
    for place in after.sessions.keys() - before.sessions.keys():
        grant = before.grants.get(place[0])
        if grant is not None and place[1] < grant.next_index:
            found.append(f"I6: the index of {place} was used again")
    found += _between("stream", before.streams, after.streams, STREAM)
    found += _between("grant", before.grants, after.grants, GRANT)
    found += _between("session", before.sessions, after.sessions, SESSION)
    for key, stream in before.streams.items():
        if stream.ended and key in after.streams and not after.streams[key].ended:
            found.append(f"I6: stream {key} came back")
    return found


def _between(
    what: str, before: dict[Any, Any], after: dict[Any, Any], course: Course
) -> Iterator[str]:
    for key in before.keys() & after.keys():
        old, new = before[key], after[key]
        for name in course.rises:
            if getattr(new, name) < getattr(old, name):
                yield f"I6: {name} of {what} {key} fell"
        for name in course.falls:
            if getattr(new, name) > getattr(old, name):
                yield f"I6: {name} of {what} {key} rose"
        for name in course.stays:
            if getattr(new, name) != getattr(old, name):
                yield f"I6: {name} of {what} {key} changed"
