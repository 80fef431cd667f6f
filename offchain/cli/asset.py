"""`paystream asset`: which assets the ledger takes, and what the operator asks in each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from offchain.cli import options
from offchain.cli.chain import Outcome, Plan, Sending, transact, with_ledger
from offchain.cli.command import command, group
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.money import Money, money_of_all, named_money
from offchain.cli.operator import operators_plan
from offchain.cli.output import Output, Row, short, table

if TYPE_CHECKING:
    from offchain.ledger.client import Ledger
    from offchain.ledger.types import AssetEntry, Receipt

app = group("Assets that the ledger takes; the operator enables and disables them.")

Asset = Annotated[
    str, typer.Argument(metavar="ASSET", help="`native`, an asset's number, or its symbol.")
]
AssetNumber = Annotated[
    str, typer.Argument(metavar="ASSET", help="`native`, or the asset's number.")
]


@command(app, "list", "paystream asset list")
def list_assets(out: Output, chain: options.Chain = options.CHAIN_DEFAULT) -> None:
    """List the assets that the ledger takes or has taken, and what it owes in each."""

    async def work(ledger: Ledger) -> None:
        entries = await ledger.asset_entries()
        monies = await money_of_all(ledger, entries)
        pot = {asset: await ledger.balance(ledger.pot, asset=asset) for asset in entries}
        if out.json_mode:
            assets = [
                {**_data(monies[asset], entry), "pot": pot[asset]}
                for asset, entry in entries.items()
            ]
            out.json({"pot": ledger.pot, "assets": assets})
            return
        rows = [
            (
                monies[asset].name,
                monies[asset].symbol,
                entry.status,
                monies[asset].write(entry.tick_price),
                monies[asset].write(entry.tip_min),
                monies[asset].write(entry.owed),
                monies[asset].write(pot[asset]),
            )
            for asset, entry in entries.items()
        ]
        columns = ("Asset>", "Symbol|", "Status|", "A tick>", "Least tip>", "Owed>", "In the pot>")
        out.show(table(columns, rows, "The ledger takes no asset.", f"Pot {short(ledger.pot)}"))

    with_ledger(chain, work)


@command(
    app,
    "enable",
    "paystream asset enable 1984 --key //Alice",
    'paystream asset enable 1984 --tip-min "0.1 USD" --key //Alice --dry-run',
)
def enable(
    out: Output,
    sending: Sending,
    asset: AssetNumber,
    tip_min: Annotated[
        str | None,
        options.option(
            "--tip-min",
            "Least tip that is free of a fee.",
            "AMOUNT",
            show_default="the asset's minimum balance",
        ),
    ] = None,
) -> None:
    """Let the ledger take an asset. Its minimum balance must be in the pot first."""

    async def plan(ledger: Ledger, _native: Money, account: str) -> Plan:
        from offchain.ledger.entries import asset_value

        money = await named_money(ledger, asset)
        least = (await ledger.currency(money.asset)).minimum
        entry = await ledger.asset_entry(money.asset)
        held = await ledger.balance(ledger.pot, asset=money.asset)
        needed = least + (0 if entry is None else entry.owed)
        if held < needed:
            raise Failure(
                f"the pot {ledger.pot} holds {money.write(held)} and needs {money.write(needed)}, "
                "the asset's minimum balance and what is owed: send it that first",
                Exit.REFUSED,
                "pot-not-endowed",
            )
        units = least if tip_min is None else money.read(tip_min, "--tip-min")
        params = {"asset": asset_value(money.asset), "tip_min": units}
        effect: list[Row] = [
            ("Asset", f"{money.name} ({money.symbol})"),
            ("Status", f"{'new' if entry is None else entry.status} → Enabled"),
            ("Least tip", money.write(units)),
        ]
        data = {"asset": money.name, "tip_min": units}
        return await operators_plan(
            ledger, account, "enable_asset", params, effect=effect, data=data
        )

    transact(out, sending, plan, _teller(asset))


@command(app, "disable", "paystream asset disable 1984 --key //Alice")
def disable(out: Output, sending: Sending, asset: Asset) -> None:
    """Let nothing new come in an asset. Sessions, claims and withdrawals go on."""
    _change(out, sending, asset, "disable_asset", "Disabled")


@command(app, "write-off", "paystream asset write-off 1984 --key //Alice --yes")
def write_off(
    out: Output,
    sending: Sending,
    asset: Asset,
    yes: Annotated[bool, options.option("--yes", "Do not ask for confirmation.")] = False,
) -> None:
    """Give up an asset that died under the ledger, for good: what is owed in it is erased."""
    if not yes and not sending.dry_run:
        typer.confirm(f"Write asset {asset} off for good?", abort=True, err=True)
    _change(out, sending, asset, "write_off_asset", "WrittenOff")


@command(
    app,
    "tick-price",
    'paystream asset tick-price native "0.00001 UNIT" --key //Alice',
    "paystream asset tick-price usd 0 --key //Alice --dry-run",
)
def tick_price(
    out: Output,
    sending: Sending,
    asset: Asset,
    price: Annotated[str, typer.Argument(metavar="PRICE", help='Such as "0.00001 UNIT".')],
) -> None:
    """Set what the operator takes with each order that charges a session opened from now on."""

    async def plan(ledger: Ledger, _native: Money, account: str) -> Plan:
        from offchain.ledger.entries import asset_value

        money = await named_money(ledger, asset)
        entry, units = await _entry(ledger, money), money.read(price, "PRICE")
        most = ledger.constants.tick_price_max
        if most is not None and units > most:
            raise Failure(
                f"{money.write(units)} is more than the runtime allows: "
                f"at most {money.write(most)}",
                Exit.REFUSED,
                "tick-price-too-high",
            )
        params = {"asset": asset_value(money.asset), "price": units}
        effect: list[Row] = [
            ("Asset", f"{money.name} ({money.symbol})"),
            ("A tick costs", f"{money.write(entry.tick_price)} → {money.write(units)}"),
        ]
        data = {"asset": money.name, "price_before": entry.tick_price, "price": units}
        return await operators_plan(
            ledger, account, "set_tick_price", params, effect=effect, data=data
        )

    transact(out, sending, plan, _teller(asset))


def _change(out: Output, sending: Sending, asset: str, call: str, status: str) -> None:
    async def plan(ledger: Ledger, _native: Money, account: str) -> Plan:
        from offchain.ledger.entries import asset_value

        money = await named_money(ledger, asset)
        entry = await _entry(ledger, money)
        effect: list[Row] = [
            ("Asset", f"{money.name} ({money.symbol})"),
            ("Status", f"{entry.status} → {status}"),
            ("Owed in it", money.write(entry.owed)),
        ]
        params = {"asset": asset_value(money.asset)}
        data = {"asset": money.name, "owed": entry.owed}
        return await operators_plan(ledger, account, call, params, effect=effect, data=data)

    transact(out, sending, plan, _teller(asset))


async def _entry(ledger: Ledger, money: Money) -> AssetEntry:
    """Give what the ledger knows of an asset. Raises Failure."""
    entry = await ledger.asset_entry(money.asset)
    if entry is None:
        raise Failure(
            f"the ledger has never taken {money.symbol}: `paystream asset enable` lets it",
            Exit.REFUSED,
            "asset-not-enabled",
        )
    return entry


def _teller(asset: str) -> Any:
    """Tell how an asset stands after the call."""

    async def tell(ledger: Ledger, _native: Money, receipt: Receipt) -> Outcome:
        money = await named_money(ledger, asset)
        entry = await ledger.asset_entry(money.asset, at=receipt.block_hash)
        if entry is None:
            return Outcome([("Asset", money.name)], {"asset": money.name})
        rows: list[Row] = [
            ("Asset", f"{money.name} ({money.symbol})"),
            ("Status", entry.status),
            ("A tick costs", money.write(entry.tick_price)),
            ("Least tip", money.write(entry.tip_min)),
        ]
        return Outcome(rows, _data(money, entry))

    return tell


def _data(money: Money, entry: AssetEntry) -> dict[str, Any]:
    return {
        "asset": money.name,
        "symbol": money.symbol,
        "decimals": money.decimals,
        "status": entry.status,
        "tick_price": entry.tick_price,
        "tip_min": entry.tip_min,
        "owed": entry.owed,
    }
