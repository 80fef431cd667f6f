"""What holds a shared journal's writes against the life of the relayer that writes."""

from __future__ import annotations

import msgspec

from offchain.journal.errors import JournalError
from offchain.journal.migrations import Execute


class LeaseLost(JournalError):
    """A relayer's life has been ended by another: nothing was written, and it has to begin anew."""

    def __init__(self, life: str) -> None:
        super().__init__(
            f"relayer {life.partition('/')[0]} did not renew its leases in time, and another has "
            "taken its sessions over: it begins anew"
        )


class Guard(msgspec.Struct, frozen=True):
    """Refuses the writes of a life that was ended; nobody ends it between look and write."""

    sql: str
    life: str

    def check(self, execute: Execute) -> None:
        """Raise LeaseLost where the life was ended."""
        if not execute(self.sql, (self.life,)):
            raise LeaseLost(self.life)
