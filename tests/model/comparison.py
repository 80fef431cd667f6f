"""Holds the model against the pallet, call by call: results, events, entries, balances."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.model.accounts import NATIVE, Asset
from tests.model.books import Books
from tests.model.calls import NAMES, Call, decoded, encoded, performed
from tests.model.entries import Event, Outcome, Payee, Tier
from tests.model.invariants import broken_between, violated
from tests.model.ledger import Ledger, costs_nothing
from tests.model.oracle import Oracle, OracleDied
from tests.model.traffic import Traffic, genesis

STORY_CALLS = 500
"""So many calls a ledger lives: then another begins, so that what is stored stays small."""
DUMP_EVERY = 20
"""After so many calls all entries and balances are compared, and the invariants checked."""


class Difference(Exception):
    """Model and pallet disagree; `place` is the call's in its story."""

    def __init__(self, place: int, call: Call, what: str) -> None:
        self.place = place
        self.call = call
        self.what = what
        self.kind = (call.name, re.sub(r"\d+", "", what)[:40])
        """Tells differences of one cause from others, roughly."""
        super().__init__(f"call {place}, {json.dumps(encoded(call))}: {what}")


@dataclass
class Coverage:
    """How often each call succeeded and failed, and which names were given."""

    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)

    @property
    def calls(self) -> int:
        """Count the calls of the pallet."""
        return sum(self.done[name] + self.refused[name] for name in NAMES)

    def add(self, call: Call, answer: dict[str, Any]) -> None:
        if "error" in answer:
            self.refused[call.name] += 1
            self.errors[answer["error"]] += 1
        else:
            self.done[call.name] += 1
            if call.name == "submit":
                self.done[type(call.args["order"]).__name__] += 1
        for name, fields in answer["events"]:
            self.events[name] += 1
            if name == "OrderFailed":
                self.errors[fields["error"]] += 1


class Story:
    """One ledger's life, on the model and on the pallet."""

    def __init__(self, oracle: Oracle, coverage: Coverage | None = None) -> None:
        self.oracle = oracle
        self.coverage = coverage or Coverage()
        oracle.reset()
        self.ledger = genesis(oracle.pot)
        self.died: frozenset[Asset] = frozenset()
        self.calls: list[Call] = []
        self._before: Books = self.ledger.copy()
        self._only_calls = True

    def tell(self, count: int, draw: Callable[[Ledger], Call], *, dump_last: bool = True) -> None:
        """Draw calls, make them on both sides, and compare. Raises Difference.

        What is drawn rests on the model alone, so both run through before anything is compared.
        """
        first = len(self.calls)
        outcomes: list[Outcome] = []
        dumps: dict[int, tuple[dict[str, Any], bool]] = {}
        for place in range(count):
            call = draw(self.ledger)
            self.calls.append(call)
            outcomes.append(performed(self.ledger, call))
            self.died |= {
                asset
                for asset in self.ledger.asset_entries
                if asset not in self.ledger.accounts.kinds
            }
            self._only_calls = self._only_calls and call.name in NAMES
            is_last = place == count - 1
            if (first + place) % DUMP_EVERY == DUMP_EVERY - 1 or (is_last and dump_last):
                dumps[place] = dumped(self.ledger), self._is_short()
                self._check_invariants(first + place)
        calls = self.calls[first:]
        answers = self._answers(calls, list(dumps), first)
        for place, (call, outcome, answer) in enumerate(zip(calls, outcomes, answers, strict=True)):
            self.coverage.add(call, answer)
            what = difference(call, outcome, answer)
            if what is not None:
                raise Difference(first + place, call, what)
            if place in dumps:
                self._compare_entries(first + place, *dumps[place], answer["dump"])

    def _answers(self, calls: list[Call], dumps: list[int], first: int) -> list[dict[str, Any]]:
        try:
            return self.oracle.run(calls, dumps)
        except OracleDied as died:
            raise Difference(first, calls[0], f"it, or one after it: {died}") from None

    def _check_invariants(self, place: int) -> None:
        broken = violated(self.ledger, died=self.died)
        broken += broken_between(self._before, self.ledger, only_calls=self._only_calls)
        if broken:
            raise Difference(place, self.calls[place], f"the model breaks {broken}")
        self._before, self._only_calls = self.ledger.copy(), True

    def _is_short(self) -> bool:
        """Say whether the pot owes of an asset that was destroyed and not yet written off."""
        return any(not self.ledger.is_written_off(asset) for asset in self.died)

    def _compare_entries(
        self, place: int, model: dict[str, Any], is_short: bool, dump: dict[str, Any]
    ) -> None:
        pallet = loaded(dump)
        for name, entries in model.items():
            if pallet[name] != entries:
                what = f"{name}: {_first_difference(entries, pallet[name])}"
                raise Difference(place, self.calls[place], what)
        state = dump["try_state"]
        if state is not None and not (is_short and "I1" in state):
            raise Difference(place, self.calls[place], f"try_state: {state}")


def difference(call: Call, outcome: Outcome, answer: dict[str, Any]) -> str | None:
    """Say where a call's result and events differ; None where they agree."""
    told = answer.get("error")
    if isinstance(outcome, frozenset):
        if told is None:
            return f"model refuses with {sorted(outcome)}, pallet does it: {answer['events']}"
        if told not in outcome:
            return f"model refuses with {sorted(outcome)}, pallet with {told} {answer['why']}"
        return None
    if told is not None:
        return f"model does it, pallet refuses with {told} {answer['why']}"
    if len(outcome) != len(answer["events"]):
        return f"events: model {outcome}, pallet {answer['events']}"
    for expected, (name, fields) in zip(outcome, answer["events"], strict=True):
        if not _same_event(expected, name, fields):
            return f"events: model {expected}, pallet {name} {fields}"
    if call.name == "submit_batch":
        # of an order that several errors speak against the pallet alone knows the one that counts
        failures = [fields["error"] for name, fields in answer["events"] if name == "OrderFailed"]
        is_free = costs_nothing(outcome[-1], failures)
        if is_free != (answer["ok"] == "free"):
            return f"fee: model {'free' if is_free else 'pays'}, pallet {answer['ok']}"
    return None


def _same_event(expected: Event, name: str, fields: dict[str, Any]) -> bool:
    if expected.name != name or expected.fields.keys() != fields.keys():
        return False
    for key, value in expected.fields.items():
        told = fields[key]
        if isinstance(value, frozenset):
            if told not in value:
                return False
        elif (list(value) if isinstance(value, bytes) else value) != told:
            return False
    return True


def dumped(ledger: Ledger) -> dict[str, Any]:
    """Give the model's entries and balances in the shape that `loaded` gives the pallet's."""
    accounts = ledger.accounts
    exists = {who for who, asset in accounts.free if asset is NATIVE}
    return {
        "values": {
            "next_stream": ledger.next_stream,
            "next_grant": ledger.next_grant,
            "treasury_share": ledger.treasury_share,
            "stopped": ledger.stopped,
            "now": ledger.now,
        },
        "native": {
            who: (accounts.balance(who, NATIVE), accounts.held.get(who, 0)) for who in exists
        },
        "assets": {place: left for place, left in accounts.free.items() if place[1] is not NATIVE},
        "vaults": dict(ledger.vaults),
        "asset_entries": {key: asdict(entry) for key, entry in ledger.asset_entries.items()},
        "tiers": dict(ledger.tiers),
        "subscriptions": _fields(ledger.subscriptions),
        "streams": _fields(ledger.streams),
        "grants": _fields(ledger.grants),
        "sessions": _fields(ledger.sessions),
    }


def _fields(entries: dict[Any, Any]) -> dict[Any, dict[str, Any]]:
    """Copy entries as plain dictionaries."""
    result = {}
    for key, entry in entries.items():
        result[key] = fields = {name: getattr(entry, name) for name in entry.__slots__}
        for name in ("stops", "open"):
            if name in fields:
                fields[name] = tuple(fields[name])
    return result


def loaded(dump: dict[str, Any]) -> dict[str, Any]:
    """Give a dump of the oracle with keys and values of the model's kinds."""
    for _, fields in dump["streams"]:
        fields["payees"] = tuple(Payee(**payee) for payee in fields["payees"])
        fields["stops"] = tuple(fields["stops"])
    for _, fields in dump["grants"]:
        fields["open"] = tuple(fields["open"])
    for *_, fields in dump["subscriptions"]:
        fields["tier"] = Tier(**fields["tier"])
    return {
        "values": dump["values"],
        "native": {who: (free, held) for who, free, held in dump["native"] if free or held},
        "assets": {(who, asset): amount for asset, who, amount in dump["assets"]},
        "vaults": {(who, asset): amount for who, asset, amount in dump["vaults"]},
        "asset_entries": dict(dump["asset_entries"]),
        "tiers": {key: tuple(Tier(**tier) for tier in tiers) for key, tiers in dump["tiers"]},
        "subscriptions": {(key, who): fields for key, who, fields in dump["subscriptions"]},
        "streams": dict(dump["streams"]),
        "grants": dict(dump["grants"]),
        "sessions": {(grant, index): fields for grant, index, fields in dump["sessions"]},
    }


def _first_difference(model: dict[Any, Any], pallet: dict[Any, Any]) -> str:
    for key in model.keys() | pallet.keys():
        ours, theirs = model.get(key), pallet.get(key)
        if ours == theirs:
            continue
        if isinstance(ours, dict) and isinstance(theirs, dict):
            return f"{key}: {_first_difference(ours, theirs)}"
        return f"{key} is {ours} in the model, {theirs} in the pallet"
    return "nothing"


# --- stories by chance, and the shortest one that differs ----------------------------------


def told_by_chance(
    oracle: Oracle, seed: str, coverage: Coverage, *, calls: int = STORY_CALLS
) -> None:
    """Tell one story of a seed. Raises Difference, with the calls that lead there."""
    random = Random(seed)
    story = Story(oracle, coverage)
    traffic = Traffic(story.ledger, random, hostile=random.choice((0.02, 0.1, 0.3)))
    try:
        story.tell(calls, lambda _: traffic.call())
    except Difference as found:
        raise DifferentStory(seed, story.calls[: found.place + 1], found) from found


class DifferentStory(Exception):
    """Calls at whose end model and pallet disagree."""

    def __init__(self, seed: str, calls: list[Call], found: Difference) -> None:
        self.seed = seed
        self.calls = calls
        self.found = found
        super().__init__(f"story {seed}, {len(calls)} calls: {found}")

    def save(self, path: Path) -> None:
        """Write the calls down, one a line, to be told again."""
        lines = [json.dumps(encoded(call)) for call in self.calls]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def loaded_story(path: Path) -> list[Call]:
    return [decoded(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def told_again(oracle: Oracle, calls: Sequence[Call]) -> Difference | None:
    """Tell the calls of a story, comparing everything after each."""
    story = Story(oracle)
    try:
        for call in calls:
            story.tell(1, lambda _, call=call: call)  # type: ignore[misc]
    except Difference as found:
        return found
    return None


def shrunk(binary: Path, different: DifferentStory) -> list[Call]:
    """Leave out calls while the same kind of difference is at the end: delta debugging."""
    kept, kind = list(different.calls), different.found.kind
    step = max(1, len(kept) // 2)
    while step:
        place = 0
        while place < len(kept):
            fewer = kept[:place] + kept[place + step :]
            # an oracle of its own, since a call may have killed the last one
            with Oracle(binary) as oracle:
                found = told_again(oracle, fewer)
            if found is None or found.kind != kind:
                place += step
            else:
                kept = fewer[: found.place + 1]
        step //= 2
    return kept
