"""`paystream serve` with a meter that counts 3 seconds too many; the demo must find it out."""

from __future__ import annotations

import sys

from offchain.cli import main
from streaming.sfu.meter import Meter

TOO_MANY_MS = 3_000

if __name__ == "__main__":
    honest = Meter.delivered_ms.fget  # type: ignore[attr-defined]

    def delivered_ms(meter: Meter) -> int:
        counted = int(honest(meter))
        return counted + TOO_MANY_MS if counted else 0

    Meter.delivered_ms = property(delivered_ms)  # type: ignore[method-assign, assignment]
    sys.argv.insert(1, "serve")
    main()
