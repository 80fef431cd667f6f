"""From what goes wrong to one line, a code and an exit code."""

from __future__ import annotations

import errno
import importlib

import pytest

from offchain.cli.exits import Exit
from offchain.cli.failure import _KNOWN, Failure, failure_of
from offchain.keys import KeyNotFound
from offchain.ledger.errors import NodeUnreachable, by_name
from streaming.clients.rest_client import ClientError


@pytest.mark.parametrize("name", sorted(_KNOWN))
def test_every_known_error_exists(name: str) -> None:
    module, _, kind = name.rpartition(".")
    found = getattr(importlib.import_module(module), kind)
    assert issubclass(found, Exception)


def test_a_message_is_one_line() -> None:
    failure = Failure("two\n  lines", Exit.FAILED, "code")
    assert failure.message == "two lines"


def test_an_error_is_found_in_groups_and_causes() -> None:
    inner = NodeUnreachable("ws://x", "gone")
    found = failure_of(BaseExceptionGroup("nursery", [ExceptionGroup("inner", [inner])]))
    assert found is not None
    assert found.exit_code == Exit.CHAIN
    outer = RuntimeError("outer")
    outer.__cause__ = KeyNotFound("no key")
    assert failure_of(outer) is not None


def test_a_subclass_counts_as_its_parent() -> None:
    found = failure_of(by_name("VaultTooLow")("PayStream", "VaultTooLow", "pay in"))
    assert found is not None
    assert (found.exit_code, found.code) == (Exit.REFUSED, "dispatch-failed")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EADDRINUSE, "port-in-use"),
        (errno.ENOSPC, "disk-full"),
        (errno.EACCES, "permission-denied"),
        (errno.EIO, "machine-error"),
    ],
)
def test_the_machine_refuses(number: int, code: str) -> None:
    found = failure_of(OSError(number, "words", "/some/file"))
    assert found is not None
    assert (found.exit_code, found.code) == (Exit.MACHINE, code)
    assert found.message.startswith("/some/file: words: ")


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (None, "server-unreachable", Exit.SERVER),
        (200, "not-paystream", Exit.SERVER),
        (503, "relayer-unavailable", Exit.SERVER),
        (503, "chain-unavailable", Exit.CHAIN),
        (402, "payment-required", Exit.SERVER_REFUSED),
        (401, "token-expired", Exit.SERVER_REFUSED),
        (None, "video-invalid", Exit.FAILED),
    ],
)
def test_the_server_refuses(status: int | None, code: str, exit_code: Exit) -> None:
    found = failure_of(ClientError("words", code=code, status=status))
    assert found is not None
    assert (found.exit_code, found.code) == (exit_code, code)


def test_anything_else_is_a_defect() -> None:
    assert failure_of(ZeroDivisionError()) is None
    assert failure_of(ExceptionGroup("g", [KeyError("x")])) is None


def test_exit_codes_are_told_apart() -> None:
    assert len({code.meaning for code in Exit}) == len(Exit)
