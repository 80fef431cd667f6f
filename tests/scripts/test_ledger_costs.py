"""What scripts/bench-ledger computes: slopes, events by their bytes, schedules, and judgements."""

from __future__ import annotations

import json
import lzma
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ledger_costs.__main__ import main
from ledger_costs.bencher import READ_US, WRITE_US, BencherFailed, Benchmark, Cost
from ledger_costs.cost_table import README, WEIGHTS, TableFailed, cost_rows
from ledger_costs.event_scan import EventScan
from ledger_costs.judging import (
    FASTER,
    SLOT_MS,
    STEPS_MAX,
    Block,
    Filling,
    Logged,
    NodeLog,
    Spread,
    Step,
    filling,
    full_for,
    growth_per_minute,
    missed_slots,
    next_rate,
    piles_up,
    read_log,
)
from ledger_costs.load import NodeCosts, Sizes, Steady, each_minute
from ledger_costs.pipeline import Pipeline
from ledger_costs.ratios import Costs
from ledger_costs.tick_plan import SAFETY_MS, TickPlan, batch_orders, places, total_seconds
from ledger_costs.transfers import Transfers
from ledger_costs.weights_file import replaced
from measure.figures import table
from offchain.ledger.runtime import Runtime
from offchain.ledger.scale import compact

RECORDED = Path(__file__).parents[1] / "data" / "metadata-v14.scale.xz"

# -- weights -----------------------------------------------------------------------------------


def benchmark(results: dict[int, tuple[list[int], int, int]]) -> Benchmark:
    """Times in nanoseconds, reads and writes, by the value of the component `n`."""
    return Benchmark(
        [
            {"components": [["n", value]], "extrinsic_time": time}
            for value, (times, _, _) in results.items()
            for time in times
        ],
        [
            {"components": [["n", value]], "reads": reads, "writes": writes}
            for value, (_, reads, writes) in results.items()
        ],
    )


def test_a_slope_is_what_one_more_costs() -> None:
    measured = benchmark(
        {
            0: ([20_000, 21_000, 900_000], 2, 1),
            10: ([71_000, 70_000, 71_000], 12, 11),
            20: ([121_000, 121_000, 122_000], 22, 21),
        }
    )
    slope = measured.slope()
    assert slope.time_us == pytest.approx(5)
    assert slope.reads == pytest.approx(1)
    assert slope.writes == pytest.approx(1)
    assert slope.weight_us == pytest.approx(5 + READ_US + WRITE_US)


def test_a_slope_needs_two_values() -> None:
    with pytest.raises(BencherFailed, match="two values"):
        benchmark({7: ([1], 1, 1)}).slope()


def test_costs_are_taken_apart() -> None:
    whole, part = Cost(time_us=9, reads=4, writes=3), Cost(time_us=2, reads=1, writes=1)
    assert whole - part == Cost(time_us=7, reads=3, writes=2)


# -- events ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return Runtime("0x" + lzma.decompress(RECORDED.read_bytes()).hex(), "paystream", 1, 1)


@pytest.fixture(scope="module")
def scan(runtime: Runtime) -> EventScan:
    return EventScan(runtime)


def u(number: int, bits: int) -> bytes:
    return number.to_bytes(bits // 8, "little")


TICKED = (
    b"\x0a\x0b" + u(7, 64) + u(1, 32) + u(3, 64) + u(60, 32) + u(10, 32) + u(10**7, 128) + u(5, 128)
)
FAILED = b"\x0a\x0f" + u(7, 64) + u(1, 32) + b"\x03" + b"\x0a" + b"\x02\x00\x00\x00"
DONE = b"\x0a\x10" + u(9, 32) + u(5, 32) + u(1, 32)
EVENTS = [
    TICKED,
    FAILED,
    DONE,
    b"\x0a\x00" + u(3, 64) + bytes(32) + b"\x00" + u(5, 128),  # a stream in the native token
    b"\x0a\x00" + u(4, 64) + bytes(32) + b"\x01" + u(1984, 32) + u(5, 128),  # and in an asset
    b"\x04\x02" + bytes(64) + u(1, 128),  # a transfer
    b"\x07\x00" + u(2, 32) + b"\x03" + b"\x0a" + b"\x02\x00\x00\x00",  # a pallet's error
    b"\x07\x00" + u(2, 32) + b"\x02",  # an error without fields
    b"\x06\x0f" + u(9, 32) + compact(70) + bytes(70) + compact(3) + b"abc" + b"\x06\x00",
    b"\x07\x01",
]


def record(event: bytes, phase: bytes = b"\x00" + u(1, 32), topics: int = 0) -> bytes:
    return phase + event + compact(topics) + bytes(32 * topics)


def test_events_are_counted_as_decoding_counts_them(runtime: Runtime, scan: EventScan) -> None:
    records = [record(event) for event in EVENTS]
    records.append(record(TICKED, phase=b"\x01", topics=2))
    records.append(record(TICKED, phase=b"\x02"))
    raw = compact(len(records)) + b"".join(records)
    decoded = Counter((each.pallet, each.name) for each in runtime.events("0x" + raw.hex()))
    ticked, done = ("PayStream", "Ticked"), ("PayStream", "BatchDone")
    scanned = scan.scan(raw, [ticked, done])
    assert scanned.counts == decoded
    assert scanned.counts["PayStream", "OrderFailed"] == 1
    assert scanned.wanted == [
        (ticked, TICKED[2:]),
        (done, DONE[2:]),
        (ticked, TICKED[2:]),
        (ticked, TICKED[2:]),
    ]


@given(cut=st.integers(0, 200), flipped=st.integers(0, 255), at=st.integers(0, 200))
def test_spoilt_events_are_refused_or_read(
    scan: EventScan, cut: int, flipped: int, at: int
) -> None:
    raw = bytearray(compact(len(EVENTS)) + b"".join(record(event) for event in EVENTS))
    raw[at % len(raw)] ^= flipped
    with suppress(ValueError):
        scan.scan(bytes(raw[: len(raw) - cut]))


def test_no_events_are_none(scan: EventScan) -> None:
    assert not scan.scan(b"\x00").counts


# -- schedules ---------------------------------------------------------------------------------


@given(count=st.integers(1, 500), orders=st.integers(1, 200), cadence=st.floats(1, 60))
def test_each_round_ticks_each_session_once_and_at_its_time(
    count: int, orders: int, cadence: float
) -> None:
    plan = TickPlan(places=count, orders=orders, cadence_s=cadence)
    one_round = [place for number in range(plan.batches) for place in plan.batch(number)]
    assert one_round == list(range(count))
    assert all(1 <= len(plan.batch(number)) <= orders for number in range(plan.batches))
    for number in range(2 * plan.batches):
        assert plan.batch(number + plan.batches) == plan.batch(number)
        assert plan.due_s(number + plan.batches) - plan.due_s(number) == pytest.approx(cadence)


def test_sessions_fill_grants_in_ascending_order() -> None:
    found = places([9, 4, 6], 2, 5)
    assert found == [(4, 0), (4, 1), (6, 0), (6, 1), (9, 0)]
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("most_us", "expected"), [(800, 78), (62_500, 1), (100_000, 1), (10, 1_000)]
)
def test_a_batch_is_announced_with_an_eighth_of_a_block_at_most(
    most_us: float, expected: int
) -> None:
    assert batch_orders(most_us, 500_000, 1_000) == expected


def test_totals_ask_for_no_second_that_a_block_may_not_know() -> None:
    opened = 1_000_000
    assert total_seconds(opened, opened) == 0
    assert total_seconds(opened + SAFETY_MS + 999, opened) == 0
    assert total_seconds(opened + SAFETY_MS + 1_000, opened) == 1
    assert total_seconds(opened + SAFETY_MS + 61_500.5, opened) == 61


# -- blocks ------------------------------------------------------------------------------------


def block(number: int, slot: int, **more: float) -> Block:
    moment = slot * SLOT_MS + 3
    fields = {"weight_us": 100_000.0, "normal_weight_us": 90_000.0, "arrived_ms": moment + 90.0}
    return Block(number=number, timestamp_ms=moment, **{**fields, **more})  # type: ignore[arg-type]


def test_a_missed_slot_is_a_late_block() -> None:
    assert missed_slots([]) == missed_slots([block(1, 10)]) == 0
    assert missed_slots([block(1, 10), block(2, 11), block(3, 12)]) == 0
    assert missed_slots([block(1, 10), block(2, 12), block(3, 15)]) == 3


def test_a_block_late_within_its_slot_missed_none() -> None:
    late = Block(
        number=2, timestamp_ms=11 * SLOT_MS + 1_999, arrived_ms=0, weight_us=0, normal_weight_us=0
    )
    assert missed_slots([block(1, 10), late, block(3, 12)]) == 0


LOG = """\
2026-11-25 23:30:00.013  INFO tokio-runtime-worker sc_basic_authorship::basic_authorship: \
🎁 Prepared block for proposing at 12 (34 ms) hash: 0xab; parent_hash: 0xcd…; \
end: NoMoreTransactions; extrinsics_count: 3
2026-11-25 23:30:00.020  INFO tokio-runtime-worker aura: 🔖 Pre-sealed block for proposal at 12. \
Hash now 0xab, previously 0xcd.
2026-11-25 23:30:00.055  INFO tokio-runtime-worker substrate: 🏆 Imported #12 (0xcd… → 0xab…)
2026-11-25 23:30:02.700  INFO tokio-runtime-worker sc_basic_authorship::basic_authorship: \
🎁 Prepared block for proposing at 13 (690 ms) hash: 0xab; parent_hash: 0xcd…; \
end: HitBlockWeightLimit; extrinsics_count: 40
2026-11-25 23:30:06.000  INFO tokio-runtime-worker aura: ⌛️ Discarding proposal for slot \
897824703; block production took too long
not a line of the node's
"""


def test_the_log_tells_how_long_a_block_took() -> None:
    log = read_log(LOG.splitlines())
    read = log.blocks
    assert log.discarded == {897_824_703}
    assert set(read) == {12, 13}
    assert (read[12].took_ms, read[12].end) == (34, "NoMoreTransactions")
    assert read[12].imported_ms - read[12].prepared_ms == pytest.approx(42)
    assert read[12].imported_ms == pytest.approx(1_795_649_400_055)
    assert (read[13].took_ms, read[13].end) == (690, "HitBlockWeightLimit")
    assert read[13].imported_ms == 0


def test_blocks_are_put_beside_their_log() -> None:
    blocks = [block(12, 100), block(13, 101), block(14, 103)]
    logged = {
        12: Logged(took_ms=34, end="NoMoreTransactions", imported_ms=100 * SLOT_MS + 55),
        13: Logged(took_ms=66, end="HitBlockWeightLimit", imported_ms=101 * SLOT_MS + 75),
    }
    log = NodeLog(logged, discarded={99, 102, 103})
    found = filling(blocks, log, normal_limit_us=500_000)
    assert found.discarded == 1
    assert (found.blocks, found.late) == (3, 1)
    assert found.took_of_weight == pytest.approx(100 / 200)
    assert found.normal_share == pytest.approx(90 / 500)
    assert found.in_slot_ms == Spread(p50=55, p99=75, highest=75)
    assert found.arrival_ms == Spread(p50=2_000, p99=4_000, highest=4_000)
    assert found.ends == {"NoMoreTransactions": 1, "HitBlockWeightLimit": 1}
    assert found.as_json()["late_blocks"] == 1


def test_nothing_measured_has_no_spread() -> None:
    assert Spread.of([]) is None
    empty = filling([], NodeLog(), 500_000)
    assert (empty.took_of_weight, empty.normal_share, empty.took_ms) == (0.0, 0.0, None)


# -- whether a rate holds ----------------------------------------------------------------------


def test_waiting_orders_that_rise_pile_up() -> None:
    assert piles_up([100 * each for each in range(12)], per_slot=1_000, batch=50)
    assert not piles_up([300, 100, 400, 200, 300, 100, 300, 200], per_slot=1_000, batch=50)
    assert not piles_up([0] * 8, per_slot=1_000, batch=50)
    assert not piles_up([0, 5_000], per_slot=1_000, batch=50)


def test_one_block_that_took_little_is_no_pile() -> None:
    assert not piles_up([0, 0, 0, 0, 0, 1_000, 0, 0, 0, 0, 0, 0], per_slot=1_000, batch=50)


def test_memory_grows_by_its_later_half() -> None:
    filling_caches = [(each, 1_000.0 * each) for each in range(60)]
    steady = [(60.0 + each, 60_000.0) for each in range(60)]
    assert growth_per_minute(filling_caches + steady) == pytest.approx(0)
    assert growth_per_minute(filling_caches) == pytest.approx(60_000)
    assert growth_per_minute([]) == growth_per_minute([(1.0, 5.0)]) == 0


def test_memory_is_told_at_the_beginning_and_each_minute() -> None:
    samples = [(100.0 + 5 * each, float(each)) for each in range(25)]
    assert each_minute(samples) == [0.0, 11.0, 23.0, 24.0]
    assert each_minute([]) == []


def step(rate: float, *, failed: int = 0, late: int = 0, behind_s: float = 0.0) -> Step:
    return Step(
        rate=rate,
        counted=0,
        in_blocks=0,
        counted_per_s=rate,
        failed=failed,
        waiting=0,
        piles=False,
        behind_s=behind_s,
        filling=blocks_that(late=late),
        reasons={"OrderStale": failed} if failed else {},
    )


def blocks_that(late: int = 0, **ends: int) -> Filling:
    return Filling(
        blocks=10,
        late=late,
        discarded=0,
        weight_ms=None,
        took_ms=None,
        in_slot_ms=None,
        weight_us=1.0,
        took_us=1.0,
        normal_share=0.93,
        ends=ends,
        arrival_ms=None,
    )


def test_a_step_says_what_did_not_keep_up() -> None:
    assert step(1.0).held
    assert not step(1.0).limit()
    assert "2 orders failed: 2 OrderStale" in step(1.0, failed=2).limit()
    assert "3 blocks came late" in step(1.0, late=3).limit()
    assert "load generator" in step(1.0, behind_s=2.0).limit()
    assert not any(each.held for each in (step(1, failed=1), step(1, late=1), step(1, behind_s=2)))


def test_full_blocks_name_what_fills_them() -> None:
    assert "weight" in full_for(blocks_that(HitBlockWeightLimit=8, NoMoreTransactions=2))
    assert "93 %" in full_for(blocks_that(HitBlockWeightLimit=8))
    assert "author" in full_for(blocks_that(HitDeadline=5, NoMoreTransactions=5))
    assert "pool" in full_for(blocks_that(NoMoreTransactions=9, HitDeadline=1))
    assert "pool" in full_for(blocks_that())


@given(capacity=st.floats(10, 50_000), first=st.floats(50, 5_000), highest=st.floats(100, 20_000))
def test_the_search_ends_beside_the_rate_that_the_node_takes(
    capacity: float, first: float, highest: float
) -> None:
    tried: list[tuple[float, bool]] = []
    while (rate := next_rate(first, tried, highest)) is not None:
        assert rate <= highest
        tried.append((rate, rate <= capacity))
        assert len(tried) <= STEPS_MAX
    held = [rate for rate, ok in tried if ok]
    if capacity >= highest and len(tried) < STEPS_MAX:
        assert max(held) == highest
    elif held and len(tried) < STEPS_MAX:
        assert max(held) <= capacity <= max(held) * FASTER


def test_the_first_rate_may_be_too_high() -> None:
    lower = next_rate(1_000, [(1_000, False)], 8_000)
    assert lower is not None
    assert lower < 1_000


# -- what is told ------------------------------------------------------------------------------


def node_costs(*steps: Step, rivals: Sequence[Transfers] = ()) -> NodeCosts:
    steady = Steady(
        step=steps[0],
        seconds=60,
        finality_s=None,
        behind_blocks=2,
        accepted_ms=None,
        waiting=100,
        memory_mib=[90.0, 95.0],
        memory_mib_per_minute=1.5,
        resident_mib=900.0,
        node_cpu=0.5,
        generator_cpu=0.1,
        ledger_seconds=600,
        ticked_seconds=600,
    )
    return NodeCosts(
        sizes=Sizes(sessions=100, minutes=1),
        orders=50,
        announced_us=800,
        orders_that_fit=500,
        normal_limit_ms=500,
        steady=steady,
        steps=list(steps[1:]),
        sums_agree=True,
        rivals=list(rivals),
    )


def test_the_highest_rate_is_the_best_that_held_and_its_limit_the_lowest_that_did_not() -> None:
    costs = node_costs(step(100), step(150), step(300, late=4), step(200, failed=1))
    assert costs.best is not None
    assert costs.best.rate == 150
    assert "1 orders failed" in costs.limit
    assert "higher rate" in node_costs(step(100), step(150)).limit
    assert node_costs(step(100, late=1)).best is None


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("with_rival", [True, False])
def test_all_figures_can_be_told(held: bool, with_rival: bool) -> None:
    rivals = [
        Transfers(per_s=each, waiting=9, failed=0, limit="", filling=blocks_that())
        for each in (40.0, 50.0)
    ]
    costs = node_costs(step(100, late=0 if held else 1), rivals=rivals if with_rival else ())
    told = json.loads(json.dumps(costs.as_json()))
    assert told["ticks_of_transfers"] == (2.0 if held and with_rival else None)
    assert told["steady"]["late_blocks"] == (0 if held else 1)
    console = Console(width=120, record=True)
    console.print(table("a node", costs.figures()))
    text = console.export_text()
    assert ("highest rate" in text) == held
    assert ("signed transfers: 50" in text) == (held and with_rival)


def weighed() -> Costs:
    """A transfer of 200 us, and orders of 100 to 500."""
    orders = {
        name: Cost(time_us=100 * times, reads=0, writes=0)
        for times, name in enumerate(("batch_item", "tick", "open", "close", "claim"), start=1)
    }
    return Costs(transfer=Cost(time_us=142, reads=1, writes=1), **orders)


@pytest.mark.parametrize(
    ("option", "measured"),
    [
        ([], ["transfer_keep_alive_us", "ratios"]),
        (["--node"], ["transfer_keep_alive_us", "ratios", "node"]),
        (["--node-only"], ["node"]),
    ],
)
def test_the_object_for_machines_has_the_documented_shape(
    option: list[str],
    measured: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    node = node_costs(step(100))
    monkeypatch.setattr("ledger_costs.__main__.measure_costs", lambda *_: weighed())
    monkeypatch.setattr("ledger_costs.load.measure", lambda *_: node)
    as_the_script_does = ["--bencher", "/b", "--runtime", "/r"]
    monkeypatch.setattr("sys.argv", ["main", *as_the_script_does, *option, "--json"])
    assert main() == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["machine", "command", *measured]
    assert told["command"] == ["scripts/bench-ledger", *option, "--json"]
    assert told.get("transfer_keep_alive_us", 200.0) == 200.0
    ratios = {"tick": 1.0, "batch_item": 0.5, "open": 1.5, "close": 2.0, "claim": 2.5}
    assert told.get("ratios", ratios) == ratios
    assert told.get("node", node.as_json()) == node.as_json()


def test_what_waits_is_what_no_block_has_taken() -> None:
    follower = SimpleNamespace(blocks=[block(1, 10, batches=7)])
    pipeline = Pipeline(None, None, follower, None)  # type: ignore[arg-type]
    pipeline._first_block, pipeline._sent = 1, [10, 20, 30]
    assert pipeline.waiting() == 60
    follower.blocks += [block(2, 11, batches=1), block(3, 12)]
    assert pipeline.waiting() == 50
    follower.blocks.append(block(4, 13, batches=2))
    assert pipeline.waiting() == 0


def test_the_pallets_readme_shows_the_weights_that_are_charged() -> None:
    assert cost_rows(WEIGHTS.read_text(encoding="utf-8")) in README.read_text(encoding="utf-8")


def test_a_weight_that_is_missing_is_named() -> None:
    with pytest.raises(TableFailed, match="no create_stream"):
        cost_rows("impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {}")


def test_some_functions_measured_anew_leave_the_others_as_they_are() -> None:
    def weights(**of: int) -> str:
        functions = [
            f"\t/// Storage: `{name}`\n\tfn {name}(p: u32, ) -> Weight {{\n"
            f"\t\tWeight::from_parts({time}, 0)\n\t}}\n"
            for name, time in of.items()
        ]
        declared = "".join(f"\tfn {name}(p: u32, ) -> Weight;\n" for name in of)
        return f"pub trait WeightInfo {{\n{declared}}}\nimpl X {{\n{''.join(functions)}}}\n"

    old = weights(deposit=1, claim=2, tip=3)
    assert replaced(old, weights(claim=20)) == weights(deposit=1, claim=20, tip=3)
    assert replaced(old, weights(tip=30, deposit=10)) == weights(deposit=10, claim=2, tip=30)
    with pytest.raises(ValueError, match="refund is not there once"):
        replaced(old, weights(refund=4))
