"""`paystream operator`: the operator's share, and the stop; and how the sudo key signs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offchain.cli import options
from offchain.cli.chain import Outcome, Plan, Sending, transact, with_ledger
from offchain.cli.command import command, group
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.money import Money
from offchain.cli.output import Output, Row, facts
from offchain.cli.payees import parse_share, share_text

if TYPE_CHECKING:
    from offchain.ledger.client import Ledger
    from offchain.ledger.types import Receipt

app = group("What the operator of a chain decides: a share of claims, and a stop.")


async def operators_plan(
    ledger: Ledger,
    account: str,
    call: str,
    params: dict[str, Any],
    *,
    effect: Sequence[Row],
    data: Mapping[str, Any],
) -> Plan:
    """Plan a call of the operator's origin, signed by the chain's sudo key. Raises Failure.

    What switches off the chain's guardian signs, too. A chain that is governed otherwise has its
    own way; the call's bytes are in the message.
    """
    encoded = await ledger.compose("PayStream", call, params)
    data = {**data, "call_data": "0x" + encoded.hex()}
    key = await ledger.sudo_key()
    halts = call == "disable_asset" or (call == "set_stopped" and params["stopped"])
    if key != account and halts and account == await ledger.guardian():
        return Plan(f"PayStream.{call}", params, encoded, effect, data)
    if key != account:
        who = "this chain has no sudo key" if key is None else f"only {key} speaks for the operator"
        raise Failure(
            f"{who}: sign with that key (--key), or have the operator's origin dispatch "
            f"PayStream.{call}, whose bytes are 0x{encoded.hex()}",
            Exit.REFUSED,
            "not-operator",
        )
    return Plan(
        f"Sudo.sudo(PayStream.{call})",
        params,
        ledger.calls.as_operator(encoded),
        effect,
        data,
    )


@command(
    app,
    "treasury-share",
    "paystream operator treasury-share 5% --key //Alice",
    "paystream operator treasury-share 5% --key //Alice --dry-run",
)
def treasury_share(
    out: Output,
    sending: Sending,
    share: Annotated[str, typer.Argument(metavar="SHARE", help="Such as 5% or 2.5%.")],
) -> None:
    """Set the operator's share of claims, from now on. What is claimed before is not touched."""
    ppm = parse_share(share)
    if ppm is None or ppm > 1_000_000:
        raise Failure(
            f"SHARE is {share!r}: write a percentage from 0% to 100%, such as 2.5%",
            Exit.USAGE,
            "share-invalid",
        )

    async def plan(ledger: Ledger, _native: Money, account: str) -> Plan:
        before, most = await ledger.treasury_share(), ledger.constants.treasury_share_max
        if ppm > most:
            raise Failure(
                f"{share_text(ppm)} is more than the runtime allows: at most {share_text(most)}",
                Exit.REFUSED,
                "share-too-high",
            )
        effect: list[Row] = [("Share of claims", f"{share_text(before)} → {share_text(ppm)}")]
        data = {"share_ppm_before": before, "share_ppm": ppm}
        params = {"share": ppm}
        return await operators_plan(
            ledger, account, "set_treasury_share", params, effect=effect, data=data
        )

    async def tell(ledger: Ledger, _native: Money, receipt: Receipt) -> Outcome:
        now = await ledger.treasury_share(at=receipt.block_hash)
        return Outcome([("Share of claims", share_text(now))], {"share_ppm": now})

    transact(out, sending, plan, tell)


@command(app, "stop", "paystream operator stop --key //Alice")
def stop(out: Output, sending: Sending) -> None:
    """Stop new money and new sessions: for an emergency. Every way out stays open.

    The operator's key signs it, or the guardian's, who can do nothing else.
    """
    _set_stopped(out, sending, stopped=True)


@command(app, "resume", "paystream operator resume --key //Alice")
def resume(out: Output, sending: Sending) -> None:
    """Let new money and new sessions come again."""
    _set_stopped(out, sending, stopped=False)


@command(app, "show", "paystream operator show")
def show(out: Output, chain: options.Chain = options.CHAIN_DEFAULT) -> None:
    """Show the operator's share, whether the stop is on, and who speaks for the operator."""

    async def work(ledger: Ledger) -> None:
        share, is_stopped = await ledger.treasury_share(), await ledger.is_stopped()
        key, guardian = await ledger.sudo_key(), await ledger.guardian()
        if out.json_mode:
            facts_of = {"share_ppm": share, "stopped": is_stopped, "sudo_key": key}
            out.json({**facts_of, "guardian": guardian})
            return
        rows: list[Row] = [
            ("Share of claims", share_text(share)),
            ("Stop", "on: no new money, no new sessions" if is_stopped else "off"),
            ("Operator's key", key or "none: another origin decides"),
            ("Guardian", guardian or "none: see the operator's guide"),
        ]
        out.show(facts(rows))

    with_ledger(chain, work)


def _set_stopped(out: Output, sending: Sending, *, stopped: bool) -> None:
    async def plan(ledger: Ledger, _native: Money, account: str) -> Plan:
        before = await ledger.is_stopped()
        effect: list[Row] = [("Stop", f"{_on(before)} → {_on(stopped)}")]
        data = {"stopped_before": before, "stopped": stopped}
        params = {"stopped": stopped}
        return await operators_plan(
            ledger, account, "set_stopped", params, effect=effect, data=data
        )

    async def tell(ledger: Ledger, _native: Money, receipt: Receipt) -> Outcome:
        now = await ledger.is_stopped(at=receipt.block_hash)
        return Outcome([("Stop", _on(now))], {"stopped": now})

    transact(out, sending, plan, tell)


def _on(stopped: bool) -> str:
    return "on" if stopped else "off"
