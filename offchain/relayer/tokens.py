"""Who asks: challenges that a wallet signs, and the tokens that it gets for them.

A challenge is text that a person can read, over origin, chain, account, delegate or stream, nonce
and expiry. It is not stored: its id carries what it says, under a code that only this process can
make, so nobody who asks for many pushes out another's. Of tokens only digests are kept. Watch and
publish tokens are told apart by their first letters and by what is stored, so neither passes for
the other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, Literal, TypeAlias

import msgspec

from offchain.journal import Journal, JournalUnavailable, drop_tokens, put_token
from offchain.journal.records import TokenRecord
from offchain.keys.signer import verify
from offchain.ledger.types import AddressInvalid, account_id, address
from offchain.relayer.problems import Refused, journal_unavailable

TOKEN_LIFETIME_MS: Final = 12 * 3600 * 1000
CHALLENGE_LIFETIME_MS: Final = 5 * 60 * 1000
CHALLENGE_CHARS_MAX: Final = 2_048
TOKENS_MAX: Final = 100_000
SWEEP_EVERY_MS: Final = 60_000
"""What has ended is looked for so often: not with each viewer who signs in, among all of them."""
TOKEN_CHARS_MAX: Final = 128
STREAMS_AT_ONCE: Final = 500
ACCOUNT_CHARS_MAX: Final = 128
SIGNATURE_CHARS_MAX: Final = 512
PREFIXES: Final = {"watch": "psw_", "publish": "psp_"}

_TAGS: Final = ("00", "01")
"""First byte of a signature with its scheme in front: ed25519, sr25519. ECDSA has 02 there, or is
65 bytes long without."""
_ETHEREUM: Final = re.compile(r"0x[0-9a-fA-F]{40}")

Purpose: TypeAlias = Literal["watch", "publish"]


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """What an account is asked to sign."""

    purpose: Purpose
    account: str
    origin: str
    genesis_hash: str
    stream: int | None
    delegate: str | None
    nonce: str
    expires_at_ms: int

    @property
    def message(self) -> str:
        """The text to be signed."""
        watch = self.purpose == "watch"
        verb = "watch and pay by the second" if watch else "publish a stream"
        return "\n".join(
            (
                f"PayStream: sign in to {verb}.",
                "This signature moves no money.",
                "",
                f"Origin: {self.origin}",
                f"Account: {self.account}",
                f"Delegate key: {self.delegate}" if watch else f"Stream: {self.stream}",
                f"Chain: {self.genesis_hash}",
                f"Nonce: {self.nonce}",
                f"Expires: {self.expires_at_ms} (unix ms)",
            )
        )


def read_account(text: str, field: str = "account") -> str:
    """Give an account's address in this chain's format. Raises Refused, which names `field`."""
    if _ETHEREUM.fullmatch(text):
        raise Refused(
            400,
            "account-invalid",
            "this is an Ethereum address: choose an account of type sr25519 or ed25519 in the "
            "wallet (polkadot.js makes those by default), and send the money there",
            field=field,
        )
    with suppress(AddressInvalid):
        if len(text) <= ACCOUNT_CHARS_MAX:
            return address(text)
    raise Refused(
        400,
        "account-invalid",
        "the account is no SS58 address: copy it from the wallet",
        field=field,
    )


class Tokens:
    """Tokens in the journal, and of challenges only which were used."""

    def __init__(self, journal: Journal, genesis_hash: str) -> None:
        self._journal = journal
        self._genesis_hash = genesis_hash
        self._secret = secrets.token_bytes(32)
        self._used: dict[str, int] = {}
        """Nonces of challenges that gave a token, and when they expire."""
        self._tokens: dict[bytes, TokenRecord] = {}
        self._publishers: dict[int, bytes] = {}
        """Of each stream that may be published: the token that ends last."""
        self._swept_ms = 0

    def add(self, tokens: Iterable[TokenRecord]) -> None:
        """Take over what the journal holds."""
        for token in tokens:
            self._take(token)

    def _take(self, token: TokenRecord) -> None:
        self._tokens[token.digest] = token
        if token.stream is None:
            return
        known = self._tokens.get(self._publishers.get(token.stream, b""))
        if known is None or known.expires_at_ms <= token.expires_at_ms:
            self._publishers[token.stream] = token.digest

    async def look_up(self, token: str, now_ms: int) -> TokenRecord | None:
        """Find a token that another relayer has made or prolonged. Raises JournalError."""
        if len(token) > TOKEN_CHARS_MAX:
            return None
        known = self._tokens.get(digest(token))
        if known is None or known.expires_at_ms <= now_ms:
            await self._read(digest(token))
        return self._tokens.get(digest(token))

    async def read_publishers(self, streams: Iterable[int]) -> None:
        """Read the tokens that publish some streams: other relayers make and prolong them.

        Raises JournalError.
        """
        numbers = sorted(streams)
        for first in range(0, len(numbers), STREAMS_AT_ONCE):
            group = numbers[first : first + STREAMS_AT_ONCE]
            self.add(await self._journal.reading(self._journal.tokens_of_streams, group))

    async def _read(self, token_digest: bytes) -> None:
        found = await self._journal.reading(self._journal.token, token_digest)
        if found is not None:
            self._take(found)

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
    ) -> tuple[str, Challenge]:
        """Make a challenge that `account` is to sign: its id and what it says."""
        made = Challenge(
            purpose=purpose,
            account=account,
            origin=origin,
            genesis_hash=self._genesis_hash,
            stream=stream,
            delegate=delegate,
            nonce=secrets.token_hex(16),
            expires_at_ms=now_ms + CHALLENGE_LIFETIME_MS,
        )
        content = msgspec.json.encode(made)
        return base64.urlsafe_b64encode(self._code(content) + content).decode(), made

    def _code(self, content: bytes) -> bytes:
        return hmac.digest(self._secret, content, hashlib.sha256)

    def _opened(self, challenge: str) -> Challenge:
        """Read a challenge's id. Raises Refused where it was not made by this process."""
        with suppress(binascii.Error, ValueError, msgspec.MsgspecError):
            if len(challenge) <= CHALLENGE_CHARS_MAX:
                raw = base64.urlsafe_b64decode(challenge.encode("ascii"))
                if hmac.compare_digest(raw[:32], self._code(raw[32:])):
                    return msgspec.json.decode(raw[32:], type=Challenge)
        raise Refused(
            400,
            "challenge-unknown",
            "this challenge is not known here (the relayer may have started anew): ask for "
            "another and sign that",
            field="challenge",
        )

    def redeem(self, challenge: str, signature: str, now_ms: int) -> Challenge:
        """Check a challenge's signature; each is good for one token. Raises Refused."""
        known = self._opened(challenge)
        late_s = (now_ms - known.expires_at_ms) // 1000
        if late_s >= 0:
            raise Refused(
                400,
                "challenge-expired",
                f"the signature came {late_s} s too late: a challenge is good for "
                f"{CHALLENGE_LIFETIME_MS // 60_000} minutes. Ask for another and sign that",
                field="challenge",
            )
        if known.nonce in self._used:
            raise _challenge_used()
        if not signed_by(known.account, known.message, signature):
            raise _signature_invalid(known.account, signature)
        return known

    # --- tokens --------------------------------------------------------------------------

    async def issue(self, challenge: Challenge, now_ms: int) -> tuple[str, TokenRecord]:
        """Make the token of a redeemed challenge. Raises Refused."""
        if challenge.nonce in self._used:
            raise _challenge_used()
        self._used[challenge.nonce] = challenge.expires_at_ms
        if abs(now_ms - self._swept_ms) >= SWEEP_EVERY_MS:  # either way: clocks are set back
            self._swept_ms = now_ms
            await self._forget_ended(now_ms)
        if len(self._tokens) >= TOKENS_MAX:
            raise Refused(
                503,
                "too-many-tokens",
                f"{TOKENS_MAX} tokens are in use: try again in some minutes",
                retry_after_s=300,
            )
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
        self._take(record)

    async def _forget_ended(self, now_ms: int) -> None:
        for nonce in [nonce for nonce, until_ms in self._used.items() if until_ms <= now_ms]:
            del self._used[nonce]
        if len(self._tokens) < TOKENS_MAX // 2:
            return
        ended = [token for token in self._tokens.values() if token.expires_at_ms <= now_ms]
        for token in ended:
            del self._tokens[token.digest]
        if ended:
            await self._journal.commit([drop_tokens(now_ms)])

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

    def publisher_ended(self, stream: int, now_ms: int) -> bool:
        """Tell whether every token that publishes a stream has ended, where one is known."""
        token_digest = self._publishers.get(stream)
        return token_digest is not None and self.ended(token_digest, now_ms)


def _challenge_used() -> Refused:
    return Refused(
        400,
        "challenge-used",
        "this challenge has given its token: ask for another and sign that",
        field="challenge",
    )


def _signature_invalid(account: str, signature: str) -> Refused:
    detail = (
        f"the signature is not by {account} over the challenge's message: choose that account in "
        "the wallet and sign the message as it is, with every line"
    )
    if len(signature.removeprefix("0x")) == 130 and signature.removeprefix("0x")[:2] not in _TAGS:
        detail = (
            "this is an ECDSA signature, which is not taken: choose an account of type sr25519 or "
            "ed25519 in the wallet (polkadot.js makes those by default), and watch or publish "
            "with that"
        )
    return Refused(401, "signature-invalid", detail, field="signature")


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


def digest(secret: str) -> bytes:
    """What is kept of a token or a resume secret."""
    return hashlib.sha256(secret.encode()).digest()
