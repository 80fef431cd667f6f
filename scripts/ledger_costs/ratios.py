"""What each kind of order costs, as multiples of one `balances::transfer_keep_alive`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger_costs.bencher import BASE_EXTRINSIC_US, Benchmark, Cost, measure

TARGETS: Final = {"tick": 1.5, "batch_item": 0.6, "open": 2.0}
"""The highest ratios that the project has set itself."""

_PALLET: Final = "pallet_paystream"
_BENCHMARKS: Final = ("submit_tick", "submit_batch", "submit_open", "submit_close", "claim")


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Whole extrinsics: base weight and signature included, except for one more order in a batch,
    whose extrinsic is there already and whose own signature is in it."""

    transfer: Cost
    tick: Cost
    batch_item: Cost
    open: Cost
    close: Cost
    claim: Cost

    def ratios(self) -> dict[str, float]:
        """Give each cost as a multiple of the transfer's."""
        whole = self.transfer.weight_us
        names = ("tick", "batch_item", "open", "close", "claim")
        return {name: round(getattr(self, name).weight_us / whole, 3) for name in names}


def measure_costs(bencher: Path, runtime: Path, steps: int, repeat: int) -> Costs:
    """Measure everything in one run, the transfer first and last. Raises BencherFailed."""
    before = _transfer(bencher, runtime, steps, repeat)
    ours = measure(bencher, runtime, _PALLET, _BENCHMARKS, steps=steps, repeat=repeat)
    after = _transfer(bencher, runtime, steps, repeat)
    # The machine may have become faster or slower meanwhile: the middle of both is the rival.
    transfer = Cost(
        time_us=(before.time_us + after.time_us) / 2, reads=before.reads, writes=before.writes
    )
    return Costs(
        transfer=_whole(transfer),
        tick=_whole(ours["submit_tick"].at()),
        batch_item=ours["submit_batch"].slope(),
        open=_whole(ours["submit_open"].at()),
        close=_whole(ours["submit_close"].at()),
        claim=_whole(_least(ours["claim"])),
    )


def _transfer(bencher: Path, runtime: Path, steps: int, repeat: int) -> Cost:
    names = ("transfer_keep_alive",)
    measured = measure(bencher, runtime, "pallet_balances", names, steps=steps, repeat=repeat)
    return measured[names[0]].at()


def _least(benchmark: Benchmark) -> Cost:
    """A claim for one payee: each further payee is one more transfer."""
    return benchmark.at(benchmark.components()[0])


def _whole(cost: Cost) -> Cost:
    return Cost(time_us=cost.time_us + BASE_EXTRINSIC_US, reads=cost.reads, writes=cost.writes)
