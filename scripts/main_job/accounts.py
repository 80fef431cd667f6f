"""The job's people: fresh keys with money from //Alice, and the stream that they meet at."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from offchain.keys import Keystore, LocalKey, dev_key, fresh_key
from offchain.ledger.client import Ledger
from offchain.ledger.types import NATIVE, PERMILL_WHOLE, Asset, Payee

UNIT: Final = 10**12
OWNER_FUNDS: Final = 100 * UNIT
VIEWER_FEES: Final = 100 * UNIT
"""What a viewer gets besides the deposit: for fees and for the ledger's storage."""
PAYEE_FUNDS: Final = 1 * UNIT
"""Above the least that an account may hold, so that a claim of any size reaches the account."""
FIRST_SHARE: Final = 700_000
TRANSFERS_PER_BATCH: Final = 100


@dataclass(frozen=True, kw_only=True)
class People:
    """Everyone in the job. Payees are addresses only: their keys are thrown away."""

    owner: LocalKey
    owner_name: str
    viewers: tuple[LocalKey, ...]
    viewer_names: tuple[str, ...]
    payees: tuple[Payee, ...]


def write_password(path: Path) -> None:
    """Write a fresh password that only we can read."""
    path.touch(mode=0o600)
    path.write_text(secrets.token_urlsafe(24))


def make_people(keys: Path, password: str, viewer_count: int, rate_per_second: int) -> People:
    """Make owner and viewers in the keystore, and payees whose secrets nobody keeps."""
    keystore = Keystore(keys)
    names = tuple(f"viewer-{number}" for number in range(1, viewer_count + 1))
    return People(
        owner=keystore.new("creator", password),
        owner_name="creator",
        viewers=tuple(keystore.new(name, password) for name in names),
        viewer_names=names,
        payees=_payees(rate_per_second),
    )


def _payees(rate_per_second: int) -> tuple[Payee, ...]:
    first, second = fresh_key().address, fresh_key().address
    # Two where every payment splits without a remainder: a claim then leaves nothing behind.
    if rate_per_second * FIRST_SHARE % PERMILL_WHOLE == 0:
        return (
            Payee(account=first, share=FIRST_SHARE),
            Payee(account=second, share=PERMILL_WHOLE - FIRST_SHARE),
        )
    return (Payee(account=first, share=PERMILL_WHOLE),)


async def fund(ledger: Ledger, people: People, viewer_funds: int) -> None:
    """Give everyone money from //Alice, and wait until that is final."""
    alice = dev_key("Alice")
    amounts = [(people.owner.address, OWNER_FUNDS)]
    amounts += [(viewer.address, viewer_funds) for viewer in people.viewers]
    amounts += [(payee.account, PAYEE_FUNDS) for payee in people.payees]
    for start in range(0, len(amounts), TRANSFERS_PER_BATCH):
        await _transfer(ledger, alice, amounts[start : start + TRANSFERS_PER_BATCH])


async def fund_in(ledger: Ledger, people: People, asset: int, viewer_funds: int) -> None:
    """Give viewers and payees money of another asset from //Alice, and wait until that is final.

    Payees get the least that an account may hold, so that a claim of any size reaches them.
    """
    least = (await ledger.currency(asset)).minimum
    amounts = [(viewer.address, viewer_funds + least) for viewer in people.viewers]
    amounts += [(payee.account, least) for payee in people.payees]
    for start in range(0, len(amounts), TRANSFERS_PER_BATCH):
        part = amounts[start : start + TRANSFERS_PER_BATCH]
        await _transfer(ledger, dev_key("Alice"), part, asset)


async def _transfer(
    ledger: Ledger, sender: LocalKey, amounts: Sequence[tuple[str, int]], asset: Asset = NATIVE
) -> None:
    transfers = [
        {
            "call_module": "Balances" if asset is None else "Assets",
            "call_function": "transfer_keep_alive",
            "call_args": {"dest": account, "value": amount}
            if asset is None
            else {"id": asset, "target": account, "amount": amount},
        }
        for account, amount in amounts
    ]
    call = await ledger.compose("Utility", "batch_all", {"calls": transfers})
    await ledger.submit_signed(call, sender, wait="finalized")
