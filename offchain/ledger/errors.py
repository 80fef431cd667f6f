"""The ledger client's errors. Each message says what happened and what mends it.

`LedgerError` is the root: whoever drives the client catches it at one place. A failed call of the
pallet raises a subclass of `DispatchFailed` made for that error, so that
`except errors.by_name("VaultTooLow")` works without a list kept by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from offchain.ledger.endpoints import shown


class LedgerError(Exception):
    """The root of everything that this package raises on purpose."""


class NodeUnreachable(LedgerError):
    """The node did not answer. The request may or may not have arrived."""

    def __init__(self, url: str, what: str) -> None:
        self.url = shown(url)
        self.what = what
        super().__init__(
            f"no answer from the node at {self.url}: {what}. Check that it runs and that its RPC "
            "address is this one (start one with `paystream node`, name another with --chain)"
        )


class NodesUnusable(NodeUnreachable):
    """None of several nodes can be used."""

    def __init__(self, whys: Sequence[str]) -> None:
        self.url, self.what = "", "; ".join(whys)
        LedgerError.__init__(self, f"none of the nodes can be used: {self.what}")


class NodeNotBelieved(LedgerError):
    """What the node says of the chain is no fact."""


class NodeBehind(NodeNotBelieved):
    """The node does not know what is already known of the chain."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the node is behind: {what}")


class NodeDisagrees(NodeNotBelieved):
    """The node has another block where one was final: it is of another chain, or of a lost fork."""

    def __init__(self, number: int, *, expected: str, found: str | None) -> None:
        self.number = number
        super().__init__(
            f"the node disagrees: its block {number} is {found}, and {expected} was final. Connect "
            "to a node of the same chain; where the chain itself was begun anew, give another "
            "--state-dir"
        )


class RpcError(LedgerError):
    """The node answered a request with an error."""

    def __init__(self, code: int, message: str, data: Any = None, method: str = "") -> None:
        self.code = code
        self.message = message
        self.data = data
        self.method = method
        detail = f": {data}" if data not in (None, "") else ""
        super().__init__(f"the node refused {method or 'a request'} ({code}): {message}{detail}")


class WrongRuntime(LedgerError):
    """The chain's runtime has no PayStream pallet, or not the one that this client speaks."""

    def __init__(self, spec_name: str, spec_version: int, what: str) -> None:
        self.spec_name = spec_name
        self.spec_version = spec_version
        super().__init__(
            f"the chain runs {spec_name} version {spec_version}, which does not fit: {what}. "
            "Connect to a chain whose runtime has the PayStream pallet of this release, or "
            "install the release of paystream that fits the chain"
        )


class UnknownExtension(WrongRuntime):
    """The runtime asks every transaction for something that this client cannot give."""

    def __init__(self, spec_name: str, spec_version: int, extension: str) -> None:
        self.extension = extension
        super().__init__(
            spec_name,
            spec_version,
            f"its transaction extension {extension!r} carries data that is unknown here",
        )


class NotIndexed(LedgerError):
    """The ledger cannot look up what belongs to somebody: its indexes are not there, or not yet."""

    def __init__(self) -> None:
        super().__init__(
            "the ledger has no complete index of what belongs to whom: a migration is building it, "
            "so ask again in some blocks; or the chain's runtime is of before such indexes"
        )


class BlockUnknown(LedgerError):
    """A block is not, or no longer, at the node."""

    def __init__(self, block_hash: str) -> None:
        self.block_hash = block_hash
        super().__init__(
            f"the node has no state for block {block_hash}: it is of another fork or pruned. "
            "Read at a newer block, or use a node with --state-pruning archive"
        )


class AssetUnknown(LedgerError):
    """The chain has no asset of that id."""

    def __init__(self, asset: int) -> None:
        self.asset = asset
        super().__init__(
            f"the chain has no asset {asset}: `paystream asset list` shows those that the ledger "
            "takes"
        )


class ChainChanged(LedgerError):
    """The node came back with another chain."""

    def __init__(self, url: str, expected: str, found: str) -> None:
        super().__init__(
            f"the node at {shown(url)} now has another chain (genesis {found}, before {expected}): "
            "connect to a node of the chain that you began with, or start again with fresh state"
        )


class DispatchFailed(LedgerError):
    """A call was included and failed; everything but its fee was undone.

    `module` and `name` are the pallet's and the error's, `docs` the pallet's own words.
    """

    def __init__(self, module: str, name: str, docs: str, where: str = "") -> None:
        self.module = module
        self.name = name
        self.docs = docs
        super().__init__(f"{module}.{name}: {docs or 'no documentation'}{where}")


_dispatch_classes: dict[tuple[str, str], type[DispatchFailed]] = {}


def by_name(name: str, module: str = "PayStream") -> type[DispatchFailed]:
    """Give the exception class of a pallet's error; the same class at every call."""
    key = (module, name)
    if key not in _dispatch_classes:
        _dispatch_classes[key] = type(
            name, (DispatchFailed,), {"__doc__": f"The error {name} of the pallet {module}."}
        )
    return _dispatch_classes[key]


class TransactionRefused(LedgerError):
    """The node's pool did not take a transaction; nothing was charged.

    `reason` is a stable name (an error of the pallet, or of the pool), `docs` its explanation.
    """

    def __init__(self, reason: str, name: str, docs: str) -> None:
        self.reason = reason
        self.name = name
        self.docs = docs
        super().__init__(f"refused ({name}): {docs}")


class OrderRefused(TransactionRefused):
    """The node's pool did not take an order; nothing was charged."""


class Replayed(OrderRefused):
    """The order's total, index or session is not new: the ledger has it already."""


class ForeignSignature(OrderRefused):
    """The signature is not by the grant's key, or for another chain, grant or order."""


class Superseded(OrderRefused):
    """An order with a higher or equal total waits in the pool or took this one's place."""


class LaneFull(OrderRefused):
    """The free part of the block is full: send it again in the next block."""


class Banned(OrderRefused):
    """The same bytes were refused lately: sign again, a fresh signature is another transaction."""


class NotIncluded(LedgerError):
    """A transaction was accepted and then did not make it; the message says why."""

    def __init__(self, tx_hash: str, status: str, remedy: str) -> None:
        self.tx_hash = tx_hash
        self.status = status
        super().__init__(f"transaction {tx_hash} was not included ({status}): {remedy}")


class SignatureMismatch(LedgerError):
    """A wallet's signature is not over the payload that it was given."""

    def __init__(self, account: str) -> None:
        self.account = account
        super().__init__(
            f"the signature is not by {account} over this payload: choose that account in the "
            "wallet, and update the wallet if it is"
        )


class CallInvalid(LedgerError):
    """A call's arguments do not fit the runtime's metadata. The message names the argument."""
