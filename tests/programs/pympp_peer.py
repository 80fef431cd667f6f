"""pympp (PyPI), unmodified: it watches with a method of ours, and reads what the server says.

`python pympp_peer.py URL TOKEN`, with `.programs` on the path; one JSON object on standard output.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import httpx
from mpp import Challenge, Credential, Receipt
from mpp.client import ClientMethod, CredentialParams, Method, Mpp
from pydantic import BaseModel

SDP = {"Content-Type": "application/sdp"}


class Asked(BaseModel):
    """What the method's challenges ask for."""

    amount: str
    currency: str


class Proof(BaseModel):
    """What its credentials carry."""

    token: str


async def main(url: str, token: str) -> dict[str, Any]:
    """Watch, and say what was read."""
    seen: dict[str, Any] = {}

    async def create(params: CredentialParams) -> str:
        challenge = params.challenge
        seen["challenge"] = {
            "id": challenge.id,
            "realm": challenge.realm,
            "method": challenge.method,
            "intent": challenge.intent,
            "expires": challenge.expires,
            "description": challenge.description,
            "request": challenge.request,
        }
        made = Credential(challenge=challenge.to_echo(), payload={"token": token})
        seen["authorization"] = made.to_authorization()
        return seen["authorization"]

    method = Method(name="paystream", intent="session", request_model=Asked, payload_model=Proof)
    ours = ClientMethod(method=method, create_credential=create)
    async with Mpp(methods=[ours]) as mpp:
        response = await mpp.fetch(url, method="POST", headers=SDP, content="v=0")
    seen["status"] = response.status_code
    receipt = Receipt.from_payment_receipt(response.headers["payment-receipt"])
    seen["receipt"] = {
        "status": receipt.status,
        "method": receipt.method,
        "reference": receipt.reference,
        "timestamp": receipt.timestamp.isoformat(),
        **(receipt.extensions or {}),
    }
    async with httpx.AsyncClient() as plain:
        headers = {**SDP, "Accept-Payment": "paystream/*"}
        refused = await plain.post(url, headers=headers, content="v=0")
    again = Challenge.from_www_authenticate(refused.headers["www-authenticate"])
    seen["again"] = {"id": again.id, "realm": again.realm, "expires": again.expires}
    seen["read"] = Credential.from_authorization(seen["authorization"]).payload
    made = Challenge.create(
        secret_key="of the test",
        realm="live.example",
        method="paystream",
        intent="session",
        request={"currency": "native", "amount": "1", "methodDetails": {"b": [1, True], "a": "é"}},
        expires="2030-01-31T12:00:00Z",
    )
    seen["shown"] = made.to_www_authenticate("live.example")
    return seen


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(*sys.argv[1:3]))) + "\n")
