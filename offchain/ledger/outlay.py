"""What a transaction takes of an account, and whether the account can pay it. Pure: no I/O.

Fees and storage deposits are native money, and so is the existential deposit that has to stay; what
is deposited may be of another asset. Money is an `int` in the asset's smallest unit. The rules are
those of `pallet-balances` and `pallet-assets`: the ledger preserves who pays, a hold needs the
existential deposit to stay free, and what is frozen may be held and may not be moved.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from offchain.ledger.types import NATIVE, Asset, Constants, Funds

FEE_RISE_DIVISOR: Final = 500
"""Fees may rise by this part while a transaction waits: 64 full blocks of the reference runtime
raise them by less than a thousandth."""


class Outlay(msgspec.Struct, frozen=True, kw_only=True):
    """What a transaction takes beside its fee: money for a vault, and what is held for storage.

    `least` is the smallest deposit that the ledger takes, where one is made.
    """

    asset: Asset = NATIVE
    deposit: int = 0
    storage_deposit: int = 0
    least: int = 0


class Reckoning(msgspec.Struct, frozen=True, kw_only=True):
    """An outlay beside what an account has.

    `fee` is what the runtime asks now, `has` the free native balance.
    `asset_minimum` and `asset_has` are the deposit's asset's, and 0 where that is the native one.
    `locked` and `asset_locked` are what freezes keep from moving.
    """

    outlay: Outlay
    fee: int
    tip: int = 0
    existential_deposit: int
    has: int
    locked: int = 0
    asset_minimum: int = 0
    asset_has: int = 0
    asset_locked: int = 0

    @property
    def is_native(self) -> bool:
        """Whether the deposit is native money, as fees are."""
        return self.outlay.asset is None

    @property
    def fees(self) -> int:
        """The most that the fee may have risen to when the transaction is included, and the tip."""
        return self.fee - (-self.fee // FEE_RISE_DIVISOR) + self.tip

    @property
    def frozen(self) -> int:
        """Native money that a freeze keeps in the account beyond all else that has to stay."""
        stays = self.outlay.storage_deposit + self.existential_deposit
        return max(0, self.locked - stays)

    @property
    def besides(self) -> int:
        """Native money that there must be beside a deposit."""
        held = self.outlay.storage_deposit + self.existential_deposit
        return self.fees + held + self.frozen

    @property
    def total(self) -> int:
        """Native money that there must be, what has to stay included."""
        return self.besides + (self.outlay.deposit if self.is_native else 0)

    @property
    def short_by(self) -> int:
        """Native money that is lacking; 0 where nothing is."""
        return max(0, self.total - self.has)

    @property
    def asset_total(self) -> int:
        """What there must be of the deposit's asset; 0 where that is the native one."""
        if self.is_native or not self.outlay.deposit:
            return 0
        return self.outlay.deposit + max(self.asset_minimum, self.asset_locked)

    @property
    def asset_short_by(self) -> int:
        """What is lacking of the deposit's asset; 0 where that is the native one."""
        return max(0, self.asset_total - self.asset_has)

    @property
    def deposit_max(self) -> int:
        """All that can be deposited, with everything else paid; 0 where it cannot be paid."""
        if self.is_native:
            return max(0, self.has - self.besides)
        if self.has < self.besides:
            return 0
        return max(0, self.asset_has - max(self.asset_minimum, self.asset_locked))

    @property
    def is_payable(self) -> bool:
        """Whether the account can pay all of it."""
        return self.short_by == 0 and self.asset_short_by == 0

    def with_deposit(self, deposit: int) -> Reckoning:
        """Give the same with another deposit."""
        changed = msgspec.structs.replace(self.outlay, deposit=deposit)
        return msgspec.structs.replace(self, outlay=changed)


def reckon(
    outlay: Outlay,
    *,
    fee: int,
    tip: int = 0,
    existential_deposit: int,
    native: Funds,
    asset: Funds | None = None,
    asset_minimum: int = 0,
) -> Reckoning:
    """Put an outlay beside an account's money.

    `fee` is what the runtime asks for the very extrinsic, `asset` what the account has of the
    deposit's asset where that is not the native one.
    """
    other = asset if asset is not None and outlay.asset is not None else Funds(free=0)
    return Reckoning(
        outlay=outlay,
        fee=fee,
        tip=tip,
        existential_deposit=existential_deposit,
        has=native.free,
        locked=native.locked,
        asset_minimum=0 if outlay.asset is None else asset_minimum,
        asset_has=other.free,
        asset_locked=other.locked,
    )


def grant_deposit(constants: Constants, sessions_max: int) -> int:
    """Give what is held of the viewer's native money for a grant and all its sessions."""
    return constants.grant_deposit_base + sessions_max * constants.grant_deposit_per_session


def stream_deposit(constants: Constants, payees: int) -> int:
    """Give what is held of the creator's native money for a stream and its payees' vaults.

    `payees` counts those that are named; none means the owner alone.
    """
    return constants.stream_deposit_base + max(1, payees) * constants.stream_deposit_per_payee


def least_deposit(vault: int, minimum: int) -> int:
    """Give the smallest deposit: a vault is at least its asset's minimum balance."""
    return max(1, minimum - vault)


def shortfall(
    reckoning: Reckoning, native: Callable[[int], str], asset: Callable[[int], str]
) -> str:
    """Say what an account cannot pay, and the remedy; `native` and `asset` write amounts."""
    wanted = reckoning.outlay.deposit
    if reckoning.short_by:
        lacks = native(reckoning.short_by)
        parts = _parts(reckoning, native)
        made = f"{native(reckoning.total)}, and the account has {native(reckoning.has)}"
    else:
        lacks = asset(reckoning.asset_short_by)
        stays = asset(reckoning.asset_total - wanted)
        parts = [f"the deposit of {asset(wanted)}", f"{stays} that must stay in the account"]
        made = f"{asset(reckoning.asset_total)}, and the account has {asset(reckoning.asset_has)}"
    remedy = f"send the account {lacks} first"
    if wanted > reckoning.deposit_max >= max(1, reckoning.outlay.least):
        remedy = f"deposit at most {asset(reckoning.deposit_max)}, or {remedy}"
    text = f"{', '.join(parts[:-1])} and {parts[-1]} come to {made}"
    return f"{text}: {remedy}"


def _parts(reckoning: Reckoning, native: Callable[[int], str]) -> list[str]:
    """Name what native money is needed for; the last part is what must stay."""
    outlay, parts = reckoning.outlay, []
    if reckoning.is_native and outlay.deposit:
        parts.append(f"the deposit of {native(outlay.deposit)}")
    if outlay.storage_deposit:
        parts.append(f"{native(outlay.storage_deposit)} that is held for storage")
    parts.append(f"the fee of at most {native(reckoning.fees)}")
    if reckoning.frozen:
        parts.append(f"{native(reckoning.frozen)} that is frozen")
    parts.append(f"{native(reckoning.existential_deposit)} that must stay in the account")
    return parts
