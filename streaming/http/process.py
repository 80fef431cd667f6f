"""The process of `paystream serve`: started, told to the service manager, and ended."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import signal
import socket
import sys

from streaming import service_manager
from streaming.community.database import opening
from streaming.community.database.engine import Engine
from streaming.http.community_tables import place_of
from streaming.http.config import ServeConfig
from streaming.http.descriptors import raise_descriptors
from streaming.http.origin import read_origin
from streaming.http.serving import BACKLOG, HttpServer


async def serve(config: ServeConfig) -> None:
    """Run one server until SIGTERM or SIGINT; SIGHUP reads the certificate again.

    Raises `ServeConfigInvalid`, `IceHostInvalid`, `DatabaseError`, and `OSError` if it cannot
    listen.
    """
    config.check()
    if config.only == "community":
        raise_descriptors(0, 1)  # for pages that listen, and no media
    else:
        config = await _media_tried(config)
    tables, listening, metrics = await asyncio.to_thread(_open, config)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    url = f"{'http' if config.tls is None else 'https'}://{shown}:{port}"
    origin = url if config.origin is None else read_origin(config.origin, "--origin")
    server = _server(config, origin, tables)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    taking = await server.listen(listening)
    answering = None if metrics is None else await server.listen_to_operator(metrics)
    try:
        if config.tls is not None and taking.context is not None:
            loop.add_signal_handler(signal.SIGHUP, config.tls.reload, taking.context)
        server.start()
        (config.on_ready or _say_ready)(url, None if answering is None else answering.port)
        watched = loop.create_task(_tell_manager())
        await stop.wait()
        watched.cancel()
        service_manager.notify(service_manager.STOPPING)
        taking.server.close()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.close(), 2.5)
        for each in (taking, answering):
            if each is not None:
                await each.close()


async def _media_tried(config: ServeConfig) -> ServeConfig:
    """Look names of media addresses up, and try what peers will be offered.

    Raises `IceHostInvalid`.
    """
    from streaming.http.self_test import self_test  # noqa: PLC0415  (not for the community alone)
    from streaming.sfu.addresses import resolve_ice_hosts  # noqa: PLC0415

    for library in ("aioice", "aiortc"):
        logging.getLogger(library).setLevel(logging.WARNING)  # they tell every packet's path
    hosts = await asyncio.to_thread(resolve_ice_hosts, config.ice_hosts)
    config = dataclasses.replace(config, ice_hosts=hosts)
    await asyncio.to_thread(self_test, config)
    return config


def _server(config: ServeConfig, origin: str, tables: Engine | None) -> HttpServer:
    """Put together what `--only` names: for the community, nothing that reads packets."""
    if config.only == "community" and tables is not None:
        from streaming.http.community_server import CommunityServer  # noqa: PLC0415

        return CommunityServer(config, origin, tables)
    from streaming.http.server import MediaServer  # noqa: PLC0415

    return MediaServer(config, origin, tables=tables)


def _open(config: ServeConfig) -> tuple[Engine | None, socket.socket, socket.socket | None]:
    """Open the community's tables and the ports; where one of them cannot be, none stays open."""
    with contextlib.ExitStack() as undo:
        tables = _tables(config)
        if tables is not None:
            undo.callback(tables.close)
        listening = undo.enter_context(_listen(config))
        metrics = _listen_for_metrics(config)
        undo.pop_all()
        return tables, listening, metrics


def _tables(config: ServeConfig) -> Engine | None:
    """Open the community's tables, where there are to be any. Raises `DatabaseError`."""
    place = place_of(config.community_database, config.community_url_file)
    return None if place is None else opening.opened(place)


async def _tell_manager() -> None:
    """Tell the service manager that we are ready, and then that this loop still turns."""
    service_manager.notify(service_manager.READY)
    every_s = service_manager.alive_every_s()
    while every_s is not None:
        service_manager.notify(service_manager.ALIVE)
        await asyncio.sleep(every_s)


def _listen(config: ServeConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.listen_host else socket.AF_INET
    return socket.create_server(
        (config.listen_host, config.listen_port), family=family, backlog=BACKLOG
    )


def _listen_for_metrics(config: ServeConfig) -> socket.socket | None:
    if config.metrics_port is None:
        return None
    return socket.create_server(("127.0.0.1", config.metrics_port))


def _say_ready(url: str, metrics_port: int | None) -> None:
    more = {} if metrics_port is None else {"metrics_port": metrics_port}
    sys.stdout.write(json.dumps({"event": "ready", "url": url, **more}) + "\n")
    sys.stdout.flush()
