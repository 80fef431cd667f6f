"""What a relayer is started with, and the bounds it works within."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from offchain.keys.signer import Signer


class SettingsInvalid(ValueError):
    """A setting is out of its range. The message names setting, range and remedy."""


@dataclass(frozen=True, kw_only=True)
class RelayerConfig:
    """Where a relayer finds its chain and its files, and how often it ticks.

    `state_dir` holds the journal, its lock, the socket and (unless `keys_dir` says otherwise) the
    keystore; it is made with mode 0700. `password` opens the keystore and never shows in a repr.
    `cadence_ms` is the time between two ticks of a session, 5,000 to 60,000. `metrics_port` serves
    Prometheus text on loopback; 0 picks a free port, None serves nothing. `batch_signer` is the key
    of a funded account that sends batches of ticks, None sends none.
    """

    chain_url: str
    state_dir: Path
    password: str
    socket: Path | None = None
    keys_dir: Path | None = None
    cadence_ms: int = 6_000
    metrics_port: int | None = None
    batch_signer: Signer | None = None

    def __post_init__(self) -> None:
        """Check the ranges. Raises SettingsInvalid."""
        if not 5_000 <= self.cadence_ms <= 60_000:
            raise SettingsInvalid(
                f"cadence-ms is {self.cadence_ms}: give 5000 to 60000 (the ledger takes a tick of "
                "at least 5 seconds, and a session's gap must span two cadences)"
            )
        if self.metrics_port is not None and not 0 <= self.metrics_port <= 65_535:
            raise SettingsInvalid(f"metrics-port is {self.metrics_port}: give 0 to 65535")
        if not self.password:
            raise SettingsInvalid("the keystore's password is empty: name a --password-file")

    def __repr__(self) -> str:
        return f"<relayer of {self.chain_url} in {self.state_dir}>"

    @property
    def socket_path(self) -> Path:
        """Where the relayer listens for its media server."""
        return self.socket or self.state_dir / "relay.sock"

    @property
    def journal_path(self) -> Path:
        """The journal's file."""
        return self.state_dir / "journal.sqlite"

    @property
    def keystore_dir(self) -> Path:
        """Where the delegate keys rest, encrypted."""
        return self.keys_dir or self.state_dir / "keys"
