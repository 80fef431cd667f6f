"""Who asks: challenges that a wallet signs, and the tokens that it gets for them.

A challenge is text that a person can read, over origin, chain, account, delegate or stream, nonce
and expiry. Of tokens only digests are kept. Watch and publish tokens are told apart by their first
letters and by what is stored, so neither passes for the other.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import Final, Literal, TypeAlias

import msgspec

from offchain.journal import Journal, JournalUnavailable, drop_tokens, put_token
from offchain.journal_schema import TokenRecord
from offchain.keys.signer import verify
from offchain.ledger.types import AddressInvalid, account_id, address
from offchain.relayer.problems import Refused, journal_unavailable
from offchain.relayer.sessions import digest

TOKEN_LIFETIME_MS: Final = 12 * 3600 * 1000
CHALLENGE_LIFETIME_MS: Final = 5 * 60 * 1000
CHALLENGES_MAX: Final = 4096
CHALLENGES_PER_ACCOUNT_MAX: Final = 8
TOKENS_MAX: Final = 100_000
TOKEN_CHARS_MAX: Final = 128
ACCOUNT_CHARS_MAX: Final = 128
SIGNATURE_CHARS_MAX: Final = 512
PREFIXES: Final = {"watch": "psw_", "publish": "psp_"}

Purpose: TypeAlias = Literal["watch", "publish"]


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """Text that waits for its account's signature."""

    id: str
    purpose: Purpose
    account: str
    stream: int | None
    message: str
    expires_at_ms: int


def read_account(text: str) -> str:
    """Give an account's address in this chain's format. Raises Refused."""
    with suppress(AddressInvalid):
        if len(text) <= ACCOUNT_CHARS_MAX:
            return address(text)
    raise Refused(
        400,
        "account-invalid",
        "the account is no SS58 address: copy it from the wallet",
        field="account",
    )


class Tokens:
    """Challenges in memory, tokens in the journal."""

    def __init__(self, journal: Journal, genesis_hash: str) -> None:
        self._journal = journal
        self._genesis_hash = genesis_hash
        self._challenges: dict[str, Challenge] = {}
        self._tokens: dict[bytes, TokenRecord] = {}
        self._publishers: dict[int, bytes] = {}

    def restore(self, tokens: list[TokenRecord]) -> None:
        """Take over what the journal holds."""
        self._tokens = {token.digest: token for token in tokens}

    # --- challenges ----------------------------------------------------------------------

    def challenge(
        self,
        *,
        purpose: Purpose,
        account: str,
        origin: str,
        stream: int | None,
        delegate: str | None,
        now_ms: int,
    ) -> Challenge:
        """Make the text that `account` is to sign."""
        self._forget_challenges(account, now_ms)
        expires_at_ms = now_ms + CHALLENGE_LIFETIME_MS
        subject = f"Delegate key: {delegate}" if purpose == "watch" else f"Stream: {stream}"
        verb = "watch and pay by the second" if purpose == "watch" else "publish a stream"
        message = "\n".join(
            (
                f"PayStream: sign in to {verb}.",
                "This signature moves no money.",
                "",
                f"Origin: {origin}",
                f"Account: {account}",
                subject,
                f"Chain: {self._genesis_hash}",
                f"Nonce: {secrets.token_hex(16)}",
                f"Expires: {expires_at_ms} (unix ms)",
            )
        )
        challenge = Challenge(
            id=secrets.token_urlsafe(18),
            purpose=purpose,
            account=account,
            stream=stream,
            message=message,
            expires_at_ms=expires_at_ms,
        )
        self._challenges[challenge.id] = challenge
        return challenge

    def _forget_challenges(self, account: str, now_ms: int) -> None:
        kept = self._challenges
        for key in [key for key, known in kept.items() if known.expires_at_ms <= now_ms]:
            del kept[key]
        own = [key for key, known in kept.items() if known.account == account]
        for key in own[: max(0, len(own) - CHALLENGES_PER_ACCOUNT_MAX + 1)]:
            del kept[key]
        # the oldest give way: who floods must be quicker than people sign
        for key in list(kept)[: max(0, len(kept) - CHALLENGES_MAX + 1)]:
            del kept[key]

    def redeem(self, challenge: str, signature: str, now_ms: int) -> Challenge:
        """Check a challenge's signature; each is good for one token. Raises Refused."""
        known = self._challenges.get(challenge)
        if known is None or known.expires_at_ms <= now_ms:
            raise Refused(
                400,
                "challenge-unknown",
                "this challenge has expired or was used: ask for a new one and sign that",
                field="challenge",
            )
        if not signed_by(known.account, known.message, signature):
            raise Refused(
                401,
                "signature-invalid",
                f"the signature is not by {known.account} over the challenge's message: choose "
                "that account in the wallet and sign the message as it is",
                field="signature",
            )
        return known

    # --- tokens --------------------------------------------------------------------------

    async def issue(self, challenge: Challenge, now_ms: int) -> tuple[str, TokenRecord]:
        """Make the token of a redeemed challenge. Raises Refused."""
        if self._challenges.pop(challenge.id, None) is None:
            raise Refused(400, "challenge-unknown", "this challenge was used: ask for a new one")
        await self._forget_tokens(now_ms)
        token = PREFIXES[challenge.purpose] + secrets.token_urlsafe(32)
        record = TokenRecord(
            digest=digest(token),
            purpose=challenge.purpose,
            account=challenge.account,
            stream=challenge.stream,
            expires_at_ms=now_ms + TOKEN_LIFETIME_MS,
        )
        await self._keep(record)
        return token, record

    async def renew(self, token: str, now_ms: int) -> TokenRecord:
        """Prolong a token that has not expired. Raises Refused."""
        known = self.check(token, None, now_ms)
        record = msgspec.structs.replace(known, expires_at_ms=now_ms + TOKEN_LIFETIME_MS)
        await self._keep(record)
        return record

    async def _keep(self, record: TokenRecord) -> None:
        try:
            await self._journal.commit([put_token(record)])
        except JournalUnavailable:
            raise journal_unavailable() from None
        self._tokens[record.digest] = record

    async def _forget_tokens(self, now_ms: int) -> None:
        if len(self._tokens) < TOKENS_MAX // 2:
            return
        ended = [token for token in self._tokens.values() if token.expires_at_ms <= now_ms]
        for token in ended:
            del self._tokens[token.digest]
        if ended:
            await self._journal.commit([drop_tokens(now_ms)])
        if len(self._tokens) >= TOKENS_MAX:
            raise Refused(503, "too-many-tokens", "too many people are signed in: try again later")

    def check(self, token: str, purpose: Purpose | None, now_ms: int) -> TokenRecord:
        """Give what a token stands for. Raises Refused (401, or 403 for the other purpose)."""
        known = self._tokens.get(digest(token)) if len(token) <= TOKEN_CHARS_MAX else None
        if known is None:
            raise Refused(
                401, "token-invalid", "this token is not known here: sign in again", field="token"
            )
        if known.expires_at_ms <= now_ms:
            raise Refused(
                401, "token-expired", "this token has expired: sign in again", field="token"
            )
        if purpose is not None and known.purpose != purpose:
            raise Refused(
                403,
                "wrong-purpose",
                f"this is a {known.purpose} token, and a {purpose} token is needed: sign in to "
                f"{purpose}",
                field="token",
            )
        return known

    def by_digest(self, token_digest: bytes, now_ms: int) -> TokenRecord:
        """Give the token that admitted a session. Raises Refused where it has ended."""
        known = self._tokens.get(token_digest)
        if known is None or known.expires_at_ms <= now_ms:
            raise Refused(401, "token-expired", "this token has expired: sign in again")
        return known

    def ended(self, token_digest: bytes, now_ms: int) -> bool:
        """Tell whether the token that admitted a session has ended."""
        known = self._tokens.get(token_digest)
        return known is None or known.expires_at_ms <= now_ms

    def publishing(self, stream: int, token: TokenRecord) -> None:
        """Note which token publishes a stream."""
        self._publishers[stream] = token.digest

    def publisher_ended(self, stream: int, now_ms: int) -> bool:
        """Tell whether the token that publishes a stream has ended, where it is known."""
        token_digest = self._publishers.get(stream)
        return token_digest is not None and self.ended(token_digest, now_ms)


def signed_by(account: str, message: str, signature: str) -> bool:
    """Check a wallet's signature over a text, wrapped in `<Bytes>` as wallets do or not.

    Takes 64 bytes (sr25519 or ed25519), and 65 with the scheme in front. Never raises.
    """
    if len(signature) > SIGNATURE_CHARS_MAX:
        return False
    try:
        raw = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError:
        return False
    schemes = ["sr25519", "ed25519"]
    if len(raw) == 65 and raw[0] in (0, 1):
        schemes = ["ed25519" if raw[0] == 0 else "sr25519"]
        raw = raw[1:]
    public = account_id(account)
    text = message.encode()
    return any(
        _verifies(scheme, public, candidate, raw)
        for scheme in schemes
        for candidate in (text, b"<Bytes>" + text + b"</Bytes>")
    )


def _verifies(scheme: str, public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        return verify(scheme, public, message, signature)
    except Exception:  # the bindings raise kinds of their own for bytes that are no point
        return False
