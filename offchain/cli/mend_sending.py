"""`paystream reconcile --mend`: sends the calls that mend, and tells what came of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from offchain.cli.chain import fee_paid, payable, with_ledger
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure, failure_of
from offchain.cli.handover import plan_refund
from offchain.cli.mending import Close, GiveBack, Mend, Settle
from offchain.cli.money import Money
from offchain.cli.output import Output
from offchain.cli.session import close_by_relayer
from offchain.cli.settle import plan_settle

if TYPE_CHECKING:
    from offchain.cli.chain import Plan
    from offchain.keys import LocalKey
    from offchain.ledger.client import Ledger


@dataclass(frozen=True)
class Sent:
    """What came of one mend: sent for a fee, or not sent and why."""

    mend: Mend
    fee: int = 0
    block_number: int | None = None
    problem: str | None = None

    @property
    def data(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "session": self.mend.label,
            "command": self.mend.command,
            "sent": self.problem is None,
            "fee": self.fee,
            "block_number": self.block_number,
            "problem": self.problem,
        }


def send_mends(
    out: Output, chain: str, server: str, signer: LocalKey, found: Sequence[Mend], *, yes: bool
) -> list[Sent]:
    """Try each call, say what they cost, ask (unless `yes`), and send those that passed.

    What is refused, then or now, is no failure of the others. Raises Abort where the answer is no,
    and what the ledger client raises where the chain is gone.
    """
    trials = _tried(out, chain, signer, found)
    ready = [each.mend for each in trials if each.problem is None]
    if ready and not yes:
        typer.confirm(f"Send {_counted(ready)}?", abort=True, err=True)
    sent = {each.mend: each for each in trials}
    for mend in ready:
        with out.working(f"{mend.command}: waiting for finality"):
            sent[mend] = _send(chain, server, signer, mend)
        _tell(out, sent[mend])
    return list(sent.values())


def _counted(ready: Sequence[Mend]) -> str:
    return "this call" if len(ready) == 1 else f"these {len(ready)} calls"


def _tell(out: Output, sent: Sent) -> None:
    if sent.problem is not None:
        out.warn(f"Session {sent.mend.label} stays as it is: {sent.problem}")
    elif sent.block_number is not None:
        out.note(f"Session {sent.mend.label} is mended in block {sent.block_number}.")
    else:
        out.note(f"The relayer was asked to close session {sent.mend.label}.")


def _tried(out: Output, chain: str, signer: LocalKey, found: Sequence[Mend]) -> list[Sent]:
    """Plan every call as a dry run does; tell the fee of each, or why it is not sent."""

    async def work(ledger: Ledger) -> list[Sent]:
        write = Money.of(ledger).write
        trials = [await _trial(ledger, signer.address, mend) for mend in found]
        for each in trials:
            if each.problem is None:
                out.note(f"{each.mend.command}: fee {write(each.fee)}")
            else:
                _tell(out, each)
        fees = sum(each.fee for each in trials)
        out.note(f"Fees together: {write(fees)}, paid by {signer.address}.")
        return trials

    return with_ledger(chain, work)


async def _trial(ledger: Ledger, account: str, mend: Mend) -> Sent:
    if isinstance(mend.call, Close):
        if mend.call.viewer == account:
            return Sent(mend)
        return Sent(mend, problem="only its viewer's key may close it yet; later anyone settles it")
    try:
        plan = await _planned(ledger, account, mend)
        fee = 0 if isinstance(mend.call, Settle) else (await payable(ledger, account, plan)).fee
    except Failure as failure:
        return Sent(mend, problem=failure.message)
    return Sent(mend, fee=fee)


async def _planned(ledger: Ledger, account: str, mend: Mend) -> Plan:
    match mend.call:
        case GiveBack(stream, viewer, amount):
            return await plan_refund(ledger, account, stream, viewer, lambda _money: amount)
        case _:
            return await plan_settle(ledger, Money.of(ledger), *mend.session)


def _send(chain: str, server: str, signer: LocalKey, mend: Mend) -> Sent:
    """Send one call; what was refused is told, and what cannot be reached raises."""
    if isinstance(mend.call, Close):
        return _close(server, signer, mend)

    async def work(ledger: Ledger) -> Sent:
        plan = await _planned(ledger, signer.address, mend)
        if isinstance(mend.call, Settle):
            receipt = await ledger.submit_unsigned(plan.call, wait="finalized")
            return Sent(mend, block_number=receipt.block_number)
        await payable(ledger, signer.address, plan)
        receipt = await ledger.submit_signed(plan.call, signer, wait="finalized", try_first=True)
        return Sent(mend, fee_paid(receipt), receipt.block_number)

    try:
        return with_ledger(chain, work)
    except Exception as error:
        failure = failure_of(error)
        if failure is None or failure.exit_code != Exit.REFUSED:
            raise
        return Sent(mend, problem=failure.message)


def _close(server: str, signer: LocalKey, mend: Mend) -> Sent:
    told = close_by_relayer(server, signer, mend.label)
    if told.get("status") == "closed":
        return Sent(mend)
    return Sent(mend, problem=f"the relayer has it {told.get('status')}; later anyone settles it")
