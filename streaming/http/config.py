"""What the media server is told when it starts: plain values, no secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from streaming.community.addresses import is_address
from streaming.http.client_address import ClientAddresses, ProxyInvalid
from streaming.http.limits import Limits
from streaming.http.origin import OriginInvalid, read_origin, read_origins
from streaming.http.tls import CertificateFiles, CertificateInvalid


class ServeConfigInvalid(ValueError):
    """An option that cannot be served with; the message names it and says what to write."""


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """Options of the media server (`run_serve`). `check` says whether they can be served with."""

    socket: Path
    """The relayer's local socket."""
    more_sockets: tuple[Path, ...] = ()
    """Those of other relayers on the same journal."""
    listen_host: str = "127.0.0.1"
    listen_port: int = 8080
    """0 takes a free one; it is named in the line printed when ready."""
    origin: str | None = None
    """Public HTTP origin that tokens are bound to; by default what is listened on."""
    ice_hosts: tuple[str, ...] = ()
    """Addresses offered to WebRTC peers, or names of them; without any the machine's own. One that
    is not of this machine (an address of a NAT in front of it) is offered all the same. Loopback is
    offered, last, where the server listens on it, where it is given, or where nothing else is."""
    udp_ports: tuple[int, int] | None = None
    """First and last UDP port of media sockets, both from 1 to 65535; by default any free one."""
    cors_origins: tuple[str, ...] = ()
    """Other origins whose pages may call this server; `*` for every one."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies whose `X-Forwarded-For` names the real client."""
    tls: CertificateFiles | None = None
    """Serve HTTPS with this certificate."""
    plain_http: bool = False
    """Somebody else encrypts: tokens may go over plain HTTP on other than loopback."""
    limits: Limits = field(default_factory=Limits)
    server_id: str = "paystream-serve"
    connections_max: int = 1000
    community_database: Path | None = None
    """File of the community's tables (accounts, profiles, chat); without one, and without the
    next, there is no community."""
    community_url_file: Path | None = None
    """File with the URL of the PostgreSQL database that they are in instead, whatever the file."""
    community_operators: tuple[str, ...] = ()
    """Addresses of the accounts that moderate every stream's chat."""
    metrics_port: int | None = None
    """Port on loopback for what the operator asks, Prometheus' text above all; 0 takes a free one,
    None opens none. It is on no other port."""
    on_ready: Callable[[str, int | None], None] | None = None
    """Called with the URL and the port of the metrics once requests are taken; by default one JSON
    line is printed: `{"event":"ready","url":...}`."""

    @property
    def sockets(self) -> tuple[Path, ...]:
        """Every relayer's socket, each once."""
        return tuple(dict.fromkeys((self.socket, *self.more_sockets)))

    def check(self) -> None:
        """Raises `ServeConfigInvalid`."""
        try:
            read_origins(self.cors_origins)
            if self.origin is not None:
                read_origin(self.origin, "--origin")
            ClientAddresses(self.trusted_proxies)
            if self.tls is not None:
                self.tls.context()
        except ProxyInvalid as error:
            raise ServeConfigInvalid(f"--trusted-proxy: {error}") from None
        except (OriginInvalid, CertificateInvalid) as error:
            raise ServeConfigInvalid(str(error)) from None
        for operator in self.community_operators:
            if not is_address(operator):
                raise ServeConfigInvalid(
                    f"--community-operator: {operator[:60]!r} is no SS58 address: copy it from the "
                    "wallet"
                )
        if self.tls is None and not self.plain_http and not _is_loopback(self.listen_host):
            raise ServeConfigInvalid(
                f"tokens would go over plain HTTP on {self.listen_host}, where everybody on the "
                "way can take them: give --tls-cert and --tls-key; or listen on 127.0.0.1 behind "
                "a proxy that does TLS; or, if that proxy is on another machine, say --plain-http"
            )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
