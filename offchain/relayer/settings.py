"""What a relayer is started with, and the bounds it works within."""

from __future__ import annotations

import pwd
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from offchain.chain_names import NAME, state_dir_of
from offchain.journal import url_of_chain
from offchain.keys.signer import Signer
from offchain.ledger.endpoints import shown
from offchain.relayer.credit import CREDIT_MS, least_credit_ms

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
CHAIN_URLS_MAX: Final = 8
CHAINS_MAX: Final = 8
_NAMED: Final = re.compile(r"(?P<name>[^:/=]*)=(?P<url>.*)", re.DOTALL)


class SettingsInvalid(ValueError):
    """A setting is out of its range. The message names setting, range and remedy."""


def chains_by_name(given: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Sort addresses of nodes by chain: `NAME=URL` is of the chain of that name, `URL` of the one
    that has none. Raises SettingsInvalid.
    """
    found: dict[str, tuple[str, ...]] = {}
    for each in given:
        named = _NAMED.fullmatch(each)
        name, url = ("", each) if named is None else (named["name"], named["url"])
        if named is not None and not NAME.fullmatch(name):
            raise SettingsInvalid(
                f"chain is named {name[:80]!r}: give 1 to 32 small letters, digits and dashes, as "
                "in asia=ws://127.0.0.1:9945"
            )
        found[name] = (*found.get(name, ()), url)
    return found


def signers_by_name(given: Iterable[str]) -> dict[str, Path]:
    """Sort the sockets of signers by chain, each `NAME=PATH`. Raises SettingsInvalid."""
    found: dict[str, Path] = {}
    for each in given:
        name, separator, path = each.partition("=")
        if not separator or not path or not NAME.fullmatch(name) or name in found:
            raise SettingsInvalid(
                f"chain-signer is {each[:80]!r}: give each chain's name and its signer's socket "
                "once, as in asia=/run/paystream/asia.sock"
            )
        found[name] = Path(path)
    return found


@dataclass(frozen=True, kw_only=True)
class RelayerConfig:
    """Where a relayer finds its chain and its files, and how often it ticks.

    `state_dir` holds the journal, its lock, the socket and (unless `keys_dir` says otherwise) the
    keystore; it is made with mode 0700. `password` opens the keystore and never shows in a repr;
    `password_again` reads it once more, for what was encrypted with another one since.
    `cadence_ms` is the time between two ticks of a session, 5,000 to 60,000; `credit_ms` what one
    viewer may be sent before a block charges it, up to 600,000. `metrics_port` serves
    Prometheus text on loopback; 0 picks a free port, None serves nothing. `batch_signer` is the key
    of a funded account that sends batches of ticks, None sends none. `server_user` is who runs the
    media server, if that is not who runs the relayer. `journal` is the URL of a
    database instead of a file in `state_dir`; it may hold a password and never shows in a repr.
    `relayer_id` is the name of one of several relayers that share it, and the signer.
    Of several `chain_urls` the first is preferred whose node is there and believed; the start waits
    up to `chain_wait_s` for one. They may hold tokens and never show whole. `more_chains` are
    those of other chains, by the name that the operator gives each; `more_signers` are theirs.
    `development_accounts` lets pages sign as the
    accounts of a development chain, and refuses every other chain.
    """

    chain_urls: tuple[str, ...]
    more_chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    state_dir: Path
    password: str = ""
    password_again: Callable[[], str | None] = lambda: None
    signer: Path | None = None
    more_signers: Mapping[str, Path] = field(default_factory=dict)
    socket: Path | None = None
    keys_dir: Path | None = None
    cadence_ms: int = 6_000
    credit_ms: int = CREDIT_MS
    metrics_port: int | None = None
    batch_signer: Signer | None = None
    server_user: str | None = None
    journal: str | None = None
    relayer_id: str | None = None
    development_accounts: bool = False
    chain_wait_s: float = 480.0

    def __post_init__(self) -> None:
        """Check the ranges. Raises SettingsInvalid."""
        if not 5_000 <= self.cadence_ms <= 60_000:
            raise SettingsInvalid(
                f"cadence-ms is {self.cadence_ms}: give 5000 to 60000 (the ledger takes a tick of "
                "at least 5 seconds, and a session's gap must span two cadences)"
            )
        if not least_credit_ms(self.cadence_ms) <= self.credit_ms <= 600_000:
            least_s = -(-least_credit_ms(self.cadence_ms) // 1000)
            raise SettingsInvalid(
                f"credit-seconds is {self.credit_ms // 1000}: give {least_s} to 600, since with a "
                f"tick each {self.cadence_ms / 1000:g} s media would wait for blocks on a good day"
            )
        if self.metrics_port is not None and not 0 <= self.metrics_port <= 65_535:
            raise SettingsInvalid(f"metrics-port is {self.metrics_port}: give 0 to 65535")
        if self.signer is None and not self.password:
            raise SettingsInvalid(
                "the keystore's password is empty: name a --password-file, or the --signer that "
                "holds the keys"
            )
        if self.relayer_id is not None:
            self._check_sharing(self.relayer_id)
        if self.server_user is not None:
            self.server_account()
        self._check_chains()

    def _check_chains(self) -> None:
        if self.more_chains:
            self._check_several()
        self._check_signers()
        for name, urls in self.chains.items():
            _check_urls(name, urls)
        if not 0 <= self.chain_wait_s <= 86_400:
            raise SettingsInvalid(f"chain-wait is {self.chain_wait_s:g}: give 0 to 86400 seconds")

    def _check_several(self) -> None:
        if len(self.more_chains) >= CHAINS_MAX:
            raise SettingsInvalid(
                f"chain names {len(self.more_chains)} chains: one relayer follows {CHAINS_MAX} at "
                "most, start another for the rest"
            )
        if not self.chain_urls:
            raise SettingsInvalid(
                "chain gives every address a name: give those of one chain without, which is the "
                "one that a media server means by an address without /chains/NAME"
            )

    def _check_signers(self) -> None:
        """Check that each chain has a signer of its own, or none has one: it signs for one."""
        if self.signer is None and not self.more_signers:
            return
        strange = [name for name in self.more_signers if name not in self.more_chains]
        if strange:
            raise SettingsInvalid(
                f"chain-signer names the chain {strange[0]!r}, which is not followed: name one "
                "that --chain names"
            )
        missing = [name for name in self.chains if self.signer_of(name) is None]
        if missing:
            option = f"--chain-signer {missing[0]}=PATH" if missing[0] else "--signer PATH"
            raise SettingsInvalid(
                f"{option} is missing: a signer signs for one chain, so give each a signer, or "
                "leave all keys to the relayer"
            )
        sockets = [self.signer_of(name) for name in self.chains]
        if len(set(sockets)) < len(sockets):
            raise SettingsInvalid(
                "chain-signer names one socket for two chains: a signer signs for one, start "
                "another with a --state-dir of its own"
            )

    def _check_sharing(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise SettingsInvalid(
                f"relayer-id is {name[:80]!r}: give 1 to 64 letters, digits, dots, dashes and "
                "underscores"
            )
        if self.journal is None:
            raise SettingsInvalid(
                "relayer-id names one of several relayers, and they share a journal in "
                "PostgreSQL: give --journal-url-file, or leave --relayer-id out"
            )
        if self.signer is None:
            raise SettingsInvalid(
                "relayer-id names one of several relayers, and it is the signer that refuses one "
                "which was passed over: give --signer, the same to each"
            )

    def server_account(self) -> pwd.struct_passwd | None:
        """Look up who runs the media server, if that is another user. Raises SettingsInvalid."""
        if self.server_user is None:
            return None
        try:
            return pwd.getpwnam(self.server_user)
        except KeyError:
            raise SettingsInvalid(
                f"server-user is {self.server_user!r}, and there is no such user: make it with "
                f"`useradd --system {self.server_user}`, or name another"
            ) from None

    def __repr__(self) -> str:
        return f"<relayer of {self.shown_chain} in {self.state_dir}>"

    @property
    def shown_chain(self) -> str:
        """The nodes' addresses as they may be shown."""
        return ", ".join(
            f"{name}={shown(url)}" if name else shown(url)
            for name, urls in self.chains.items()
            for url in urls
        )

    @property
    def chains(self) -> dict[str, tuple[str, ...]]:
        """The addresses of every chain's nodes by its name; that of the first is empty."""
        return {"": self.chain_urls, **self.more_chains}

    @property
    def socket_path(self) -> Path:
        """Where the relayer listens for its media server."""
        return self.socket or self.state_dir / "relay.sock"

    def journal_place(self, chain: str = "") -> Path | str:
        """Give the file or URL of a chain's journal."""
        if self.journal is not None:
            return url_of_chain(self.journal, chain)
        return state_dir_of(self.state_dir, chain) / "journal.sqlite"

    def signer_of(self, chain: str) -> Path | None:
        """Give the socket of a chain's signer, where the keys are not in the relayer."""
        return self.more_signers.get(chain) if chain else self.signer

    @property
    def keystore_dir(self) -> Path:
        """Where the delegate keys rest, encrypted."""
        return self.keys_dir or self.state_dir / "keys"


def _check_urls(name: str, urls: tuple[str, ...]) -> None:
    chain = f"chain {name}" if name else "chain"
    if not 1 <= len(urls) <= CHAIN_URLS_MAX:
        raise SettingsInvalid(
            f"{chain} is given {len(urls)} times: give 1 to {CHAIN_URLS_MAX} addresses"
        )
    for url in urls:
        if not url.startswith(("ws://", "wss://")):
            raise SettingsInvalid(
                f"{chain} is {shown(url)}: give a WebSocket address, such as ws://127.0.0.1:9944"
            )
    if len(set(urls)) < len(urls):
        raise SettingsInvalid(f"{chain} has the same address twice: give each node once")
