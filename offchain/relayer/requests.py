"""The questions of the media server, each checked before anything is done with it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import trio

from offchain.journal import JournalError
from offchain.journal.records import TokenRecord
from offchain.keys.keystore import KeystoreError
from offchain.ledger.errors import LedgerError
from offchain.ledger.tables import Names
from offchain.ledger.types import Currency, Stream
from offchain.relayer import readiness
from offchain.relayer.admission import Admission, Told
from offchain.relayer.chain import bounded
from offchain.relayer.core import Core
from offchain.relayer.delegates import Delegates
from offchain.relayer.development import DevelopmentAccounts
from offchain.relayer.health import health
from offchain.relayer.listing import Listing
from offchain.relayer.params import (
    STREAMS_LISTED_MAX,
    AdmitParams,
    ChallengeParams,
    DevelopmentSignParams,
    NoParams,
    PrepareParams,
    RenewParams,
    SessionParams,
    StreamParams,
    StreamsParams,
    SubmissionParams,
    SubmitParams,
    TermsParams,
    TokenParams,
)
from offchain.relayer.problems import (
    Refused,
    chain_unavailable,
    journal_unavailable,
    keys_unavailable,
)
from offchain.relayer.submit import deny
from offchain.relayer.terms import tier_json
from offchain.relayer.tokens import Tokens, read_account
from offchain.relayer.wallet import Wallet, read_amount
from offchain.relayer.wallet_money import asset_json
from streaming.session_state import Problem, Request, Response

log = logging.getLogger("paystream.relay.requests")


class Requests:
    """Answers requests; every mishap becomes a `Problem`."""

    def __init__(
        self,
        core: Core,
        *,
        tokens: Tokens,
        delegates: Delegates,
        admission: Admission,
        wallet: Wallet,
    ) -> None:
        self._core = core
        self._tokens = tokens
        self._delegates = delegates
        self._admission = admission
        self._wallet = wallet
        self._listing = Listing(core)
        self._methods: dict[str, tuple[type[Any], Callable[..., Awaitable[dict[str, Any]]]]] = {
            "info": (NoParams, self._info),
            "challenge": (ChallengeParams, self._challenge),
            "token": (TokenParams, self._token),
            "renew": (RenewParams, self._renew),
            "streams": (StreamsParams, self._streams),
            "stream": (StreamParams, self._stream),
            "terms": (TermsParams, self._terms),
            "watch": (TermsParams, self._watch),
            "admit": (AdmitParams, self._admit),
            "publish": (TermsParams, self._publish),
            "wallet_prepare": (PrepareParams, self._wallet_prepare),
            "wallet_submit": (SubmitParams, self._wallet_submit),
            "wallet_status": (SubmissionParams, self._wallet_status),
            "sessions": (RenewParams, self._sessions),
            "session": (SessionParams, self._session),
            "close_session": (SessionParams, self._close_session),
            "status": (NoParams, self._status),
            "development_sign": (DevelopmentSignParams, self._development_sign),
        }
        self._development: DevelopmentAccounts | None = None

    def allow_development_accounts(self) -> None:
        """Sign as the development accounts for whoever asks; `development.check` comes first."""
        self._development = DevelopmentAccounts(self._wallet)

    async def answer(self, request: Request, origin: str) -> Response:
        """Answer one request of the server whose public origin is `origin`. Never raises."""
        try:
            kind, method = self._methods[request.method]
        except KeyError:
            known = ", ".join(sorted(self._methods))
            problem = Problem(
                status=400,
                code="method-unknown",
                detail=f"{request.method[:60]!r} is no request: there are {known}",
            )
            return Response(id=request.id, problem=problem)
        try:
            params = msgspec.convert(request.params, type=kind, strict=True)
            await self._place(params)
            arguments = (params, origin) if request.method == "challenge" else (params,)
            return Response(id=request.id, result=await method(*arguments))
        except msgspec.ValidationError as error:
            return Response(id=request.id, problem=_invalid(str(error)))
        except Refused as refused:
            return Response(id=request.id, problem=refused.problem)
        except LedgerError as error:
            log.warning("event=request-failed method=%s why=%r", request.method, str(error))
            return Response(id=request.id, problem=chain_unavailable().problem)
        except JournalError as error:
            log.warning("event=request-failed method=%s why=%r", request.method, str(error))
            return Response(id=request.id, problem=journal_unavailable().problem)
        except KeystoreError as error:
            log.warning("event=request-failed method=%s why=%r", request.method, str(error))
            return Response(id=request.id, problem=keys_unavailable().problem)

    async def _place(self, params: Any) -> None:
        """Let a request be answered where its viewer is held. Raises Refused elsewhere."""
        tenure = self._core.tenure
        if tenure.alone:
            return
        token = getattr(params, "token", None)
        if token is not None:
            known = await self._tokens.look_up(token, self._core.steady_ms())
            if known is not None and known.purpose == "watch":
                await tenure.claim(known.account)
        elif isinstance(params, ChallengeParams | PrepareParams) and params.account is not None:
            await tenure.visit(read_account(params.account))

    # --- signing in --------------------------------------------------------------------------

    async def _info(self, _params: NoParams) -> dict[str, Any]:
        core = self._core
        return {
            "genesis_hash": core.chain.genesis_hash,
            "chain": core.chain.chain,
            "spec_version": core.chain.spec_version,
            "symbol": core.chain.symbol,
            "decimals": core.chain.decimals,
            "ss58_prefix": core.chain.ss58_format,
            "head_start_max_ms": core.limits.head_start_max_ms,
            "cadence_ms": core.cadence_ms,
            "finalized_block": core.view.finalized.number if core.view.finalized else None,
            "best_block": core.view.best.number if core.view.best else None,
            **(
                {}
                if self._development is None
                else {"development_accounts": self._development.listed()}
            ),
        }

    async def _challenge(self, params: ChallengeParams, origin: str) -> dict[str, Any]:
        account = read_account(params.account)
        delegate = None
        if params.purpose == "watch":
            delegate = "0x" + (await self._delegates.offer(account)).hex()
        elif params.stream is None:
            raise Refused(
                400, "stream-missing", "name the stream that is to be published", field="stream"
            )
        else:
            await self._owned(account, params.stream)
        name, challenge = self._tokens.challenge(
            purpose=params.purpose,
            account=account,
            origin=origin,
            stream=params.stream if params.purpose == "publish" else None,
            delegate=delegate,
            now_ms=self._core.steady_ms(),
        )
        answer: dict[str, Any] = {
            "challenge": name,
            "message": challenge.message,
            "expires_at_ms": challenge.expires_at_ms,
        }
        if delegate is not None:
            answer["delegate"] = delegate
        return answer

    async def _owned(self, account: str, stream: int) -> Stream:
        entry = await self._admission.stream(stream)
        if entry.owner != account:
            raise Refused(
                403,
                "not-owner",
                f"{account} does not own stream {stream}: sign with {entry.owner}",
                field="account",
            )
        return entry

    async def _token(self, params: TokenParams) -> dict[str, Any]:
        now_ms = self._core.steady_ms()
        challenge = self._tokens.redeem(params.challenge, params.signature, now_ms)
        if challenge.purpose == "publish" and challenge.stream is not None:
            await self._owned(challenge.account, challenge.stream)
        else:
            await self._core.tenure.claim(challenge.account)
            await self._delegates.current(challenge.account)
        token, record = await self._tokens.issue(challenge, now_ms)
        return {"token": token, **_token_json(record)}

    async def _renew(self, params: RenewParams) -> dict[str, Any]:
        record = await self._tokens.renew(params.token, self._core.steady_ms())
        return {"token": params.token, **_token_json(record)}

    # --- streams -----------------------------------------------------------------------------

    async def _streams(self, params: StreamsParams) -> dict[str, Any]:
        owner = None if params.owner is None else read_account(params.owner, "owner")
        streams = await self._meant(params.ids)
        behind = sorted(
            number
            for number, entry in streams.items()
            if number > params.after and (owner is None or entry.owner == owner)
        )
        shown = behind[: min(max(params.limit, 1), STREAMS_LISTED_MAX)]
        return {
            "streams": [await self._stream_json(number, streams[number]) for number in shown],
            "next": shown[-1] if len(shown) < len(behind) else None,
        }

    async def _meant(self, ids: frozenset[int] | None) -> dict[int, Stream]:
        """Read streams of these numbers, which costs as much as they are many, or all."""
        chain = self._core.chain
        if ids is None:
            return await bounded(chain.streams())
        names = Names()
        names.streams.update(ids)
        found = (await bounded(chain.tables(names))).streams if ids else {}
        return {number: entry for number, entry in found.items() if entry is not None}

    async def _stream(self, params: StreamParams) -> dict[str, Any]:
        entry = await self._admission.stream(params.stream)
        tiers = await bounded(self._core.chain.tiers(params.stream))
        described = await self._stream_json(params.stream, entry)
        return {**described, "tiers": [tier_json(tier) for tier in tiers]}

    async def _stream_json(self, number: int, entry: Stream) -> dict[str, Any]:
        return stream_json(number, entry, await self._core.currency(entry.asset))

    async def _terms(self, params: TermsParams) -> dict[str, Any]:
        token = self._tokens.check(params.token, "watch", self._core.steady_ms())
        return await self._admission.terms(token, params.stream)

    async def _watch(self, params: TermsParams) -> dict[str, Any]:
        """Tell that a token may ask to watch a stream. Changes nothing, and seldom asks the chain:
        it comes before the offer is even read."""
        self._tokens.check(params.token, "watch", self._core.steady_ms())
        if params.stream not in self._core.book.wanted.published:
            await self._admission.stream(params.stream)
        return {"stream": params.stream}

    async def _admit(self, params: AdmitParams) -> dict[str, Any]:
        token = self._tokens.check(params.token, "watch", self._core.steady_ms())
        told = Told(
            rate_per_second=_optional(params.rate_max_per_second, "rate_max_per_second"),
            tick_price=_optional(params.tick_price_max, "tick_price_max"),
        )
        began, outcome = trio.current_time(), "failed"
        try:
            answer = await self._admission.admit(
                token, params.stream, params.resume, renew=params.renew, told=told
            )
            outcome = "resumed" if answer["resumed"] else "admitted"
        except Refused as refused:
            outcome = refused.problem.code
            raise
        finally:
            if self._core.on_admission is not None:
                self._core.on_admission(outcome, trio.current_time() - began)
        return answer

    async def _publish(self, params: TermsParams) -> dict[str, Any]:
        token = self._tokens.check(params.token, "publish", self._core.steady_ms())
        if token.stream != params.stream:
            raise Refused(
                403,
                "wrong-stream",
                f"this token publishes stream {token.stream}, not {params.stream}: sign in to "
                "publish that one",
                field="stream",
            )
        entry = await self._owned(token.account, params.stream)
        if entry.status == "Ended":
            raise Refused(
                410, "stream-ended", f"stream {params.stream} has ended for good", field="stream"
            )
        self._core.view.streams.setdefault(params.stream, entry)  # a block that was read counts
        self._core.book.wanted.publish(params.stream)
        return {"stream": params.stream, "rate_per_second": str(entry.rate_per_second)}

    # --- wallets -----------------------------------------------------------------------------

    async def _wallet_prepare(self, params: PrepareParams) -> dict[str, Any]:
        if params.token is not None:
            account = self._tokens.check(params.token, None, self._core.steady_ms()).account
        elif params.account is not None:
            account = read_account(params.account)
        else:
            raise Refused(400, "account-missing", "name the account that signs", field="account")
        has_signed_in = params.token is not None
        return await self._wallet.prepare(account, params.call, has_signed_in=has_signed_in)

    async def _wallet_submit(self, params: SubmitParams) -> dict[str, Any]:
        if len(params.signature) > 512:
            raise Refused(
                400, "signature-invalid", "the signature is too long: give the wallet's 0x-hex",
                field="signature",
            )  # fmt: skip
        return self._wallet.submit(params.submission, params.signature)

    async def _wallet_status(self, params: SubmissionParams) -> dict[str, Any]:
        return self._wallet.status(params.submission)

    async def _development_sign(self, params: DevelopmentSignParams) -> dict[str, Any]:
        if self._development is None:
            raise Refused(
                404,
                "not-development",
                "this relayer signs for nobody: sign with the account's wallet",
            )
        return {"signature": self._development.sign(params.account, params.kind, params.data)}

    # --- sessions ----------------------------------------------------------------------------

    async def _sessions(self, params: RenewParams) -> dict[str, Any]:
        token = self._tokens.check(params.token, None, self._core.steady_ms())
        return {"sessions": await self._listing.of(token)}

    async def _session(self, params: SessionParams) -> dict[str, Any]:
        token = self._tokens.check(params.token, None, self._core.steady_ms())
        return self._listing.describe(*await self._listing.find(token, params.grant, params.index))

    async def _close_session(self, params: SessionParams) -> dict[str, Any]:
        token = self._tokens.check(params.token, None, self._core.steady_ms())
        record, live = await self._listing.find(token, params.grant, params.index)
        if token.purpose != "watch":
            raise Refused(
                403, "wrong-purpose", "only the viewer closes a session: sign in to watch"
            )
        if live is not None and (live.lapse is not None or not live.done):
            deny(live, "session-closed", trio.current_time())
            live.hurried = True
            self._core.submit_bell.ring()
            record = live.record
        return self._listing.describe(record, live)

    # --- health ------------------------------------------------------------------------------

    async def _status(self, _params: NoParams) -> dict[str, Any]:
        # a media server asks, so one is linked
        return health(self._core) | {"failing": readiness.failing(self._core, linked=True)}


def _optional(text: str | None, field: str) -> int | None:
    return None if text is None else read_amount(text, field)


def _token_json(record: TokenRecord) -> dict[str, Any]:
    return {
        "purpose": record.purpose,
        "account": record.account,
        "expires_at_ms": record.expires_at_ms,
    }


def _invalid(text: str) -> Problem:
    """Turn msgspec's message into a problem that names the field."""
    what, _, where = text.partition(" - at `$.")
    field = where.rstrip("`") or None
    if field is None and "missing required field" in what:
        field = what.rsplit("`", 2)[-2]
    return Problem(status=400, code="invalid-params", detail=text, field=field)


def stream_json(number: int, entry: Stream, currency: Currency) -> dict[str, Any]:
    """Describe a stream in JSON: amounts are decimal text."""
    return {
        "id": number,
        "owner": entry.owner,
        **asset_json(currency),
        "rate_per_second": str(entry.rate_per_second),
        "status": entry.status,
        "funds_min": str(entry.funds_min),
        "gap_min_ms": entry.gap_min_ms,
        "earned_total": str(entry.earned_total),
        "earned": str(entry.earned),
        "tips_total": str(entry.tips_total),
        "subscriptions_open": entry.subscriptions_open,
        "seconds": entry.seconds,
        "sessions_open": entry.sessions_open,
        "payees": [{"account": payee.account, "share_ppm": payee.share} for payee in entry.payees],
    }
