"""A recorded runtime: what is encoded by hand is what its metadata says; wrong ones are named."""

from __future__ import annotations

import hashlib
import lzma
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from offchain.keys import dev_key, verify
from offchain.ledger import (
    Close,
    Fund,
    Open,
    Order,
    Payee,
    Renew,
    StreamChange,
    Terms,
    Tick,
    Tier,
    Tip,
    open_ledger,
)
from offchain.ledger.calls import Calls
from offchain.ledger.errors import (
    CallInvalid,
    ChainChanged,
    DispatchFailed,
    UnknownExtension,
    WrongRuntime,
    by_name,
)
from offchain.ledger.extrinsics import (
    Context,
    assemble,
    era,
    extension_bytes,
    general_v5,
    mortal_general_v5,
    signed_payload,
    signed_v4,
)
from offchain.ledger.orders import OrderInvalid, SignedOrder, delegate_key, encode_order
from offchain.ledger.runtime import Extension, Runtime
from offchain.ledger.scale import compact
from offchain.ledger.transactions import checked_signature, read_batch
from offchain.ledger.types import DelegateKey, Event, Receipt
from tests.ledger.fake_node import SUBSCRIBED, FakeNode

RECORDED = Path(__file__).parents[1] / "data" / "metadata-v14.scale.xz"
FIRST_RELEASE = Path(__file__).parents[1] / "data" / "metadata-first-release.scale.xz"
GENESIS = "0x" + "ab" * 32
BIRTH = "0x" + "cd" * 32


def recorded() -> bytes:
    return lzma.decompress(RECORDED.read_bytes())


def load(change: Callable[[bytes], bytes] = lambda raw: raw, version: int = 1) -> Runtime:
    return Runtime("0x" + change(recorded()).hex(), "paystream", version, 1)


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return load()


@pytest.fixture(scope="module")
def calls(runtime: Runtime) -> Calls:
    return Calls(lambda: runtime)


u32, u64, u128 = (st.integers(0, 2**bits - 1) for bits in (32, 64, 128))
orders = st.one_of(
    st.builds(
        Open,
        index=u32,
        stream=u64,
        rate_per_second=u128,
        funds=u128,
        start_at=u64,
        tick_price_max=u128,
    ),
    st.builds(Fund, index=u32, funds=u128),
    st.builds(Tick, index=u32, seconds=u32),
    st.builds(Close, index=u32, seconds=u32),
    st.builds(Tip, index=u32, tips=u128, message=st.binary(max_size=100)),
    st.builds(Renew, index=u32, renewals=u32),
)


def order_value(order: Order) -> dict[str, Any]:
    fields = {name: getattr(order, name) for name in order.__struct_fields__}
    return {type(order).__name__: fields}


@given(order=orders, grant=u64, scheme=st.sampled_from(["sr25519", "ed25519"]))
def test_orders_are_encoded_as_the_metadata_says(
    runtime: Runtime, calls: Calls, order: Order, grant: int, scheme: str
) -> None:
    signature = bytes(range(64))
    by_metadata = runtime.compose(
        "PayStream",
        "submit",
        {
            "grant": grant,
            "order": order_value(order),
            "signature": {scheme.capitalize(): "0x" + signature.hex()},
        },
    )
    assert calls.submit(grant, order, signature, scheme) == by_metadata
    assert encode_order(order) in by_metadata


def test_an_open_of_before_is_encoded_as_the_first_release_says(runtime: Runtime) -> None:
    raw = lzma.decompress(FIRST_RELEASE.read_bytes())
    older = Runtime("0x" + raw.hex(), "paystream", 1, 1)
    assert older.constants.tick_price_max is None
    assert runtime.constants.tick_price_max == 10 * runtime.constants.existential_deposit
    order = Open(index=1, stream=2, rate_per_second=3, funds=4, start_at=5, tick_price_max=None)
    value = order_value(order)
    del value["Open"]["tick_price_max"]
    signature = bytes(64)
    by_metadata = older.compose(
        "PayStream",
        "submit",
        {"grant": 6, "order": value, "signature": {"Sr25519": "0x" + signature.hex()}},
    )
    assert Calls(lambda: older).submit(6, order, signature, "sr25519") == by_metadata


@given(
    given=st.lists(st.tuples(u64, orders), min_size=1, max_size=5),
    scheme=st.sampled_from(["sr25519", "ed25519"]),
)
def test_a_batch_is_encoded_as_the_metadata_says(
    runtime: Runtime, calls: Calls, given: list[tuple[int, Order]], scheme: str
) -> None:
    by_place = {
        (grant, order.index): SignedOrder(
            grant=grant, order=order, signature=bytes(range(64)), scheme=scheme
        )
        for grant, order in given
    }
    batch = [by_place[place] for place in sorted(by_place)]
    by_metadata = runtime.compose(
        "PayStream",
        "submit_batch",
        {
            "orders": [
                {
                    "grant": signed.grant,
                    "order": order_value(signed.order),
                    "signature": {scheme.capitalize(): "0x" + signed.signature.hex()},
                }
                for signed in batch
            ]
        },
    )
    assert calls.submit_batch(list(reversed(batch))) == by_metadata


def test_a_batch_that_cannot_be_is_refused_before_it_is_sent(
    runtime: Runtime, calls: Calls
) -> None:
    one = SignedOrder(grant=1, order=Tick(index=1, seconds=5), signature=bytes(64))
    with pytest.raises(OrderInvalid, match="0 orders"):
        calls.submit_batch([])
    with pytest.raises(OrderInvalid, match="same session"):
        calls.submit_batch([one, one])
    many = [
        SignedOrder(grant=number, order=one.order, signature=bytes(64))
        for number in range(runtime.constants.batch_orders_max + 1)
    ]
    with pytest.raises(OrderInvalid, match=f"1 to {runtime.constants.batch_orders_max}"):
        calls.submit_batch(many)


def test_a_storage_key_gives_its_keys_back(runtime: Runtime) -> None:
    for place in ((0, 0), (2**63 + 5, 2**31)):
        key = runtime.key("PayStream", "Sessions", *place)
        assert runtime.keys_of("PayStream", "Sessions", key) == place


def test_a_signature_that_is_none_is_refused(calls: Calls) -> None:
    with pytest.raises(OrderInvalid, match="signature"):
        calls.submit(1, Tick(index=0, seconds=1), b"short")
    with pytest.raises(OrderInvalid, match="signature"):
        calls.submit(1, Tick(index=0, seconds=1), bytes(64), "ecdsa")


def test_a_general_transaction_to_the_letter(runtime: Runtime, calls: Calls) -> None:
    call = calls.submit(1, Tick(index=0, seconds=6), bytes(64))
    extrinsic = general_v5(runtime, call)
    # version, extension version, immortal, nonce 0, tip 0, no metadata hash
    body = bytes.fromhex("450000000000") + call
    assert extrinsic == compact(len(body)) + body


def test_what_nobody_signs_is_other_bytes_at_each_block(runtime: Runtime, calls: Calls) -> None:
    call = calls.settle(8, 1)
    made = {
        mortal_general_v5(
            runtime,
            Context(genesis_hash=GENESIS, era_blocks=64, birth_number=number, birth_hash=BIRTH),
            call,
        )
        for number in (42, 43)
    }
    assert len(made) == 2, "a pool that has refused one of them takes the other"
    # as `general_v5`, but for the era
    body = bytes.fromhex("4500a502000000") + call
    assert compact(len(body)) + body in made


def test_what_the_extensions_add_to_the_letter(runtime: Runtime) -> None:
    context = Context(
        genesis_hash=GENESIS, nonce=3, tip=1, era_blocks=64, birth_number=42, birth_hash=BIRTH
    )
    explicit, implicit = extension_bytes(runtime, context)
    assert explicit.hex() == "a5020c0400"
    assert implicit.hex() == "0100000001000000" + "ab" * 32 + "cd" * 32 + "00"
    names = [extension.identifier for extension in runtime.extensions]
    assert names == [
        "AuthorizeCall",
        "CheckNonZeroSender",
        "CheckSpecVersion",
        "CheckTxVersion",
        "CheckGenesis",
        "CheckMortality",
        "CheckNonce",
        "CheckWeight",
        "ChargeTransactionPayment",
        "CheckMetadataHash",
        "WeightReclaim",
    ]


def test_an_unknown_extension_with_data_is_named() -> None:
    runtime = load()
    number = next(e.explicit_type for e in runtime.extensions if e.identifier == "CheckNonce")
    empty = next(e.explicit_type for e in runtime.extensions if e.identifier == "CheckWeight")
    context = Context(genesis_hash=GENESIS)
    before = extension_bytes(runtime, context)
    runtime.extensions += (Extension("Harmless", empty, empty),)
    assert extension_bytes(runtime, context) == before
    for unknown in (Extension("PayTwice", number, empty), Extension("PayTwice", empty, number)):
        runtime.extensions = (*load().extensions, unknown)
        with pytest.raises(UnknownExtension, match="'PayTwice'"):
            extension_bytes(runtime, context)


def test_a_known_extension_of_another_shape_is_named() -> None:
    runtime = load()
    genesis = next(e.implicit_type for e in runtime.extensions if e.identifier == "CheckGenesis")
    empty = next(e.explicit_type for e in runtime.extensions if e.identifier == "CheckWeight")
    runtime.extensions = (Extension("CheckNonce", genesis, empty),)
    with pytest.raises(UnknownExtension, match="'CheckNonce'"):
        extension_bytes(runtime, Context(genesis_hash=GENESIS))


@pytest.mark.parametrize(
    ("blocks", "birth", "encoded"),
    [(64, 42, "a502"), (32768, 20000, "4e9c"), (0, 7, "00"), (4, 5, "1100"), (65536, 16, "1f00")],
)
def test_eras_to_the_letter(blocks: int, birth: int, encoded: str) -> None:
    assert era(blocks, birth).hex() == encoded


@pytest.mark.parametrize("blocks", [1, 2, 3, 63, 131072, -64])
def test_an_era_that_is_none_is_refused(blocks: int) -> None:
    with pytest.raises(CallInvalid, match="power of two"):
        era(blocks, 0)


@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, "00"),
        (63, "fc"),
        (64, "0101"),
        (16383, "fdff"),
        (16384, "02000100"),
        (2**30 - 1, "feffffff"),
        (2**30, "0300000040"),
        (2**64 - 1, "13" + "ff" * 8),
    ],
)
def test_compact_numbers_to_the_letter(number: int, encoded: str) -> None:
    assert compact(number).hex() == encoded


@given(number=u128)
def test_compact_numbers_are_as_the_codec_says(runtime: Runtime, number: int) -> None:
    assert compact(number) == runtime.encode("Compact<u128>", number)


def test_a_signed_extrinsic(runtime: Runtime, calls: Calls) -> None:
    alice = dev_key("Alice")
    context = Context(genesis_hash=GENESIS, era_blocks=64, birth_number=42, birth_hash=BIRTH)
    call = calls.deposit(1)
    extrinsic = signed_v4(runtime, context, alice, call)
    explicit, implicit = extension_bytes(runtime, context)
    head = compact(len(extrinsic) - 2) + bytes([0x84, 0]) + alice.public_key + b"\x01"
    assert extrinsic.startswith(head)
    assert extrinsic.endswith(explicit + call)
    signature = extrinsic[len(head) : len(head) + 64]
    assert verify("sr25519", alice.public_key, call + explicit + implicit, signature)


def test_long_payloads_are_hashed(runtime: Runtime) -> None:
    call = runtime.compose("System", "remark", {"remark": "0x" + "07" * 300})
    context = Context(genesis_hash=GENESIS)
    payload = signed_payload(runtime, context, dev_key("Alice").address, call)
    explicit, implicit = extension_bytes(runtime, context)
    whole = call + explicit + implicit
    assert payload.message == hashlib.blake2b(whole, digest_size=32).digest()


def test_a_wallets_payload_to_the_letter(runtime: Runtime, calls: Calls) -> None:
    alice = dev_key("Alice")
    context = Context(
        genesis_hash=GENESIS, nonce=3, tip=1, era_blocks=64, birth_number=42, birth_hash=BIRTH
    )
    payload = signed_payload(runtime, context, alice.address, calls.deposit(1))
    assert payload.json == {
        "address": "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
        "blockHash": BIRTH,
        "blockNumber": "0x0000002a",
        "era": "0xa502",
        "genesisHash": GENESIS,
        "metadataHash": None,
        "method": "0x" + calls.deposit(1).hex(),
        "mode": 0,
        "nonce": "0x00000003",
        "signedExtensions": [extension.identifier for extension in runtime.extensions],
        "specVersion": "0x00000001",
        "tip": "0x00000000000000000000000000000001",
        "transactionVersion": "0x00000001",
        "version": 4,
    }
    signature = checked_signature(payload, "0x01" + alice.sign(payload.message).hex())
    assert signature in assemble(payload, signature)


def test_calls_name_what_does_not_fit(runtime: Runtime, calls: Calls) -> None:
    with pytest.raises(CallInvalid, match=r"no call PayStream\.nonsense"):
        runtime.compose("PayStream", "nonsense", {})
    with pytest.raises(CallInvalid, match="other arguments: account"):
        runtime.compose("PayStream", "claim", {"stream": 1, "account": 2})
    with pytest.raises(CallInvalid, match=r"PayStream\.claim does not fit"):
        calls.claim(-1)
    with pytest.raises(CallInvalid, match=r"PayStream\.deposit does not fit"):
        calls.deposit(2**128)
    with pytest.raises(WrongRuntime, match="no pallet Nonsense"):
        runtime.compose("Nonsense", "x", {})


def test_calls_are_read_back_as_they_were_meant(runtime: Runtime, calls: Calls) -> None:
    alice = dev_key("Alice")
    key = DelegateKey(scheme="ed25519", public=bytes(32))
    terms = Terms(
        rate_max_per_second=1,
        cap=2,
        sessions_max=3,
        gap_ms=4,
        expires_at=5,
        asset=9,
        tips_max=6,
        renewals_max=7,
    )
    tier = Tier(price=1, period_ms=2, discount=3)
    payee = Payee(account=alice.address, share=1_000_000)
    made = {
        "create_stream": calls.create_stream(rate_per_second=7, payees=[payee]),
        "update_stream": calls.update_stream(3, StreamChange(paused=True, payees=(payee,))),
        "grant": calls.grant(key, bytes(64), terms),
        "revoke": calls.revoke(8),
        "settle": calls.settle(8, 1),
        "end_stream": calls.end_stream(8),
        "withdraw": calls.withdraw(8, asset=2),
        "tip": calls.tip(1, 2, b"0x31"),
        "refund": calls.refund(1, alice.address, 2),
        "transfer_stream": calls.transfer_stream(1, alice.address),
        "set_tiers": calls.set_tiers(1, [tier]),
        "subscribe": calls.subscribe(1, tier, 4),
        "cancel_subscription": calls.cancel_subscription(1),
        "settle_subscription": calls.settle_subscription(1, alice.address),
        "enable_asset": calls.enable_asset(9, 10),
        "disable_asset": calls.disable_asset(9),
        "write_off_asset": calls.write_off_asset(None),
        "set_tick_price": calls.set_tick_price(None, 5),
        "set_treasury_share": calls.set_treasury_share(20_000),
        "set_stopped": calls.set_stopped(stopped=True),
    }
    read = {name: runtime.decode("Call", call) for name, call in made.items()}
    values = {
        name: {argument["name"]: argument["value"] for argument in call["call_args"]}
        for name, call in read.items()
    }
    assert {name: call["call_function"] for name, call in read.items()} == {n: n for n in made}
    assert values["create_stream"]["payees"] == [{"account": alice.address, "share": 1_000_000}]
    assert values["create_stream"]["gap_min_ms"] == runtime.constants.gap_min_ms
    assert values["update_stream"]["change"]["paused"] is True
    assert values["update_stream"]["change"]["rate_per_second"] is None
    assert values["grant"]["terms"]["asset"] == {"WithId": 9}
    assert values["grant"]["key"] == {"Ed25519": "0x" + "00" * 32}
    assert values["grant"]["terms"]["tips_max"] == 6
    assert values["grant"]["terms"]["renewals_max"] == 7
    assert values["withdraw"] == {"asset": {"WithId": 2}, "amount": 8}
    assert calls.tip(1, 2, b"0x31").endswith(b"\x100x31")  # text that looks like hex stays text
    assert values["refund"] == {"stream": 1, "viewer": alice.address, "amount": 2}
    assert values["subscribe"]["tier"] == {"price": 1, "period_ms": 2, "discount": 3}
    assert values["set_tiers"]["tiers"] == [values["subscribe"]["tier"]]
    assert values["write_off_asset"] == {"asset": "Native"}
    assert values["set_stopped"] == {"stopped": True}
    sudo = runtime.decode("Call", calls.as_operator(calls.set_treasury_share(20_000)))
    assert (sudo["call_module"], sudo["call_function"]) == ("Sudo", "sudo")
    assert sudo["call_args"][0]["value"]["call_function"] == "set_treasury_share"

    batch = runtime.decode(
        "Call", calls.deposit_and_grant(5, delegate_key(alice), bytes(64), terms)
    )
    assert (batch["call_module"], batch["call_function"]) == ("Utility", "batch_all")
    inner = [call["call_function"] for call in batch["call_args"][0]["value"]]
    assert inner == ["deposit", "grant"]


def test_errors_are_read_from_the_metadata(runtime: Runtime) -> None:
    names = [runtime.pallet_error(index)[0] for index in range(80)]
    index = names.index("VaultTooLow")
    assert "Deposit first" in runtime.pallet_error(index)[1]
    module = {"index": runtime.pallet_index, "error": f"0x{index:02x}000000"}
    error = runtime.dispatch_error({"Module": module}, " (block 7)")
    assert type(error) is by_name("VaultTooLow")
    assert isinstance(error, DispatchFailed)
    assert (error.module, error.name) == ("PayStream", "VaultTooLow")
    assert str(error).endswith("(block 7)")
    assert type(runtime.dispatch_error("BadOrigin")) is by_name("BadOrigin", "System")
    kind = runtime.type_string("sp_runtime", "DispatchError")
    assert runtime.decode(kind, bytes([7, 0])) == {"Token": "FundsUnavailable"}
    with pytest.raises(WrongRuntime, match="sp_runtime::Nothing"):
        runtime.type_string("sp_runtime", "Nothing")
    token = runtime.dispatch_error({"Token": "FundsUnavailable"})
    assert type(token) is by_name("FundsUnavailable", "Token")
    assert runtime.pallet_error(255)[0] == "error 255"


def test_every_error_of_the_pallet_says_a_remedy(runtime: Runtime) -> None:
    index = 0
    while not runtime.pallet_error(index)[0].startswith("error "):
        name, docs = runtime.pallet_error(index)
        assert re.search(r"[.:] ", docs), f"{name}: {docs}"
        index += 1
    assert index > 35


def test_what_came_of_a_batch(runtime: Runtime) -> None:
    names = [runtime.pallet_error(index)[0] for index in range(80)]
    raw = f"0x{names.index('AheadOfClock'):02x}000000"
    error = {"Module": {"index": runtime.pallet_index, "error": raw}}
    events = [
        ("OrderFailed", {"grant": 3, "index": 1, "error": error}),
        ("BatchDone", {"counted": 2, "free": 1, "failed": 1}),
    ]
    receipt = Receipt(
        tx_hash="0x01",
        block_hash="0x02",
        block_number=7,
        extrinsic_index=1,
        events=tuple(
            Event(pallet="PayStream", name=name, fields=fields, extrinsic_index=1)
            for name, fields in events
        ),
    )
    result = read_batch(runtime, receipt)
    assert (result.counted, result.free, list(result.failures)) == (2, 1, [(3, 1)])
    failure = result.failures[3, 1]
    assert type(failure) is by_name("AheadOfClock")
    assert "next block" in failure.docs
    assert "block 7" in str(failure)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda raw: raw.replace(b"PayStream", b"PayStroam"), "no pallet named PayStream"),
        (lambda raw: raw.replace(b"rate_per_second", b"rate_per_minute"), "create_stream"),
        (lambda raw: raw.replace(b"Sessions", b"Sassions"), "no storage PayStream.Sessions"),
        (lambda raw: raw.replace(b"MinTickSeconds", b"MinTickMinutes"), "MinTickSeconds"),
        (lambda raw: raw[:1000], "cannot be read"),
        (lambda raw: b"meta\x63" + raw[5:], "cannot be read"),
        (lambda _raw: b"", "cannot be read"),
    ],
)
def test_a_runtime_that_does_not_fit_is_named(change: Callable[[bytes], bytes], says: str) -> None:
    with pytest.raises(WrongRuntime, match=says) as raised:
        load(change, version=7)
    assert "paystream version 7" in str(raised.value)
    assert "install the release" in str(raised.value)


class RuntimeNode(FakeNode):
    """A node whose runtime can be replaced."""

    def __init__(self) -> None:
        super().__init__()
        self.version = 1
        self.metadata = "0x" + recorded().hex()
        self.genesis_hash = GENESIS
        self.answers = {
            "chain_getBlockHash": lambda _p: self.genesis_hash,
            "system_properties": lambda _p: {"tokenSymbol": "DOT", "tokenDecimals": [10]},
            "system_chain": lambda _p: "Test",
            "state_getRuntimeVersion": lambda _p: self._version(),
            "state_getMetadata": lambda _p: self.metadata,
            "state_subscribeRuntimeVersion": lambda _p: SUBSCRIBED,
            "state_unsubscribeRuntimeVersion": lambda _p: True,
        }

    def _version(self) -> dict[str, Any]:
        return {"specName": "other", "specVersion": self.version, "transactionVersion": 1}

    async def upgrade(self, metadata: bytes) -> None:
        self.version += 1
        self.metadata = "0x" + metadata.hex()
        await self.notify("state_subscribeRuntimeVersion", self._version())
        await trio.sleep(1)


async def test_the_client_follows_the_chains_upgrades(autojump_clock: MockClock) -> None:
    node = RuntimeNode()
    async with open_ledger("ws://node", connect=node.connect) as ledger:
        await trio.sleep(1)
        assert (ledger.spec_name, ledger.spec_version) == ("other", 1)
        assert (ledger.symbol, ledger.decimals, ledger.chain) == ("DOT", 10, "Test")
        await node.upgrade(recorded())
        assert ledger.spec_version == 2
        await node.upgrade(recorded().replace(b"PayStream", b"PayStroam"))
        with pytest.raises(WrongRuntime, match="other version 3"):
            await ledger.compose("PayStream", "claim", {"stream": 1})
        await node.upgrade(recorded())
        assert ledger.spec_version == 4
        await ledger.compose("PayStream", "claim", {"stream": 1})


async def test_a_chain_of_the_first_release_is_still_spoken_to(autojump_clock: MockClock) -> None:
    """It is watched, paid and claimed until it is upgraded; what came later it does not have."""
    node = RuntimeNode()
    node.metadata = "0x" + lzma.decompress(FIRST_RELEASE.read_bytes()).hex()
    async with open_ledger("ws://node", connect=node.connect) as ledger:
        await trio.sleep(1)
        assert await ledger.asset_entry(None) is None
        assert await ledger.tiers(1) == ()
        assert await ledger.subscription(1, dev_key("Bob").address) is None
        assert (await ledger.treasury_share(), await ledger.is_stopped()) == (0, False)
        assert ledger.constants.batch_orders_max > 0
        terms = Terms(rate_max_per_second=1, cap=2, sessions_max=3, gap_ms=4, expires_at=5)
        assert ledger.calls.grant(delegate_key(dev_key("Eve")), bytes(64), terms)
        with pytest.raises(CallInvalid, match=r"no call PayStream\.tip"):
            ledger.calls.tip(1, 1)
        tick = SignedOrder(grant=1, order=Tick(index=0, seconds=5), signature=bytes(64))
        with pytest.raises(WrongRuntime, match=r"no call PayStream\.submit_batch"):
            ledger.calls.submit_batch([tick])


async def test_another_chain_behind_the_same_address(autojump_clock: MockClock) -> None:
    node = RuntimeNode()
    async with open_ledger("ws://node", connect=node.connect) as ledger:
        await trio.sleep(1)
        node.genesis_hash = BIRTH
        await node.drop()
        await trio.sleep(1)
        with pytest.raises(ChainChanged, match=BIRTH):
            _ = ledger.spec_version


async def test_a_wrong_runtime_at_the_beginning(autojump_clock: MockClock) -> None:
    node = RuntimeNode()
    node.metadata = "0x" + recorded().replace(b"PayStream", b"PayStroam").hex()
    with pytest.raises(WrongRuntime, match="other version 1"):
        async with open_ledger("ws://node", connect=node.connect):
            pytest.fail("it does not fit")
