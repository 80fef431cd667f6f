"""Turns what went wrong into one line for people, one object for programs, and an exit code."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from typing import Any, Final

from offchain.cli.exits import Exit


class Failure(Exception):
    """A command cannot go on. The message says what is wrong and how to mend it.

    `code` is a stable word for programs; it stands in the JSON beside the message.
    """

    def __init__(self, message: str, exit_code: Exit, code: str) -> None:
        self.message = " ".join(message.split())
        self.exit_code = exit_code
        self.code = code
        super().__init__(self.message)


# By name, so that telling what happened imports nothing: `--help` must be quick.
# tests/cli/test_failure.py holds these names against the classes.
_KNOWN: Final[dict[str, tuple[Exit, str]]] = {
    "offchain.config.ConfigError": (Exit.USAGE, "config-invalid"),
    "offchain.amounts.AmountInvalid": (Exit.USAGE, "amount-invalid"),
    "offchain.ledger.types.AddressInvalid": (Exit.USAGE, "address-invalid"),
    "offchain.ledger.errors.NodeUnreachable": (Exit.CHAIN, "chain-unreachable"),
    "offchain.ledger.errors.WrongRuntime": (Exit.RUNTIME, "runtime-unfit"),
    "offchain.ledger.errors.DispatchFailed": (Exit.REFUSED, "dispatch-failed"),
    "offchain.ledger.errors.TransactionRefused": (Exit.REFUSED, "transaction-refused"),
    "offchain.ledger.errors.NotIncluded": (Exit.REFUSED, "not-included"),
    "offchain.ledger.errors.CallInvalid": (Exit.USAGE, "call-invalid"),
    "offchain.ledger.errors.SignatureMismatch": (Exit.KEYS, "signature-mismatch"),
    "offchain.ledger.errors.AssetUnknown": (Exit.REFUSED, "asset-unknown"),
    "offchain.ledger.errors.RpcError": (Exit.REFUSED, "rpc-error"),
    "offchain.ledger.errors.LedgerError": (Exit.CHAIN, "chain-error"),
    "offchain.journal.errors.JournalLocked": (Exit.MACHINE, "journal-locked"),
    "offchain.journal.errors.JournalUrlInvalid": (Exit.USAGE, "journal-url-invalid"),
    "offchain.journal.errors.JournalExists": (Exit.MACHINE, "journal-exists"),
    "offchain.journal.errors.JournalError": (Exit.MACHINE, "journal-error"),
    "offchain.unix_socket.SocketInUse": (Exit.MACHINE, "socket-in-use"),
    "offchain.unix_socket.SocketGroupRefused": (Exit.MACHINE, "socket-group-refused"),
    "offchain.relayer.development.NotDevelopment": (Exit.USAGE, "not-development"),
    "offchain.processes.ProcessFailed": (Exit.MACHINE, "process-failed"),
    "offchain.relayer.remote_keyring.SignerUnavailable": (Exit.MACHINE, "signer-unavailable"),
    "offchain.signer.journal.SignerJournalError": (Exit.MACHINE, "journal-error"),
    "offchain.signer.settings.SignerSettingsInvalid": (Exit.USAGE, "policy-invalid"),
    "offchain.relayer.settings.SettingsInvalid": (Exit.USAGE, "settings-invalid"),
    "streaming.sfu.addresses.IceHostInvalid": (Exit.USAGE, "ice-host-invalid"),
    "streaming.http.config.ServeConfigInvalid": (Exit.USAGE, "config-invalid"),
    "streaming.community.database.errors.DatabaseUrlInvalid": (
        Exit.USAGE,
        "community-url-invalid",
    ),
    "streaming.community.database.errors.DatabaseError": (Exit.MACHINE, "community-database"),
    "offchain.keys.keystore.KeyNotFound": (Exit.KEYS, "key-not-found"),
    "offchain.keys.keystore.WrongPassword": (Exit.KEYS, "wrong-password"),
    "offchain.keys.keystore.KeystoreCorrupt": (Exit.KEYS, "keystore-corrupt"),
    "offchain.keys.keystore.PhraseInvalid": (Exit.KEYS, "phrase-invalid"),
    "offchain.keys.keystore.KeystoreError": (Exit.KEYS, "keystore-error"),
}


def failure_of(error: BaseException) -> Failure | None:
    """Give the failure that an exception stands for, or None where it is a defect."""
    for each in _unpacked(error):
        if isinstance(each, Failure):
            return each
        for kind in type(each).__mro__:
            known = _KNOWN.get(f"{kind.__module__}.{kind.__qualname__}")
            if known is not None:
                exit_code, code = known
                return Failure(str(each), exit_code, code)
    for each in _unpacked(error):
        if type(each).__qualname__ == "ClientError" and hasattr(each, "code"):
            return _server_failure(each)
        if isinstance(each, OSError):
            return _machine_failure(each)
    return None


def _unpacked(error: BaseException) -> Iterator[BaseException]:
    """Give an exception, or those that a group of them holds, and what each came from."""
    if isinstance(error, BaseExceptionGroup):
        for below in error.exceptions:
            yield from _unpacked(below)
        return
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _server_failure(error: Any) -> Failure:
    """Sort a `streaming.clients.rest_client.ClientError` by its code and its HTTP status."""
    code, status = str(error.code), error.status
    if code == "chain-unavailable":
        exit_code = Exit.CHAIN
    elif code in {"server-unreachable", "not-paystream"} or (status or 0) >= 500:
        exit_code = Exit.SERVER
    else:
        exit_code = Exit.SERVER_REFUSED if status else Exit.FAILED
    # aiohttp's own words on a refused connection repeat the address
    return Failure(re.sub(r" ssl:\w+ \[[^\]]*\]", "", str(error)), exit_code, code)


def _machine_failure(error: OSError) -> Failure:
    what = error.strerror or str(error)
    where = f"{error.filename}: " if error.filename else ""
    remedies = {
        errno.EADDRINUSE: (
            "port-in-use",
            "another program listens there: choose another port, or 0 for any free one",
        ),
        errno.EADDRNOTAVAIL: ("address-unavailable", "give an address that this machine has"),
        errno.EACCES: ("permission-denied", "check owner and mode"),
        errno.EPERM: ("permission-denied", "check owner and mode"),
        errno.ENOSPC: ("disk-full", "make room on that disk"),
        errno.EROFS: ("read-only", "choose a directory that can be written"),
        errno.ENOENT: ("file-missing", "check the path"),
    }
    code, remedy = remedies.get(error.errno or 0, ("machine-error", "`paystream doctor` may help"))
    return Failure(f"{where}{what}: {remedy}", Exit.MACHINE, code)
