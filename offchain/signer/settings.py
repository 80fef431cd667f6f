"""The signer's policy file, in TOML. Every key may be left out; the defaults are safe.

genesis_hash = "0x..."       # the only chain; else the first that is asked for, for good
head_start_ms = 6000         # at least the chain's HeadStartMax
streams = [1, 2]             # sessions on these only
adopt = false                # take over sessions that another signer has opened

[bounds]                     # of one grant, in the asset's smallest unit
rate_per_second_max = 1000000000
cap_max = 5000000000000
tips_max = 0
renewals_max = 120
tick_price_max = 10000000000 # the most that an open may accept; no grant bounds it

[assets.1984]                # in place of [bounds] for one asset, `native` or its number
rate_per_second_max = 1000

[socket]                     # who may ask, beside the signer's own user
users = ["paystream-relay"]
group = "paystream-signer"
"""

from __future__ import annotations

import grp
import os
import pwd
import tomllib
from pathlib import Path
from typing import Final

import msgspec

from offchain.signer.policy import Bounds, Policy

FILE_BYTES_MAX: Final = 1 << 20


class SignerSettingsInvalid(ValueError):
    """The policy file cannot be used. The message names the file, the key and the remedy."""


class _Socket(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    users: list[str | int] = []
    group: str | int | None = None


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    genesis_hash: str | None = None
    head_start_ms: int = 6_000
    gap_ms_max: int = 3_600_000
    sessions_max: int = 64
    streams: list[int] | None = None
    adopt: bool = False
    bounds: Bounds = Bounds()
    assets: dict[str, Bounds] = {}
    socket: _Socket = _Socket()


class SignerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy file says: the policy, its chain, and who may ask.

    `users` are user ids; `group` is a group id whose members may ask as well, None for no group.
    """

    policy: Policy = Policy()
    genesis_hash: str | None = None
    users: frozenset[int] = frozenset()
    group: int | None = None


def read_settings(path: Path | None) -> SignerSettings:
    """Read a policy file; without one, the defaults. Raises SignerSettingsInvalid.

    A file that other users can write is refused: they would be the policy.
    """
    if path is None:
        return SignerSettings()
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise SignerSettingsInvalid(f"the policy {path} cannot be read: {error.strerror}") from None
    if mode & 0o022:
        raise SignerSettingsInvalid(
            f"the policy {path} can be written by other users: run `chmod 644 {path}`"
        )
    try:
        given = msgspec.convert(tomllib.loads(raw.decode()), type=_File)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SignerSettingsInvalid(f"the policy {path}: {error}") from None
    return _settings(given, path)


def _settings(given: _File, path: Path) -> SignerSettings:
    for name, value, least, most in (
        ("head_start_ms", given.head_start_ms, 0, 600_000),
        ("gap_ms_max", given.gap_ms_max, 1_000, 86_400_000),
        ("sessions_max", given.sessions_max, 1, 1_024),
    ):
        if not least <= value <= most:
            raise SignerSettingsInvalid(f"the policy {path}: {name} is {value}: {least} to {most}")
    for asset, bounds in {"bounds": given.bounds, **given.assets}.items():
        if min(msgspec.structs.astuple(bounds)) < 0:
            raise SignerSettingsInvalid(f"the policy {path}: {asset} has a bound below 0")
    try:
        users = frozenset(_user(each) for each in given.socket.users)
        group = None if given.socket.group is None else _group(given.socket.group)
    except KeyError as error:
        raise SignerSettingsInvalid(
            f"the policy {path}: {error.args[0]}: name one that this machine has, or its number"
        ) from None
    policy = Policy(
        bounds=given.bounds,
        assets=given.assets,
        head_start_ms=given.head_start_ms,
        gap_ms_max=given.gap_ms_max,
        sessions_max=given.sessions_max,
        streams=None if given.streams is None else frozenset(given.streams),
        adopt=given.adopt,
    )
    return SignerSettings(policy=policy, genesis_hash=given.genesis_hash, users=users, group=group)


def _user(name: str | int) -> int:
    return name if isinstance(name, int) else pwd.getpwnam(name).pw_uid


def _group(name: str | int) -> int:
    return name if isinstance(name, int) else grp.getgrnam(name).gr_gid
