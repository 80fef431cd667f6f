"""Our own pages over the scripted relayer: a viewer who can pay, and a wallet."""

from __future__ import annotations

import json
from typing import Any

from streaming.clients import browser
from streaming.clients.browser import Wallet
from tests.http.fake_relayer import FakeRelayer, FakeSigner

WALLET = Wallet(FakeSigner.account, "test", FakeSigner().sign)
RATE = "1000"
FUNDS = "1000000000"


def before_pages() -> str:
    """What puts the wallet into each page, where no driver does it."""
    account = {"address": WALLET.address, "name": WALLET.name, "type": WALLET.type}
    accounts = json.dumps(json.dumps([account]))
    script = browser._WALLET_SCRIPT.read_text()
    return (
        f"window.paystreamAccounts = {accounts};\n"
        f'window.paystreamSign = async () => "0x" + "00".repeat(64);\n{script}'
    )


def serves_pages(relayer: FakeRelayer) -> None:
    """The relayer answers what the pages ask besides: terms that are payable, and the session."""
    unit = {"asset": "native", "symbol": "UNIT", "decimals": 12}
    stream = {
        "id": 1, "owner": WALLET.address, "rate_per_second": RATE, "status": "active",
        "funds_min": "0", "gap_min_ms": 0, "earned": "0", "earned_total": "0", "seconds": 0, **unit,
    }  # fmt: skip
    grant = {
        "id": 1, "cap_left": FUNDS, "rate_max_per_second": RATE, "sessions_max": 2,
        "expires_at": 4_102_444_800_000, "sessions_open": 0,
    }  # fmt: skip
    needs = {"deposit": "0", "cap": "0", "rate_max_per_second": RATE, "gap_ms": 120_000}
    terms = {
        "genesis_hash": "0x00", "stream": 1, "rate_per_second": RATE, "viewer": WALLET.address,
        "delegate": "0x" + "d1" * 32, "vault": FUNDS, "grant": grant, "free_balance": FUNDS,
        "missing": [], "needs": needs, "payable": True, **unit,
    }  # fmt: skip

    def session(params: dict[str, Any]) -> dict[str, Any]:
        delivered_ms = relayer.delivered_ms()
        return {
            "grant": params["grant"], "index": params["index"], "stream": 1,
            "viewer": WALLET.address, "rate_per_second": RATE,
            "status": "closed" if relayer.finals else "open", "delivered_ms": delivered_ms,
            "paid_seconds": delivered_ms // 1000, "paid": str(delivered_ms), "vault": FUNDS,
            "runway_seconds": 1_000_000, "ticks": 1, **unit,
        }  # fmt: skip

    relayer.answers |= {
        "stream": lambda _p: stream,
        "streams": lambda _p: {"streams": [stream]},
        "terms": lambda _p: terms,
        "session": session,
        "sessions": lambda _p: {"sessions": []},
        "close_session": session,
    }
