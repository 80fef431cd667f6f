"""What a preset's specification becomes for a network of one's own, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from offchain.chain_spec import (
    AMOUNT_MAX,
    VALIDATORS_MAX,
    Network,
    SpecificationInvalid,
    Validator,
    read_endowments,
    read_validators,
    tailored,
)
from offchain.keys.signer import dev_key

ALICE, BOB, CHARLIE = (dev_key(name).address for name in ("Alice", "Bob", "Charlie"))
PEER = "/ip4/203.0.113.7/tcp/30333/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"


def plain() -> dict[str, Any]:
    """A preset as the node writes it, in miniature."""
    return {
        "name": "Preset",
        "id": "preset",
        "chainType": "Local",
        "bootNodes": [],
        "properties": {"tokenSymbol": "UNIT", "tokenDecimals": 12},
        "genesis": {
            "runtimeGenesis": {
                "code": "0x00",
                "patch": {
                    "aura": {"authorities": [ALICE]},
                    "grandpa": {"authorities": [[ALICE, 1]]},
                    "sudo": {"key": ALICE},
                    "balances": {"balances": [[ALICE, 10**18]]},
                    "assets": {
                        "assets": [[1984, ALICE, True, 10_000]],
                        "accounts": [[1984, ALICE, 10**12]],
                    },
                    "payStream": {"enabledAssets": ["Native", {"WithId": 1984}]},
                },
            }
        },
    }


def patch_of(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spec["genesis"]["runtimeGenesis"]["patch"]
    return found


def test_nothing_wanted_changes_nothing() -> None:
    assert tailored(plain(), Network()) == plain()


def test_validators_root_and_money_are_ones_own() -> None:
    before = plain()
    network = Network(
        name="Mine",
        identifier="mine_1",
        chain_type="Live",
        validators=[Validator(aura=BOB, grandpa=CHARLIE), Validator(aura=CHARLIE, grandpa=BOB)],
        root=BOB,
        endowments={CHARLIE: 5},
        bootnodes=[PEER],
        code=b"\x01\x02",
    )
    spec = tailored(before, network)
    assert before == plain(), "what was given stays"
    assert (spec["name"], spec["id"], spec["chainType"]) == ("Mine", "mine_1", "Live")
    assert spec["bootNodes"] == [PEER]
    assert spec["genesis"]["runtimeGenesis"]["code"] == "0x0102"
    patch = patch_of(spec)
    assert patch["aura"]["authorities"] == [BOB, CHARLIE]
    assert patch["grandpa"]["authorities"] == [[CHARLIE, 1], [BOB, 1]]
    assert patch["balances"]["balances"] == [[CHARLIE, 5]]
    assert patch["assets"]["accounts"] == [], "nobody's account that everybody has the key of"
    assert ALICE not in json.dumps(spec)
    assert patch["payStream"] == patch_of(before)["payStream"]


def test_keys_are_read_as_addresses_and_as_bytes() -> None:
    hexadecimal = "0x" + dev_key("Bob").public_key.hex()
    text = json.dumps([{"aura": ALICE, "grandpa": hexadecimal}])
    assert read_validators(text) == [Validator(aura=ALICE, grandpa=BOB)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("keys", "it is no JSON"),
        ("[]", f"a list of 1 to {VALIDATORS_MAX}"),
        ('{"aura": 1}', "a list of 1 to"),
        (json.dumps([{"aura": ALICE}]), "validator 1 must have exactly `aura` and `grandpa`"),
        (json.dumps([{"aura": ALICE, "grandpa": "5x"}]), "validator 1, grandpa: '5x'"),
        (
            json.dumps([{"aura": ALICE, "grandpa": BOB}, {"aura": ALICE, "grandpa": CHARLIE}]),
            f"two validators have the aura key {ALICE}",
        ),
        (json.dumps([{"aura": ALICE, "grandpa": BOB}] * (VALIDATORS_MAX + 1)), "a list of 1 to"),
    ],
)
def test_a_wrong_file_of_validators_is_told_how(text: str, said: str) -> None:
    with pytest.raises(SpecificationInvalid) as refused:
        read_validators(text)
    assert said in str(refused.value)


def test_amounts_are_in_the_chains_token_and_exact() -> None:
    read = read_endowments([f"{ALICE}=1000 UNIT", f"{BOB}=0.000000000001"], plain())
    assert read == {ALICE: 1000 * 10**12, BOB: 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ALICE, "write ADDRESS=AMOUNT"),
        ("5x=1", "'5x'"),
        (f"{ALICE}=1 USD", "this asset is called UNIT"),
        (f"{ALICE}=0", "more than nothing"),
        (f"{ALICE}={AMOUNT_MAX // 10**12 + 1}", "18446744 at most"),
    ],
)
def test_a_wrong_endowment_is_told_how(text: str, said: str) -> None:
    with pytest.raises(SpecificationInvalid) as refused:
        read_endowments([text], plain())
    assert said in str(refused.value)


def test_an_account_is_endowed_once() -> None:
    with pytest.raises(SpecificationInvalid, match="given twice"):
        read_endowments([f"{ALICE}=1", f"{ALICE}=2"], plain())


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (Network(identifier="../up"), "names a directory"),
        (Network(identifier=""), "names a directory"),
        (Network(bootnodes=["203.0.113.7:30333"]), "has no id"),
    ],
)
def test_what_no_node_could_use_is_refused(network: Network, said: str) -> None:
    with pytest.raises(SpecificationInvalid, match=said):
        tailored(plain(), network)


def test_a_raw_specification_and_a_runtime_without_the_pallet_are_refused() -> None:
    raw = plain()
    raw["genesis"] = {"raw": {"top": {}}}
    with pytest.raises(SpecificationInvalid, match="not with raw"):
        tailored(raw, Network())
    without = plain()
    del patch_of(without)["sudo"]
    with pytest.raises(SpecificationInvalid, match="pallet sudo"):
        tailored(without, Network(root=BOB))
