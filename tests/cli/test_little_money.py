"""Commands of accounts with little money: what they take is said, and refused, before signing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from offchain.amounts import format_amount
from offchain.cli.exits import Exit
from offchain.cli.output import SAFE_INTEGER_MAX
from offchain.ledger.types import Funds
from tests.cli.fake_ledger import ALICE, UNIT, USD, FakeLedger, event
from tests.cli.test_ledger import data, refused, run

ED = UNIT // 1000
FEE = 12_345_678
FEES = FEE + 24_692
"""With the five hundredth that it may rise by."""
GRANT = UNIT // 10 + UNIT // 25
STREAM = UNIT // 20 + UNIT // 50
DELEGATE = ("--delegate", "0x" + "11" * 32, "--proof", "0x00" + "22" * 64)
GIVE = ("grant", "give", "--cap", "5 UNIT", "--stream", "1", *DELEGATE)
CREATE = ("stream", "create", "--rate", "0.001 UNIT")
DEPOSIT = ("vault", "deposit")


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeLedger:
    made = FakeLedger()
    monkeypatch.setattr("offchain.ledger.client.open_ledger", made.open)
    monkeypatch.setenv("PAYSTREAM_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PAYSTREAM_KEY", "//Alice")
    made.events_of_receipt = (
        event("Deposited", who=ALICE, asset=None, amount=1),
        event("StreamCreated", stream=1, owner=ALICE),
        event("Granted", grant=7, viewer=ALICE, asset="Native", cap=5, expires_at=1),
    )
    return made


@pytest.mark.parametrize(
    ("arguments", "total"),
    [
        ((*DEPOSIT, "1 UNIT"), UNIT + FEES + ED),
        (CREATE, STREAM + FEES + ED),
        ((*CREATE, "--payee", "//Alice=50%", "--payee", "//Bob=50%"),
         STREAM + UNIT // 50 + FEES + ED),
        (GIVE, GRANT + FEES + ED),
        ((*GIVE, "--sessions-max", "2"), GRANT + UNIT // 25 + FEES + ED),
        ((*GIVE, "--deposit", "2 UNIT"), 2 * UNIT + GRANT + FEES + ED),
        (("vault", "withdraw", "1 UNIT"), FEES + ED),
    ],
)  # fmt: skip
def test_to_the_unit_it_is_paid_and_below_it_is_refused(
    ledger: FakeLedger, arguments: tuple[str, ...], total: int
) -> None:
    ledger.free = total
    told = data(*arguments, "--dry-run")
    assert (told["needs"]["total"], told["has"], told["short_by"]) == (total, total, 0)
    assert told["needs"]["fees"] == FEES
    ledger.free = total - 1
    for more in ((), ("--dry-run",)):
        lacking = run(*arguments, *more)
        refused(lacking, Exit.REFUSED, ALICE, "send the account 0.000000000001 UNIT first")
    ledger.free = 0
    assert "has 0 UNIT" in run(*arguments).stderr
    assert ledger.sent == []


@pytest.mark.parametrize(
    "arguments",
    [
        (*DEPOSIT, "99999999 UNIT"),
        (*GIVE, "--deposit", "99999999 UNIT"),
        CREATE,
        ("vault", "withdraw", "1 UNIT"),
    ],
)
def test_a_dry_run_says_no_number_that_javascript_would_round(
    ledger: FakeLedger, arguments: tuple[str, ...]
) -> None:
    """Whoever reads it with doubles reads the same: much money is text in `needs` and `has`."""
    ledger.free = 10**20 + 1
    told = run(*arguments, "--dry-run", "--json")
    numbers: list[int] = []

    def number(text: str) -> int:
        numbers.append(int(text))
        return int(float(text))

    read = json.loads(told.stdout, parse_int=number)
    assert numbers
    assert max(map(abs, numbers)) <= SAFE_INTEGER_MAX
    assert read["has"] == str(ledger.free)
    needs = read["needs"]
    parts = ("deposit", "storage_deposit", "fees", "existential_deposit")
    assert int(needs["total"]) == sum(int(needs[part]) for part in parts)
    assert int(needs["deposit_max"]) > SAFE_INTEGER_MAX


@pytest.mark.parametrize("arguments", [(*DEPOSIT, "1 UNIT"), GIVE, CREATE])
def test_what_it_takes_together_is_told_before_it_is_signed(
    ledger: FakeLedger, arguments: tuple[str, ...]
) -> None:
    told = run(*arguments)
    assert told.exit_code == 0, told.output
    for part in ("Fee at most: 0.00001237037 UNIT", "Must stay: 0.001 UNIT", "of 100 UNIT"):
        assert part in told.stderr
    if arguments[0] != "vault":
        assert "Held for storage: 0." in told.stderr
    shown = run(*arguments, "--dry-run").stdout
    for part in ("Fee at most", "Must stay", "Needs together"):
        assert part in shown


@pytest.mark.parametrize(
    ("arguments", "beside", "call"),
    [
        ((*DEPOSIT, "all"), FEES + ED, "deposit {}"),
        ((*GIVE, "--deposit", "all"), FEES + ED + GRANT, "deposit_and_grant"),
    ],
)
def test_all_leaves_what_everything_else_takes(
    ledger: FakeLedger, arguments: tuple[str, ...], beside: int, call: str
) -> None:
    ledger.free = beside + 77
    ledger.vaults[ALICE] = ED
    told = data(*arguments, "--dry-run")
    assert (told["amount"], told["needs"]["deposit_max"]) == (77, 77)
    assert told["needs"]["total"] == ledger.free
    assert run(*arguments).exit_code == 0
    assert ledger.sent[-1][0].decode() == call.format(77)
    ledger.free = beside
    refused(run(*arguments), Exit.REFUSED, "send the account 0.000000000001 UNIT first")


def test_all_of_another_asset_leaves_its_minimum(ledger: FakeLedger) -> None:
    ledger.balances[ALICE, USD] = 1_000_000
    assert data(*DEPOSIT, "all", "--asset", "usd", "--dry-run")["amount"] == 990_000
    over = run(*DEPOSIT, "0.990001 USD", "--asset", "usd")
    refused(over, Exit.REFUSED, "deposit at most 0.99 USD", "0.01 USD that must stay")
    ledger.free = FEES + ED - 1
    refused(run(*DEPOSIT, "1 USD", "--asset", "usd"), Exit.REFUSED, "send the account 0.000000000")


@pytest.mark.parametrize(
    ("amount", "code", "word"),
    [
        (0, Exit.USAGE, "zero"),
        (ED - 1, Exit.REFUSED, "deposit at least 0.001 UNIT"),
        (ED, Exit.OK, ""),
        (ED + 1, Exit.OK, ""),
    ],
)
def test_a_vault_has_at_least_its_minimum(
    ledger: FakeLedger, amount: int, code: Exit, word: str
) -> None:
    ledger.vaults.clear()
    result = run(*DEPOSIT, format_amount(amount))
    assert result.exit_code == code, result.output
    assert word in result.stderr


def test_a_withdrawal_leaves_no_dust(ledger: FakeLedger) -> None:
    left = format_amount(5 * UNIT - ED + 1)
    refused(run("vault", "withdraw", left), Exit.REFUSED, "withdraw all of it", "0.001 UNIT")
    assert ledger.sent == []


def test_a_freeze_is_named(ledger: FakeLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    async def funds(*_account: str, **_asset: object) -> Funds:
        return Funds(free=3 * UNIT, frozen=2 * UNIT)

    monkeypatch.setattr(ledger, "funds", funds)
    refused(run(*DEPOSIT, "1 UNIT"), Exit.REFUSED, "that is frozen", "deposit at most 0.99")
    assert data(*DEPOSIT, "0.9 UNIT", "--dry-run")["needs"]["frozen"] == 2 * UNIT - ED
