"""Keys: what signs, and the encrypted store that keys rest in."""

from offchain.keys.keystore import (
    KeyNotFound,
    Keystore,
    KeystoreCorrupt,
    KeystoreError,
    KeySummary,
    PhraseInvalid,
    WrongPassword,
)
from offchain.keys.signer import DelegateSigner, LocalKey, Signer, dev_key, fresh_key, verify

__all__ = [
    "DelegateSigner",
    "KeyNotFound",
    "KeySummary",
    "Keystore",
    "KeystoreCorrupt",
    "KeystoreError",
    "LocalKey",
    "PhraseInvalid",
    "Signer",
    "WrongPassword",
    "dev_key",
    "fresh_key",
    "verify",
]
