"""The world of assets, as far as it decides whether a call of the ledger succeeds.

Accounts hold free money per asset, and native money on hold. An account exists while it has native
money; its native minimum stays free while anything of it is held or rests on it. What the ledger
moves preserves the sender. The second half of the class is what happens outside of the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

Account: TypeAlias = Any
"""Anything that can be a key of a dictionary."""

Asset: TypeAlias = Any
"""`None` is the native token."""

NATIVE: Asset = None


@dataclass(slots=True)
class AssetKind:
    """What the chain knows of an asset. One that was destroyed, or never was, has no kind."""

    minimum: int
    sufficient: bool = True
    frozen: bool = False


@dataclass(slots=True)
class Accounts:
    """Balances and holds. `free` has no entry of 0."""

    existential_deposit: int
    kinds: dict[Asset, AssetKind] = field(default_factory=dict)
    free: dict[tuple[Account, Asset], int] = field(default_factory=dict)
    held: dict[Account, int] = field(default_factory=dict)
    blocked: set[tuple[Account, Asset]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.kinds.setdefault(NATIVE, AssetKind(self.existential_deposit))

    def copy(self) -> Accounts:
        return replace(
            self,
            kinds={asset: replace(kind) for asset, kind in self.kinds.items()},
            free=dict(self.free),
            held=dict(self.held),
            blocked=set(self.blocked),
        )

    def minimum(self, asset: Asset) -> int:
        """Give the least that an account holds; 0 for an asset that does not exist."""
        kind = self.kinds.get(asset)
        return kind.minimum if kind else 0

    def balance(self, who: Account, asset: Asset) -> int:
        return self.free.get((who, asset), 0)

    def issued(self, asset: Asset) -> int:
        """Sum up an asset that nothing is held of."""
        return sum(left for (_, of), left in self.free.items() if of == asset)

    # --- what the ledger does --------------------------------------------------------------

    def can_send(self, who: Account, asset: Asset, amount: int) -> bool:
        """Say whether an account can give money away and live on."""
        kind = self.kinds.get(asset)
        if kind is None or kind.frozen or (who, asset) in self.blocked:
            return False
        return self.balance(who, asset) - amount >= kind.minimum

    def can_receive(self, who: Account, asset: Asset, amount: int) -> bool:
        kind = self.kinds.get(asset)
        if kind is None or (who, asset) in self.blocked:
            return False
        before = self.balance(who, asset)
        if before + amount < kind.minimum:
            return False
        # an account of an asset that is not sufficient rests on native money
        return before > 0 or asset is NATIVE or kind.sufficient or (who, NATIVE) in self.free

    def can_move(self, source: Account, target: Account, asset: Asset, amount: int) -> bool:
        return self.can_send(source, asset, amount) and self.can_receive(target, asset, amount)

    def move(self, source: Account, target: Account, asset: Asset, amount: int) -> None:
        self.add(source, asset, -amount)
        self.add(target, asset, amount)

    def can_hold(self, who: Account, amount: int, *, income: int = 0) -> bool:
        """Say whether an account could have more held, had it received `income` before."""
        return self.balance(who, NATIVE) + income - amount >= self.existential_deposit

    def hold(self, who: Account, amount: int) -> None:
        """Hold more, or release where `amount` is negative."""
        self.add(who, NATIVE, -amount)
        self._add_held(who, amount)

    def move_held(self, source: Account, target: Account, amount: int) -> None:
        self._add_held(source, -amount)
        self._add_held(target, amount)

    def add(self, who: Account, asset: Asset, amount: int) -> None:
        place = (who, asset)
        left = self.free.get(place, 0) + amount
        if left:
            self.free[place] = left
        else:
            self.free.pop(place, None)

    def _add_held(self, who: Account, amount: int) -> None:
        left = self.held.get(who, 0) + amount
        if left:
            self.held[who] = left
        else:
            self.held.pop(who, None)

    # --- what happens outside of it --------------------------------------------------------

    def give(self, source: Account, target: Account, asset: Asset, amount: int) -> bool:
        """Move money between two accounts that both live on; say whether it could be done."""
        done = source != target and amount > 0 and self.can_move(source, target, asset, amount)
        if done:
            self.move(source, target, asset, amount)
        return done

    def drain(self, source: Account, target: Account, asset: Asset) -> bool:
        """Move all that an account may give away, its own life included."""
        kind = self.kinds.get(asset)
        amount = self.balance(source, asset)
        if kind is None or kind.frozen or (source, asset) in self.blocked or source == target:
            return False
        if asset is NATIVE and self._is_needed(source):
            amount -= self.existential_deposit
        if amount <= 0 or not self.can_receive(target, asset, amount):
            return False
        self.move(source, target, asset, amount)
        return True

    def _is_needed(self, who: Account) -> bool:
        """Say whether something rests on an account's native minimum."""
        return who in self.held or any(
            (who, asset) in self.free
            for asset, kind in self.kinds.items()
            if asset is not NATIVE and not kind.sufficient
        )

    def destroy(self, asset: Asset) -> bool:
        """Take an asset from the world, with all that anybody has of it."""
        if asset is NATIVE or self.kinds.pop(asset, None) is None:
            return False
        for place in [place for place in self.free if place[1] == asset]:
            del self.free[place]
        self.blocked = {place for place in self.blocked if place[1] != asset}
        return True

    def freeze(self, asset: Asset, *, frozen: bool) -> bool:
        kind = self.kinds.get(asset)
        if asset is NATIVE or kind is None or kind.frozen == frozen:
            return False
        kind.frozen = frozen
        return True

    def block(self, who: Account, asset: Asset, *, blocked: bool) -> bool:
        """Let an account neither give nor take an asset that it has."""
        if asset is NATIVE or (who, asset) not in self.free:
            return False
        (self.blocked.add if blocked else self.blocked.discard)((who, asset))
        return True
