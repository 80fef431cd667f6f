"""A JSON-RPC 2.0 client over one WebSocket that survives the node's restarts.

It may have several addresses, and is connected to one of them at a time (`endpoints.py`). One task
owns the connection. Calls wait for it, and are asked again after a reconnection (every
read is harmless to repeat; pass `retry=False` where that is not so). Subscriptions are made again
by themselves, and their consumers see a `Reconnected` in the stream. All queues are bounded: a
consumer that lags loses the oldest items and sees a `Lagged` with their number.
"""

from __future__ import annotations

import random
import ssl
import urllib.parse
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Protocol, TypeAlias

import msgspec
import trio
import trio_websocket

from offchain.ledger.background import open_background
from offchain.ledger.endpoints import Endpoint, Endpoints, Trouble
from offchain.ledger.errors import (
    LedgerError,
    NodeNotBelieved,
    NodesUnusable,
    NodeUnreachable,
    RpcError,
)

MESSAGE_BYTES_MAX: Final = 64 * 1024 * 1024
IN_FLIGHT_MAX: Final = 256
SUBSCRIPTION_QUEUE_MAX: Final = 256
ADMIT_WITHIN_S: Final = 10.0
"""So long has a node to say what makes it believed."""
RETURN_EVERY_S: Final = 60.0
"""How often a preferred node that was left is tried, beside the connection in use."""
PING_EVERY_S: Final = 20.0
PING_TIMEOUT_S: Final = 10.0
CONNECT_TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 1.0

Connect: TypeAlias = Callable[
    [str], AbstractAsyncContextManager[trio_websocket.WebSocketConnection]
]


class Caller(Protocol):
    """Whatever a node can be asked through."""

    async def call(self, method: str, params: Sequence[Any] = ()) -> Any: ...


Admit: TypeAlias = Callable[[Caller], Awaitable[None]]
"""Raises NodeNotBelieved for a node that is not to be used, before anything else is asked of it."""


class Reconnected(msgspec.Struct, frozen=True):
    """The subscription was made again: items between the last one and the next may be missing."""


class Lagged(msgspec.Struct, frozen=True):
    """The consumer was too slow: `dropped` items were discarded before the next one."""

    dropped: int


class _ConnectionLost(Exception):
    """The connection that a request was sent on is gone."""


class _Pending:
    """One request that waits for its answer."""

    def __init__(self, method: str, subscription: Subscription | None) -> None:
        self.method = method
        self.done = trio.Event()
        self.result: Any = None
        self.error: Exception | None = None
        self.subscription = subscription


class Subscription:
    """The items of one subscription, as an async iterator.

    Yields the node's notifications (JSON values), and the markers `Reconnected` and `Lagged`.
    Raises NodeUnreachable where the subscription is not renewed and the connection went, and
    RpcError where the node refuses to renew it.
    """

    def __init__(self, method: str, params: Sequence[Any], unsubscribe: str, renew: bool) -> None:
        self.method = method
        self.params = params
        self.unsubscribe = unsubscribe
        self.renew = renew
        self._items: deque[Any] = deque()
        self._dropped = 0
        self._error: Exception | None = None
        self._arrived = trio.Event()
        self._is_established = False

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Any:
        while True:
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                return Lagged(dropped)
            if self._items:
                return self._items.popleft()
            if self._error is not None:
                raise self._error
            self._arrived = trio.Event()
            await self._arrived.wait()

    def established(self) -> None:
        if self._is_established:
            self.put(Reconnected())
        self._is_established = True

    def put(self, item: Any) -> None:
        if len(self._items) >= SUBSCRIPTION_QUEUE_MAX:
            self._items.popleft()
            self._dropped += 1
        self._items.append(item)
        self._arrived.set()

    def fail(self, error: Exception) -> None:
        self._error = error
        self._arrived.set()


class _Connection:
    """One WebSocket connection, and what is under way on it."""

    def __init__(self, socket: trio_websocket.WebSocketConnection) -> None:
        self.socket = socket
        self.pending: dict[int, _Pending] = {}
        self.subscriptions: dict[Any, Subscription] = {}
        self.send, self.outbox = trio.open_memory_channel[bytes](IN_FLIGHT_MAX)
        self.lost = False
        self.served = False
        """Whether its node was found fit, and others asked through it."""
        self.given_up = False
        """Whether it was ended for another node's sake."""
        self.scope = trio.CancelScope()
        self._next_id = 0

    def give_up(self) -> None:
        """End it, for another node's sake."""
        self.given_up = True
        self.scope.cancel()

    async def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """Ask this very node, once. Raises RpcError and _ConnectionLost."""
        return await self.request(method, params)

    async def request(
        self, method: str, params: Sequence[Any], subscription: Subscription | None = None
    ) -> Any:
        """Send a request and wait for its answer. Raises RpcError and _ConnectionLost."""
        if self.lost:
            raise _ConnectionLost
        self._next_id += 1
        number = self._next_id
        pending = _Pending(method, subscription)
        self.pending[number] = pending
        body = {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}
        try:
            try:
                await self.send.send(msgspec.json.encode(body))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                raise _ConnectionLost from None
            await pending.done.wait()
        finally:
            self.pending.pop(number, None)
        if pending.error is not None:
            raise pending.error
        return pending.result

    def forget(self, subscription: Subscription) -> None:
        """Stop a subscription without waiting for the node; a lost message costs nothing."""
        for key, known in list(self.subscriptions.items()):
            if known is subscription:
                del self.subscriptions[key]
                self._next_id += 1
                body = {"jsonrpc": "2.0", "id": self._next_id, "method": known.unsubscribe}
                try:
                    self.send.send_nowait(msgspec.json.encode({**body, "params": [key]}))
                except (trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
                    return

    def dispatch(self, message: Any) -> None:
        """Hand a message of the node to whoever waits for it."""
        if not isinstance(message, dict):
            return
        if "method" in message:
            params = message.get("params") or {}
            subscription = self.subscriptions.get(params.get("subscription"))
            if subscription is not None and "result" in params:
                subscription.put(params["result"])
            return
        pending = self.pending.get(message.get("id", -1))
        if pending is None:
            return
        error = message.get("error")
        if error is not None:
            text = str(error.get("message", ""))
            pending.error = RpcError(error.get("code", 0), text, error.get("data"), pending.method)
        else:
            pending.result = message.get("result")
            if pending.subscription is not None:
                # here and not in the waiting task: the first notification may be right behind
                self.subscriptions[pending.result] = pending.subscription
                pending.subscription.established()
        pending.done.set()

    def close(self) -> None:
        """Tell everyone who waits that the connection is gone."""
        self.lost = True
        self.outbox.close()
        self.send.close()
        for pending in self.pending.values():
            pending.error = _ConnectionLost()
            pending.done.set()


class RpcClient:
    """The client; make one with `open_rpc`."""

    def __init__(
        self, endpoints: Endpoints, timeout_s: float, connect: Connect, admit: Admit | None
    ) -> None:
        self.endpoints = endpoints
        self.timeout_s = timeout_s
        self.reconnections = 0
        self._connect = connect
        self._admit = admit
        self._connection: _Connection | None = None
        self._connected = trio.Event()
        self._subscriptions: set[Subscription] = set()
        self._room = trio.Semaphore(IN_FLIGHT_MAX)
        self._why = "not connected yet"
        self._refused: NodeNotBelieved | None = None
        """Why the one node there is is not to be used: who subscribes to it hears that at once."""

    @property
    def url(self) -> str:
        """The address in use, or else the first, as it may be shown."""
        return (self.endpoints.current or self.endpoints.all[0]).name

    @property
    def is_connected(self) -> bool:
        """Whether the connection stands at this moment."""
        return self._connection is not None

    def move_on(self, why: str) -> None:
        """Leave the node in use, which answers and is of no use, for the next one.

        With one address there is no other, and nothing happens.
        """
        current = self.endpoints.current
        if self._connection is None or current is None or not self.endpoints.several:
            return
        self.endpoints.fail(current, "left", why, trio.current_time(), _spread())
        self._connection.give_up()

    async def call(
        self,
        method: str,
        params: Sequence[Any] = (),
        *,
        timeout_s: float | None = None,
        retry: bool = True,
    ) -> Any:
        """Ask the node and give the answer's `result`.

        Waits for a connection, and asks again after a lost one if `retry`, all within
        `timeout_s` (the client's own unless given). Raises RpcError where the node answers with
        an error, and NodeUnreachable.
        """
        timeout_s = self.timeout_s if timeout_s is None else timeout_s
        why = f"{method} was not answered within {timeout_s:g} s"
        with trio.move_on_after(timeout_s):
            async with self._room:
                while True:
                    connection = await self._wait_connected()
                    try:
                        return await connection.request(method, params)
                    except _ConnectionLost:
                        if not retry:
                            why = f"the connection was lost during {method}"
                            break
        raise NodeUnreachable(self.url, why if self.is_connected else f"{why} ({self._why})")

    @asynccontextmanager
    async def subscribe(
        self,
        method: str,
        params: Sequence[Any],
        unsubscribe: str,
        *,
        renew: bool = True,
    ) -> AsyncIterator[Subscription]:
        """Subscribe for the length of a `with` block.

        With `renew` the subscription is made again after each reconnection; without it a lost
        connection raises NodeUnreachable in the consumer. Raises RpcError and NodeUnreachable, and
        NodeNotBelieved while the one node there is is refused.
        """
        subscription = Subscription(method, params, unsubscribe, renew)
        try:
            await self._subscribe(subscription)
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            if self._connection is not None:
                self._connection.forget(subscription)

    async def _subscribe(self, subscription: Subscription) -> None:
        timeout_s = self.timeout_s
        why = f"{subscription.method} was not answered within {timeout_s:g} s"
        with trio.move_on_after(timeout_s):
            while True:
                if self._refused is not None and not self.endpoints.several:
                    raise self._refused
                connection = await self._wait_connected()
                try:
                    await connection.request(subscription.method, subscription.params, subscription)
                except _ConnectionLost:
                    if subscription.renew:
                        continue
                    why = f"the connection was lost during {subscription.method}"
                    break
                self._subscriptions.add(subscription)
                if connection.lost:
                    self._after_loss(subscription)
                return
        raise NodeUnreachable(self.url, why)

    async def _wait_connected(self) -> _Connection:
        while self._connection is None:
            await self._connected.wait()
        return self._connection

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Keep a connection for ever; of the first tries, one with each address, one must succeed.

        Raises NodeUnreachable and NodeNotBelieved.
        """
        failures: list[LedgerError] = []
        for endpoint in self.endpoints.all:
            failure = await self._use(endpoint, task_status)
            if failure is None:
                break
            failures.append(failure)
        else:
            raise failures[0] if len(failures) == 1 else NodesUnusable(self.endpoints.troubles())
        while True:
            endpoint, wait_s = self.endpoints.choose(trio.current_time())
            await trio.sleep(wait_s)
            await self._use(endpoint, None)

    async def _use(
        self, endpoint: Endpoint, task_status: trio.TaskStatus[None] | None
    ) -> LedgerError | None:
        """Connect to one address and serve; tell why not, where that never came about."""
        failure: LedgerError | None = None
        connection: _Connection | None = None
        try:
            async with self._connect(endpoint.url) as socket:
                connection = _Connection(socket)
                failure = await self._serve(connection, endpoint, task_status)
            if failure is None:
                failure = NodeUnreachable(endpoint.url, "the connection was lost")
        except (OSError, ValueError, trio_websocket.HandshakeError) as error:
            failure = NodeUnreachable(endpoint.url, _reason(error))
        except trio_websocket.ConnectionClosed:
            failure = NodeUnreachable(endpoint.url, "the connection was closed")
        self._why = _words(failure)
        if connection is None or not connection.given_up:
            self._fail(endpoint, failure)
        has_served = connection is not None and connection.served
        return None if has_served else failure

    def _fail(self, endpoint: Endpoint, failure: LedgerError) -> None:
        self._refused = failure if isinstance(failure, NodeNotBelieved) else None
        trouble: Trouble = "refused" if self._refused is not None else "unreachable"
        self.endpoints.fail(endpoint, trouble, _words(failure), trio.current_time(), _spread())

    async def _serve(
        self,
        connection: _Connection,
        endpoint: Endpoint,
        task_status: trio.TaskStatus[None] | None,
    ) -> LedgerError | None:
        """Use one connection until it ends; tell why not, where its node is not to be used."""
        refused: LedgerError | None = None
        try:
            async with trio.open_nursery() as nursery:
                connection.scope = nursery.cancel_scope
                for task in (self._read, self._write, self._ping):
                    nursery.start_soon(task, connection, nursery.cancel_scope)
                refused = await self._refusal(connection, endpoint)
                if refused is not None:
                    nursery.cancel_scope.cancel()
                else:
                    self._begin(connection, endpoint, nursery, task_status)
        finally:
            if self._connection is connection:
                self._connection = None
                self._connected = trio.Event()
            connection.close()
            for subscription in list(self._subscriptions) if connection.served else ():
                self._after_loss(subscription)
        return refused

    async def _refusal(self, connection: _Connection, endpoint: Endpoint) -> LedgerError | None:
        """Ask a node what makes it believed; tell why it is not to be used."""
        if self._admit is None:
            return None
        try:
            with trio.move_on_after(ADMIT_WITHIN_S):
                await self._admit(connection)
                return None
        except _ConnectionLost:
            return NodeUnreachable(endpoint.url, "the connection was lost")
        except LedgerError as error:
            return error
        return NodeUnreachable(endpoint.url, f"nothing came within {ADMIT_WITHIN_S:g} s")

    def _begin(
        self,
        connection: _Connection,
        endpoint: Endpoint,
        nursery: trio.Nursery,
        task_status: trio.TaskStatus[None] | None,
    ) -> None:
        """Let everyone who waits use a connection."""
        self._connection, self._refused = connection, None
        connection.served = True
        self._connected.set()
        self.endpoints.use(endpoint, trio.current_time())
        if self.endpoints.several:
            nursery.start_soon(self._come_back, connection)
        if task_status is not None:
            task_status.started()
            return
        self.reconnections += 1
        for subscription in list(self._subscriptions):
            nursery.start_soon(self._renew, connection, subscription)

    async def _come_back(self, connection: _Connection) -> None:
        """Give the connection up as soon as a node before it in the list is well again."""
        while True:
            await trio.sleep(RETURN_EVERY_S)
            for endpoint in self.endpoints.better(trio.current_time()):
                failure = await self._tried(endpoint)
                if failure is None:
                    connection.give_up()
                    return
                self._fail(endpoint, failure)

    async def _tried(self, endpoint: Endpoint) -> LedgerError | None:
        """Connect to an address for a moment; tell why its node is not to be used."""
        try:
            async with self._connect(endpoint.url) as socket, trio.open_nursery() as nursery:
                connection = _Connection(socket)
                for task in (self._read, self._write):
                    nursery.start_soon(task, connection, nursery.cancel_scope)
                failure = await self._refusal(connection, endpoint)
                nursery.cancel_scope.cancel()
                return failure
        except (OSError, ValueError, trio_websocket.HandshakeError) as error:
            return NodeUnreachable(endpoint.url, _reason(error))
        except trio_websocket.ConnectionClosed:
            return NodeUnreachable(endpoint.url, "the connection was closed")
        return NodeUnreachable(endpoint.url, "the connection was lost")

    def _after_loss(self, subscription: Subscription) -> None:
        if not subscription.renew:
            self._subscriptions.discard(subscription)
            subscription.fail(
                NodeUnreachable(self.url, f"the connection was lost during {subscription.method}")
            )

    async def _renew(self, connection: _Connection, subscription: Subscription) -> None:
        try:
            await connection.request(subscription.method, subscription.params, subscription)
        except RpcError as error:
            self._subscriptions.discard(subscription)
            subscription.fail(error)
        except _ConnectionLost:
            return
        else:
            if subscription not in self._subscriptions:
                connection.forget(subscription)

    async def _read(self, connection: _Connection, scope: trio.CancelScope) -> None:
        decode = msgspec.json.Decoder().decode
        try:
            while True:
                message = await connection.socket.get_message()
                try:
                    body = decode(message)
                except msgspec.DecodeError:
                    continue
                for part in body if isinstance(body, list) else [body]:
                    connection.dispatch(part)
        except trio_websocket.ConnectionClosed:
            scope.cancel()

    async def _write(self, connection: _Connection, scope: trio.CancelScope) -> None:
        try:
            async for body in connection.outbox:
                await connection.socket.send_message(body.decode())
        except trio_websocket.ConnectionClosed:
            scope.cancel()

    async def _ping(self, connection: _Connection, scope: trio.CancelScope) -> None:
        """Find out about a node that hangs or a network that swallows."""
        while True:
            await trio.sleep(PING_EVERY_S)
            with trio.move_on_after(PING_TIMEOUT_S) as patience:
                try:
                    await connection.socket.ping()
                except trio_websocket.ConnectionClosed:
                    break
            if patience.cancelled_caught:
                break
        scope.cancel()


def _spread() -> float:
    """Give a factor near 1, so that many clients do not come back in the same moment."""
    return random.uniform(0.8, 1.2)  # noqa: S311


def _words(failure: LedgerError) -> str:
    """Say what was wrong with a node, whose address stands beside it."""
    return failure.what if isinstance(failure, NodeUnreachable) else str(failure)


def _reason(error: Exception) -> str:
    """Say in words why a connection could not be made."""
    if isinstance(error, trio_websocket.ConnectionRejected):
        return f"it answered {error.status_code} instead of opening a WebSocket"
    cause = error.__cause__ or error
    return str(cause) or type(cause).__name__


@asynccontextmanager
async def open_socket(url: str) -> AsyncIterator[trio_websocket.WebSocketConnection]:
    """Open a WebSocket to a node for the length of a `with` block.

    The stream below is ours: trio-websocket leaves it open where the other end went away.
    Raises OSError, ValueError and trio_websocket.HandshakeError.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ValueError("its address does not begin with ws:// or wss:// and a host")
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    resource = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    try:
        with trio.fail_after(CONNECT_TIMEOUT_S):
            stream = await _open_stream(parts.scheme, parts.hostname, port)
    except trio.TooSlowError:
        raise TimeoutError(f"no connection within {CONNECT_TIMEOUT_S:g} s") from None
    try:
        async with open_background() as nursery:
            socket = await _handshake(nursery, stream, f"{parts.hostname}:{port}", resource)
            try:
                yield socket
            finally:
                with trio.move_on_after(CLOSE_TIMEOUT_S):
                    await socket.aclose()
    finally:
        await trio.aclose_forcefully(stream)


async def _open_stream(
    scheme: str, host: str, port: int
) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
    if scheme == "ws":
        return await trio.open_tcp_stream(host, port)
    context = ssl.create_default_context()
    return await trio.open_ssl_over_tcp_stream(
        host, port, ssl_context=context, https_compatible=True
    )


async def _handshake(
    nursery: trio.Nursery, stream: Any, host: str, resource: str
) -> trio_websocket.WebSocketConnection:
    try:
        with trio.fail_after(CONNECT_TIMEOUT_S):
            return await trio_websocket.wrap_client_stream(
                nursery,
                stream,
                host,
                resource,
                max_message_size=MESSAGE_BYTES_MAX,
                message_queue_size=16,
            )
    except trio.TooSlowError:
        raise TimeoutError(f"no WebSocket within {CONNECT_TIMEOUT_S:g} s") from None


@asynccontextmanager
async def open_rpc(
    url: str | Sequence[str],
    *,
    timeout_s: float = 30.0,
    connect: Connect = open_socket,
    admit: Admit | None = None,
) -> AsyncIterator[RpcClient]:
    """Connect to `url` (`ws://` or `wss://`) for the length of a `with` block.

    Of several addresses the first is used whose node is there and is not refused by `admit`.
    `timeout_s` is how long a call waits for its answer, a missing connection included.
    Raises NodeUnreachable and NodeNotBelieved where no first connection succeeds; later ones are
    tried for ever, with pauses that double from 0.1 to 5 s. `connect` opens the socket (tests give
    one in memory).
    """
    urls = [url] if isinstance(url, str) else url
    client = RpcClient(Endpoints(urls), timeout_s, connect, admit)
    async with open_background() as nursery:
        await nursery.start(client.run)
        yield client
