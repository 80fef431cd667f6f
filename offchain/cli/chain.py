"""Commands on the ledger: what they plan, what that would cost, and what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from offchain.cli import options
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.money import Money
from offchain.cli.output import Output, Row, facts
from offchain.cli.wallets import Wallets

if TYPE_CHECKING:
    import typer

    from offchain.keys import LocalKey
    from offchain.ledger.client import Ledger
    from offchain.ledger.outlay import Outlay, Reckoning
    from offchain.ledger.types import Receipt, Stream, Wait

T = TypeVar("T")
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Plan:
    """A call that is about to be signed.

    `effect` says it for people; `data` for programs, with integers. `call` is the encoded call.
    `outlay` is what it takes beside the fee, None where that is nothing; `money` is its deposit's.
    """

    name: str
    params: Mapping[str, Any]
    call: bytes
    effect: Sequence[Row]
    data: Mapping[str, Any]
    outlay: Outlay | None = None
    money: Money | None = None


@dataclass(frozen=True)
class Outcome:
    """What a transaction brought about."""

    rows: Sequence[Row] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sending:
    """How a command that changes the ledger was called."""

    chain: str
    wallets: Wallets
    key: str | None
    dry_run: bool
    wait: bool
    opened: LocalKey | None = None

    @classmethod
    def from_options(
        cls,
        *,
        key: options.Key = None,
        dry_run: options.DryRun = False,
        wait: options.Wait = True,
        chain: options.Chain = options.CHAIN_DEFAULT,
        state_dir: options.StateDir = None,
        keys_dir: options.KeysDir = None,
        password_file: options.PasswordFile = None,
    ) -> Sending:
        """Take what the options say."""
        wallets = Wallets.from_options(state_dir, keys_dir, password_file)
        return cls(chain, wallets, key, dry_run, wait)

    def signer(self) -> LocalKey:
        """Give the key that signs. Raises Failure and KeystoreError."""
        return self.opened or self.wallets.signer(self.key)

    def open_key(self) -> Sending:
        """Open the key that signs, which asks for its password; once."""
        return replace(self, opened=self.signer())

    def address(self) -> str:
        """Give the address that signs, without opening its key."""
        if self.opened is not None:
            return self.opened.address
        return self.wallets.address(self.key)


Planner = Callable[["Ledger", Money, str], Awaitable[Plan]]
Teller = Callable[["Ledger", Money, "Receipt"], Awaitable[Outcome]]


def with_ledger(
    url: str, work: Callable[[Ledger], Awaitable[T]], *, timeout_s: float = TIMEOUT_S
) -> T:
    """Connect to the chain, do `work`, and disconnect. Raises LedgerError and what work raises."""
    import trio

    from offchain.ledger.client import open_ledger

    if not url.startswith(("ws://", "wss://")):
        raise Failure(
            f"--chain is {url!r}: give a WebSocket address, such as {options.CHAIN_DEFAULT}",
            Exit.USAGE,
            "chain-invalid",
        )

    async def run() -> T:
        async with open_ledger(url, timeout_s=timeout_s) as ledger:
            return await work(ledger)

    return trio.run(run)


async def planned(
    ledger: Ledger,
    pallet: str,
    call: str,
    params: dict[str, Any],
    effect: Sequence[Row],
    *,
    data: Mapping[str, Any] | None = None,
    outlay: Outlay | None = None,
) -> Plan:
    """Encode a call into a plan."""
    encoded = await ledger.compose(pallet, call, params)
    return Plan(f"{pallet}.{call}", params, encoded, effect, data or {}, outlay)


def transact(out: Output, sending: Sending, plan: Planner, tell: Teller | None = None) -> None:
    """Plan a call; show it (`--dry-run`), or sign it, send it, wait for it and tell what came.

    Both are given the native token, in which fees and deposits are; other money they find.
    Raises what the ledger client raises. A plan that cannot succeed raises Failure itself.
    """
    signer = None if sending.dry_run else sending.signer()
    account = sending.address() if signer is None else signer.address

    async def work(ledger: Ledger) -> None:
        money = Money.of(ledger)
        made = await plan(ledger, money, account)
        reckoning = await payable(ledger, account, made)
        if signer is None:
            show_dry_run(out, money, account, made, reckoning)
            return
        tell_outlay(out, money, made, reckoning)
        with out.working(_waiting(made, sending)):
            receipt = await ledger.submit_signed(
                made.call, signer, wait=_waits(sending), try_first=True
            )
        outcome = Outcome() if tell is None else await tell(ledger, money, receipt)
        _show_receipt(
            out,
            money,
            made,
            account=account,
            receipt=receipt,
            outcome=outcome,
            finalized=sending.wait,
        )

    with_ledger(sending.chain, work)


def transact_unsigned(out: Output, sending: Sending, plan: Planner, tell: Teller) -> None:
    """Do what `transact` does, of a call that the ledger takes from nobody: no key, and no fee."""

    async def work(ledger: Ledger) -> None:
        money = Money.of(ledger)
        made = await plan(ledger, money, "")
        if sending.dry_run:
            show_dry_run(out, money, None, made)
            return
        with out.working(_waiting(made, sending)):
            receipt = await ledger.submit_unsigned(made.call, wait=_waits(sending))
        _show_receipt(
            out,
            money,
            made,
            account=None,
            receipt=receipt,
            outcome=await tell(ledger, money, receipt),
            finalized=sending.wait,
        )

    with_ledger(sending.chain, work)


def is_signed(context: typer.Context) -> bool:
    """Tell whether `--key` stands on the command line, for what needs none.

    One that the environment or a configuration file names is for the commands that need one.
    """
    source = context.get_parameter_source("key")
    return source is not None and source.name == "COMMANDLINE"


def _waits(sending: Sending) -> Wait:
    return "finalized" if sending.wait else "in_block"


def _waiting(plan: Plan, sending: Sending) -> str:
    return f"{plan.name}: waiting for {'finality' if sending.wait else 'a block'}"


async def payable(ledger: Ledger, account: str, plan: Plan) -> Reckoning:
    """Put what a plan takes beside what the account has. Raises Failure where it cannot pay."""
    from offchain.ledger.affordability import read_reckoning
    from offchain.ledger.outlay import Outlay

    reckoning = await read_reckoning(ledger, account, plan.call, plan.outlay or Outlay())
    if not reckoning.is_payable:
        raise unpayable(Money.of(ledger), plan.money, reckoning, account)
    return reckoning


def unpayable(native: Money, money: Money | None, reckoning: Reckoning, account: str) -> Failure:
    """Make the failure that names what an account cannot pay, and the remedy."""
    from offchain.ledger.outlay import shortfall

    text = shortfall(reckoning, native.write, (money or native).write)
    return Failure(f"{account} cannot pay this: {text}", Exit.REFUSED, "balance-too-low")


def tell_outlay(out: Output, native: Money, plan: Plan, reckoning: Reckoning) -> None:
    """Tell what a transaction takes together, before it is signed; not of a fee alone."""
    if plan.outlay is not None:
        rows = _outlay_rows(native, plan, reckoning)
        out.note("; ".join(f"{name.strip()}: {value}" for name, value in rows))


def _outlay_rows(native: Money, plan: Plan, reckoning: Reckoning) -> list[Row]:
    rows: list[Row] = [("Fee at most", native.write(reckoning.fees))]
    if reckoning.outlay.storage_deposit:
        held = native.write(reckoning.outlay.storage_deposit)
        rows.append(("Held for storage", f"{held}, until the entry is gone"))
    if reckoning.frozen:
        rows.append(("Frozen", native.write(reckoning.frozen)))
    rows += [
        ("Must stay", native.write(reckoning.existential_deposit)),
        ("Needs together", f"{native.write(reckoning.total)} of {native.write(reckoning.has)}"),
    ]
    if reckoning.asset_total and plan.money is not None:
        write = plan.money.write
        text = f"{write(reckoning.asset_total)} of {write(reckoning.asset_has)}"
        rows.append((f"Needs in {plan.money.symbol}", text))
    return rows


def _outlay_data(reckoning: Reckoning) -> dict[str, Any]:
    """Give what a transaction takes for programs, as the server's terms have it."""
    return {
        "needs": {
            "deposit": reckoning.outlay.deposit,
            "deposit_max": reckoning.deposit_max,
            "storage_deposit": reckoning.outlay.storage_deposit,
            "fees": reckoning.fees,
            "existential_deposit": reckoning.existential_deposit,
            "frozen": reckoning.frozen,
            "total": reckoning.total,
            "asset_total": reckoning.asset_total,
        },
        "has": reckoning.has,
        "short_by": reckoning.short_by,
        "asset_has": reckoning.asset_has,
        "asset_short_by": reckoning.asset_short_by,
    }


def show_dry_run(
    out: Output,
    money: Money,
    account: str | None,
    plan: Plan,
    reckoning: Reckoning | None = None,
) -> None:
    """Show what a call would do and cost; without an account nobody signs it, and nothing."""
    fee = 0 if reckoning is None else reckoning.fee
    if out.json_mode:
        out.json(
            {
                "dry_run": True,
                "call": plan.name,
                "params": _plain(plan.params),
                "account": account,
                "fee": fee,
                **({} if reckoning is None else _outlay_data(reckoning)),
                **plan.data,
            }
        )
        return
    params = [(f"  {name}", _brief(value)) for name, value in _plain(plan.params).items()]
    rows: list[Row] = [
        ("Call", plan.name),
        *params,
        ("Signed by", account or "nobody: it needs no signature"),
        ("Fee", money.write(fee)),
        *plan.effect,
    ]
    if plan.outlay is not None and reckoning is not None:
        rows += _outlay_rows(money, plan, reckoning)
    out.show(facts(rows, "Dry run: nothing was signed or sent"))


def _show_receipt(
    out: Output,
    money: Money,
    plan: Plan,
    *,
    account: str | None,
    receipt: Receipt,
    outcome: Outcome,
    finalized: bool,
) -> None:
    fee = fee_paid(receipt)
    if out.json_mode:
        out.json(
            {
                "dry_run": False,
                "call": plan.name,
                "account": account,
                "fee": fee,
                "tx_hash": receipt.tx_hash,
                "block_hash": receipt.block_hash,
                "block_number": receipt.block_number,
                "finalized": finalized,
                **outcome.data,
            }
        )
        return
    where = f"{receipt.block_number} ({'final' if finalized else 'not yet final'})"
    rows: list[Row] = [*outcome.rows, ("Fee", money.write(fee)), ("Block", where)]
    out.show(facts(rows))


def fee_paid(receipt: Receipt) -> int:
    """Give what a transaction cost its signer, from its events; 0 where there is no such event."""
    try:
        event = receipt.event("TransactionFeePaid", "TransactionPayment")
    except LookupError:
        return 0
    return int(event.fields.get("actual_fee", 0))


def _plain(value: Any) -> Any:
    """Give a call's parameters as JSON can hold them: bytes become `0x...`."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_brief(each)}" for name, each in value.items())
    if isinstance(value, list):
        return "; ".join(_brief(each) for each in value) or "none"
    return "none" if value is None else str(value)


async def found_stream(ledger: Ledger, stream: int) -> Stream:
    """Give a stream's entry. Raises Failure where there is none."""
    entry = await ledger.stream(stream)
    if entry is None:
        raise Failure(
            f"there is no stream {stream} on this chain: `paystream stream list` shows them",
            Exit.REFUSED,
            "stream-not-found",
        )
    return entry
