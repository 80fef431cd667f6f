"""The exit codes of every `paystream` command."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Why a command ended. The same numbers mean the same thing in every command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CHAIN = 3
    REFUSED = 4
    KEYS = 5
    SERVER = 6
    SERVER_REFUSED = 7
    RUNTIME = 8
    MACHINE = 9
    DEFECT = 70
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """What the code says, in one line."""
        return _MEANINGS[self]


_MEANINGS = {
    Exit.OK: "it worked",
    Exit.FAILED: "it ran, and something disagreed or failed",
    Exit.USAGE: "an option, an argument or the configuration file is wrong",
    Exit.CHAIN: "the chain cannot be reached",
    Exit.REFUSED: "the ledger refused it, and nothing changed but perhaps a fee",
    Exit.KEYS: "a key is missing or damaged, or the password is wrong",
    Exit.SERVER: "the media server or the relayer cannot be reached",
    Exit.SERVER_REFUSED: "the media server or the relayer refused it",
    Exit.RUNTIME: "the chain's runtime does not fit this release",
    Exit.MACHINE: "this machine lacks something: a port, a program, disk space, a permission",
    Exit.DEFECT: "a defect of paystream",
    Exit.INTERRUPTED: "interrupted by Ctrl-C",
}
