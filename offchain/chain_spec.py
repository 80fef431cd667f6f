"""Chain specifications: what a preset of the runtime becomes for a network of one's own. Pure.

A specification is the JSON of polkadot-sdk's `sc-chain-spec`: name, id, first peers, and as genesis
either a patch of the runtime's default configuration (*plain*) or the storage itself (*raw*). Only
a plain one is changed here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

from offchain.amounts import AmountInvalid, parse_amount
from offchain.ledger.types import AddressInvalid, address

VALIDATORS_MAX: Final = 32
"""The most that the reference runtime's Aura and GRANDPA accept (`MAX_AUTHORITIES`)."""
AMOUNT_MAX: Final = 2**64 - 1
"""The highest number that the node reads from JSON, in smallest units."""
CHAIN_TYPES: Final = ("Development", "Local", "Live")
KEYS: Final = ("aura", "grandpa")


class SpecificationInvalid(ValueError):
    """A specification cannot be made of what was given. Names what is wrong, and the remedy."""


@dataclass(frozen=True, kw_only=True)
class Validator:
    """The public session keys of one validator, as SS58 addresses."""

    aura: str
    """sr25519: writes blocks."""
    grandpa: str
    """ed25519: finalizes them."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """What is to differ from the preset; what is None or empty stays as the preset has it."""

    name: str | None = None
    identifier: str | None = None
    """Names the directory of its database, and tells networks apart; letters, digits, `_` `-`."""
    chain_type: str | None = None
    """One of `CHAIN_TYPES`."""
    validators: Sequence[Validator] = ()
    root: str | None = None
    """The address of the sudo key."""
    endowments: Mapping[str, int] = field(default_factory=dict)
    """Smallest units by address. With any, the preset's own accounts have nothing."""
    bootnodes: Sequence[str] = ()
    """Multiaddresses with `/p2p/` and the peer's id."""
    code: bytes | None = None
    """The runtime's blob at genesis, as storage has it; that of the node without."""


def read_validators(text: str) -> list[Validator]:
    """Read a file of validators: a JSON list of objects with `aura` and `grandpa`.

    Each key is an SS58 address, or `0x` and 64 hexadecimal digits. Raises SpecificationInvalid.
    """
    example = '[{"aura": "5F…", "grandpa": "5C…"}]'
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise SpecificationInvalid(f"it is no JSON ({error}): write {example}") from None
    if not isinstance(entries, list) or not 1 <= len(entries) <= VALIDATORS_MAX:
        raise SpecificationInvalid(
            f"it must be a list of 1 to {VALIDATORS_MAX} validators: write {example}"
        )
    validators = [_validator(entry, number) for number, entry in enumerate(entries, 1)]
    for name in KEYS:
        keys = [getattr(validator, name) for validator in validators]
        for key in keys:
            if keys.count(key) > 1:
                raise SpecificationInvalid(
                    f"two validators have the {name} key {key}: whoever runs twice with one key "
                    "equivocates, so give each its own"
                )
    return validators


def _validator(entry: object, number: int) -> Validator:
    if not isinstance(entry, dict) or set(entry) != set(KEYS):
        raise SpecificationInvalid(f"validator {number} must have exactly `aura` and `grandpa`")
    read = {}
    for name in KEYS:
        try:
            read[name] = address(str(entry[name]))
        except AddressInvalid as error:
            raise SpecificationInvalid(f"validator {number}, {name}: {error}") from None
    return Validator(**read)


def read_endowments(texts: Sequence[str], plain: Mapping[str, Any]) -> dict[str, int]:
    """Read `ADDRESS=AMOUNT` in the native token of a specification.

    Raises SpecificationInvalid.
    """
    properties = plain.get("properties") or {}
    symbol, decimals = str(properties["tokenSymbol"]), int(properties["tokenDecimals"])
    read: dict[str, int] = {}
    for text in texts:
        who, equals, amount = text.partition("=")
        if not equals:
            raise SpecificationInvalid(f"{text!r}: write ADDRESS=AMOUNT, as in 5F…='1000 {symbol}'")
        try:
            account, units = address(who), parse_amount(amount, symbol, decimals)
        except (AddressInvalid, AmountInvalid) as error:
            raise SpecificationInvalid(str(error)) from None
        if account in read:
            raise SpecificationInvalid(f"{who} is given twice: add the amounts up")
        if not 0 < units <= AMOUNT_MAX:
            most = AMOUNT_MAX // 10**decimals
            raise SpecificationInvalid(f"{amount!r}: give more than nothing, and {most} at most")
        read[account] = units
    return read


def tailored(plain: Mapping[str, Any], network: Network) -> dict[str, Any]:
    """Give a plain specification with what the network wants changed.

    Raises SpecificationInvalid, also where the specification is raw or of a runtime without the
    pallets that are to be changed.
    """
    spec = deepcopy(dict(plain))
    patch = spec.get("genesis", {}).get("runtimeGenesis", {}).get("patch")
    if patch is None:
        raise SpecificationInvalid("its genesis is not a patch: begin with a preset, not with raw")
    _name(spec, network)
    if network.validators:
        _section(patch, "aura")["authorities"] = [each.aura for each in network.validators]
        _section(patch, "grandpa")["authorities"] = [
            [each.grandpa, 1] for each in network.validators
        ]
    if network.root is not None:
        _section(patch, "sudo")["key"] = network.root
        for asset in patch.get("assets", {}).get("assets", []):
            asset[1] = network.root
    if network.endowments:
        _section(patch, "balances")["balances"] = [
            [account, units] for account, units in network.endowments.items()
        ]
        if "assets" in patch:
            patch["assets"]["accounts"] = []
    if network.code is not None:
        spec["genesis"]["runtimeGenesis"]["code"] = "0x" + network.code.hex()
    if network.bootnodes:
        spec["bootNodes"] = [_bootnode(each) for each in network.bootnodes]
    return spec


def _name(spec: dict[str, Any], network: Network) -> None:
    if network.name is not None:
        spec["name"] = network.name
    if network.identifier is not None:
        plain = network.identifier.replace("_", "").replace("-", "")
        if not (plain.isascii() and plain.isalnum()):
            raise SpecificationInvalid(
                f"the id {network.identifier!r} names a directory: use letters, digits, _ and -"
            )
        spec["id"] = network.identifier
    if network.chain_type is not None:
        spec["chainType"] = network.chain_type


def _section(patch: dict[str, Any], pallet: str) -> dict[str, Any]:
    section = patch.get(pallet)
    if not isinstance(section, dict):
        raise SpecificationInvalid(f"the preset says nothing of the pallet {pallet}: take another")
    return section


def _bootnode(text: str) -> str:
    if not text.startswith("/") or "/p2p/" not in text:
        raise SpecificationInvalid(
            f"the first peer {text!r} has no id: write it as the node does, "
            "/ip4/203.0.113.7/tcp/30333/p2p/12D3Koo…"
        )
    return text
