"""`paystream tip`: money and a few words for a stream, from one's own vault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from offchain.cli import options
from offchain.cli.chain import Outcome, Plan, Sending, found_stream, planned, transact
from offchain.cli.command import command
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.money import Money, money_of
from offchain.cli.output import Output, Row

if TYPE_CHECKING:
    from offchain.ledger.client import Ledger
    from offchain.ledger.types import Receipt


def add_to(app: typer.Typer, panel: str) -> None:
    """Register the command."""
    command(
        app,
        "tip",
        'paystream tip "2 UNIT" --stream 1 --message "Thank you" --key viewer',
        'paystream tip "2 UNIT" --stream 1 --dry-run',
        panel=panel,
    )(tip)


def tip(
    out: Output,
    sending: Sending,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help='Such as "2 UNIT".')],
    stream: Annotated[int, options.option("--stream", "Number of the stream.", "STREAM", min=0)],
    message: Annotated[
        str, options.option("--message", "A few words that everybody can read.", "TEXT")
    ] = "",
) -> None:
    """Tip a stream from the vault. The message stands on the chain for good."""

    async def plan(ledger: Ledger, _native: Money, account: str) -> Plan:
        entry = await found_stream(ledger, stream)
        money = await money_of(ledger, entry.asset)
        units, said = money.read(amount, "AMOUNT"), message.encode()
        vault = await ledger.vault(account, asset=entry.asset)
        if not 0 < units <= vault:
            raise Failure(
                f"{money.write(units)} cannot be tipped: the vault of {account} has "
                f"{money.write(vault)}. Name more than nothing, or deposit first",
                Exit.REFUSED,
                "vault-too-low",
            )
        most = ledger.constants.tip_message_max
        if len(said) > most:
            raise Failure(
                f"--message has {len(said)} bytes: the chain takes {most} (a letter is 1 to 4)",
                Exit.USAGE,
                "message-too-long",
            )
        effect: list[Row] = [
            ("Tips", money.write(units)),
            ("Vault", f"{money.write(vault)} → {money.write(vault - units)}"),
            ("Message", message or "none"),
        ]
        return await planned(
            ledger,
            "PayStream",
            "tip",
            {"stream": stream, "amount": units, "message": said},
            effect,
            data={
                "stream": stream,
                "asset": money.name,
                "amount": units,
                "vault_before": vault,
                "vault_after": vault - units,
            },
        )

    async def tell(ledger: Ledger, _native: Money, receipt: Receipt) -> Outcome:
        fields = receipt.event("Tipped").fields
        entry = await found_stream(ledger, stream)
        money, units = await money_of(ledger, entry.asset), int(fields["amount"])
        vault = await ledger.vault(str(fields["viewer"]), asset=entry.asset, at=receipt.block_hash)
        rows: list[Row] = [("Tipped", money.write(units)), ("Vault", money.write(vault))]
        data = {"stream": stream, "asset": money.name, "amount": units, "vault_after": vault}
        return Outcome(rows, data)

    transact(out, sending, plan, tell)
