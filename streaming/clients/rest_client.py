"""The server's REST API as a typed client, for our own publisher, viewer and command line."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp

from streaming import payment_auth
from streaming.clients.signer import Signer
from streaming.payment_auth import PaymentAuthInvalid, Receipt

TIMEOUT_S = 20.0
_MIME_SDP = "application/sdp"


class ClientError(Exception):
    """Something a person can mend; the text says what and how.

    `code` is a stable word for programs, `status` the HTTP status if there was one, `terms`
    what a 402 named.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "client-error",
        status: int | None = None,
        terms: dict[str, Any] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.terms = terms
        self.retry_after_s = retry_after_s


class RestClient:
    """One server's API. An async context manager; every method raises `ClientError`."""

    def __init__(self, server: str) -> None:
        self.server = server.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        json: Any = None,
        data: str | None = None,
        headers: dict[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> tuple[int, dict[str, str], Any]:
        """Status, headers and body (JSON, or text) of one request.

        Raises `ClientError` for every status from 400 on, and if the server is not reached
        (code `server-unreachable`).
        """
        if self._session is None:
            raise RuntimeError("use the client as a context manager")
        all_headers = dict(headers or {})
        if token is not None:
            all_headers["Authorization"] = f"Bearer {token}"
        if data is not None:
            all_headers["Content-Type"] = _MIME_SDP
        options: dict[str, Any] = {}
        if timeout_s is not None:
            options["timeout"] = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._session.request(
                method, self.server + path, json=json, data=data, headers=all_headers, **options
            ) as response:
                body: Any
                if "json" in response.content_type:
                    body = await response.json(content_type=None)
                else:
                    body = await response.text()
                if response.status >= 400:
                    raise _error_of(response.status, response.headers.get("Retry-After"), body)
                return response.status, dict(response.headers), body
        except TimeoutError:
            raise ClientError(
                f"the media server at {self.server} does not answer in time; try again",
                code="server-slow",
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise ClientError(
                f"the media server at {self.server} cannot be reached ({_words(error)}); "
                "is `paystream serve` running there?",
                code="server-unreachable",
            ) from None
        except ValueError:
            raise ClientError(
                f"{self.server} answered something that is not JSON; is it `paystream serve`?",
                code="not-paystream",
            ) from None

    def path_of(self, location: str | None) -> str | None:
        """The path of a resource that the server named, as `call` takes it: the server's address
        may itself have a path, as that of one chain of several has."""
        return None if location is None else location.removeprefix(urlsplit(self.server).path)

    async def info(self) -> dict[str, Any]:
        """Chain, token and limits."""
        return await self._json("GET", "/api/v1/info")

    async def health(self, timeout_s: float = 1.0) -> dict[str, Any]:
        """`boot_id` of the server and whether it has its relayer."""
        return await self._json("GET", "/healthz", timeout_s=timeout_s)

    async def stream(self, stream: int) -> dict[str, Any]:
        """Price and live state of a stream."""
        return await self._json("GET", f"/api/v1/streams/{stream}")

    async def connection(self, resource: str) -> dict[str, Any]:
        """Whether media flows to a viewer's connection, and if not, why."""
        return await self._json("GET", resource)

    async def choose_sound(self, resource: str) -> None:
        """Go on with sound, and pay for it, where the path carries no picture."""
        await self._json("POST", f"{resource}/sound", json={"sound_alone": True})

    async def authenticate(self, purpose: str, signer: Signer, stream: int | None = None) -> str:
        """A token for `purpose` (`watch`, or `publish` with its stream), for one signature."""
        return str((await self.sign_in(purpose, signer, stream))["token"])

    async def sign_in(
        self, purpose: str, signer: Signer, stream: int | None = None
    ) -> dict[str, Any]:
        """The same with what it is: `token`, `purpose`, `account` and `expires_at_ms`."""
        asked: dict[str, Any] = {"account": signer.account, "purpose": purpose}
        if stream is not None:
            asked["stream"] = stream
        challenge = await self._json("POST", "/api/v1/challenge", json=asked)
        signature = await asyncio.to_thread(signer.sign, str(challenge["message"]).encode())
        return await self._json(
            "POST",
            "/api/v1/token",
            json={"challenge": challenge["challenge"], "signature": "0x" + signature.hex()},
        )

    async def terms(self, token: str, stream: int) -> dict[str, Any]:
        """What watching a stream costs this token's account, and what is missing for it."""
        return await self._json("GET", f"/api/v1/streams/{stream}/terms", token=token)

    async def wallet_prepare(
        self, call: dict[str, Any], *, token: str | None = None, account: str | None = None
    ) -> dict[str, Any]:
        """The payload that a wallet is to sign for `call`, and its submission id."""
        asked: dict[str, Any] = {"call": call}
        if account is not None:
            asked["account"] = account
        return await self._json("POST", "/api/v1/wallet/prepare", token=token, json=asked)

    async def wallet_submit(self, submission: str, signature: bytes) -> dict[str, Any]:
        """Hand in the signature of a prepared payload."""
        return await self._json(
            "POST",
            "/api/v1/wallet/submit",
            json={"submission": submission, "signature": "0x" + signature.hex()},
        )

    async def wallet_status(self, submission: str) -> dict[str, Any]:
        """Where a submission is: `waiting`, `in_block`, `finalized` or `failed`."""
        return await self._json("GET", f"/api/v1/wallet/{submission}")

    async def session(self, token: str, session: str) -> dict[str, Any]:
        """One session (`grant-index`) of this token's account, as the ledger has it."""
        return await self._json("GET", f"/api/v1/sessions/{session}", token=token)

    async def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        _, _, body = await self.call(method, path, **options)
        if not isinstance(body, dict):
            raise ClientError(
                f"{self.server}{path} answered no JSON object; is it `paystream serve`?",
                code="not-paystream",
            )
        return body


def receipt_of(headers: Mapping[str, str]) -> Receipt | None:
    """What the server says of a session that it has opened; None where it says nothing.

    `spent` is what had been paid by then, in the smallest unit of `currency`: of a session that is
    new, nothing yet. Raises `ClientError` (code `receipt-invalid`).
    """
    shown = headers.get("Payment-Receipt")
    if shown is None:
        return None
    try:
        return payment_auth.read_receipt(shown)
    except PaymentAuthInvalid as error:
        raise ClientError(
            f"the server's receipt cannot be read ({error}); is it `paystream serve`?",
            code="receipt-invalid",
        ) from None


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _error_of(status: int, retry_after: str | None, body: Any) -> ClientError:
    seconds: float | None = None
    if retry_after is not None and retry_after.isdigit():
        seconds = float(retry_after)
    if isinstance(body, dict) and "detail" in body:
        return ClientError(
            str(body["detail"]),
            code=str(body.get("code", f"http-{status}")),
            status=status,
            terms=body.get("terms"),
            retry_after_s=seconds,
        )
    return ClientError(
        f"the server answered {status}", code=f"http-{status}", status=status, retry_after_s=seconds
    )
