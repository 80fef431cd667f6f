"""`python -m ledger_costs.cost_table`: what calls cost, from the weights into the README."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
WEIGHTS: Final = ROOT / "pallet-paystream/src/weights.rs"
README: Final = ROOT / "pallet-paystream/README.md"

_ROWS: Final = {
    "create_stream": "`create_stream`",
    "update_stream": "`update_stream`; with new payees a `claim` more",
    "end_stream": "`end_stream`",
    "transfer_stream": "`transfer_stream`; and a `claim`",
    "refund": "`refund`; and a `claim`",
    "set_tiers": "`set_tiers`",
    "deposit": "`deposit`",
    "withdraw": "`withdraw`",
    "grant": "`grant`",
    "revoke": "`revoke`",
    "delete_grant": "`revoke` of an ended grant",
    "tip": "`tip`",
    "subscribe": "`subscribe`",
    "cancel_subscription": "`cancel_subscription`",
    "settle_subscription": "`settle_subscription`",
    "settle": "`settle`; without a signature the check of a close more",
    "claim": "`claim`; without a signature the check of a tick more",
    "submit_open": "`submit` an open, its check included",
    "submit_fund": "`submit` a fund",
    "submit_tick": "`submit` a tick",
    "submit_close": "`submit` a close",
    "submit_tip": "`submit` a tip",
    "submit_renew": "`submit` a renewal",
    "submit_batch": "`submit_batch` of ticks of one stream",
    "submit_batch_streams": "`submit_batch` of ticks, each of a stream of its own",
    "enable_asset": "`enable_asset`",
    "disable_asset": "`disable_asset`",
    "write_off_asset": "`write_off_asset`",
    "set_tick_price": "`set_tick_price`",
    "set_treasury_share": "`set_treasury_share`",
    "set_stopped": "`set_stopped`",
}
_HEAD: Final = "| call | time | reads | writes |\n| --- | --- | --- | --- |\n"
_PS_PER_US: Final = 1_000_000


class TableFailed(Exception):
    """A weight or the table's place was not found."""


def cost_rows(weights: str) -> str:
    """Give the table's rows. Raises TableFailed."""
    source = weights.split("impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T>", 1)
    if len(source) < 2:
        raise TableFailed("weights.rs has no SubstrateWeight")
    return "".join(_row(source[1], name, words) for name, words in _ROWS.items())


def _row(source: str, name: str, words: str) -> str:
    found = re.search(rf"\tfn {name}\(.*?\n\t}}\n", source, flags=re.DOTALL)
    if found is None:
        raise TableFailed(f"weights.rs has no {name}")
    body = found.group()
    base, each = _time(body)
    time = f"{base / _PS_PER_US:.0f} us" + (f" + {each / _PS_PER_US:.1f} us" if each else "")
    return f"| {words} | {time} | {_keys(body, 'reads')} | {_keys(body, 'writes')} |\n"


def _time(body: str) -> tuple[int, int]:
    """Give the picoseconds at zero, and of one more of the component."""
    base = re.search(r"^\t\tWeight::from_parts\(([\d_]+), ", body, flags=re.MULTILINE)
    each = re.search(r"\(Weight::from_parts\(([\d_]+), 0\)\.saturating_mul", body)
    if base is None:
        raise TableFailed(f"no time in {body!r}")
    return int(base.group(1)), int(each.group(1)) if each else 0


def _keys(body: str, kind: str) -> str:
    base = re.search(rf"::get\(\)\.{kind}\((\d+)_u64\)", body)
    each = re.search(rf"::get\(\)\.{kind}\(\((\d+)_u64\)\.saturating_mul", body)
    return (base.group(1) if base else "0") + (f" + {each.group(1)}" if each else "")


def main() -> int:
    """Write the table into the README."""
    readme = README.read_text(encoding="utf-8")
    before, head, rest = readme.partition(_HEAD)
    if not head:
        raise TableFailed("the README has no table of costs")
    after = rest[rest.index("\n\n") + 1 :]
    made = before + head + cost_rows(WEIGHTS.read_text(encoding="utf-8")) + after
    README.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
