"""The relayer's health as Prometheus text, on loopback."""

from __future__ import annotations

from typing import Any, Final

import trio

from offchain.relayer.core import Core

_HEAD_MAX: Final = 8_192


def render(health: dict[str, Any]) -> str:
    """Write the text of one scrape."""
    lines: list[str] = []

    def gauge(name: str, value: float, kind: str = "gauge", labels: str = "") -> None:
        lines.append(f"# TYPE paystream_relay_{name} {kind}")
        lines.append(f"paystream_relay_{name}{labels} {value}")

    gauge("journal_ok", int(health["journal"] == "ok"))
    gauge("journal_commits_total", health["journal_commits"], "counter")
    gauge("chain_reachable", int(health["chain_reachable"]))
    gauge("best_block", health["best_block"] or 0)
    gauge("finalized_block", health["finalized_block"] or 0)
    gauge("connections", health["connections"])
    gauge("unpaid_seconds_max", health["unpaid_seconds_max"])
    lines.append("# TYPE paystream_relay_sessions gauge")
    for phase, count in health["sessions"].items():
        lines.append(f'paystream_relay_sessions{{phase="{phase}"}} {count}')
    for name, count in health["counters"].items():
        gauge(f"{name}_total", count, "counter")
    return "\n".join(lines) + "\n"


async def serve(core: Core, listener: trio.SocketListener) -> None:
    """Answer every HTTP request with the metrics."""

    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            with trio.move_on_after(5):
                head = b""
                while b"\r\n\r\n" not in head and len(head) < _HEAD_MAX:
                    part = await stream.receive_some(1024)
                    if not part:
                        return
                    head += part
                body = render(core.health()).encode()
                await stream.send_all(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"
                    b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
                )

    async def quietly(stream: trio.SocketStream) -> None:
        try:
            await handle(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    await trio.serve_listeners(quietly, [listener])
