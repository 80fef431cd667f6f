"""`python -m ledger_costs.weights_file NEW FILE`: puts functions of NEW into a file of weights.

Both are made from `pallet-paystream/weight-template.hbs`. A function of NEW replaces the one of its
name in FILE; all else of FILE stays as it is.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

_IMPLEMENTED = re.compile(
    r"(?:^\t/// [^\n]*\n)*^\tfn (?P<name>\w+)\([^)]*\) -> Weight \{\n.*?^\t\}\n", re.M | re.S
)


def replaced(old: str, new: str) -> str:
    """Give `old` with the functions of `new`. Raises ValueError for one that `old` has not."""
    for found in _IMPLEMENTED.finditer(new):
        name = found["name"]
        before = [each for each in _IMPLEMENTED.finditer(old) if each["name"] == name]
        if len(before) != 1:
            raise ValueError(f"{name} is not there once: measure all of them, without --only")
        old = old[: before[0].start()] + found[0] + old[before[0].end() :]
    return old


def main() -> None:
    """Rewrite the file that is named second."""
    new, old = (Path(each) for each in sys.argv[1:3])
    old.write_text(replaced(old.read_text(encoding="utf-8"), new.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
