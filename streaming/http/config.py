"""What the media server is told when it starts: plain values, no secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from streaming.community.addresses import is_address, public_of
from streaming.http.client_address import ClientAddresses, ProxyInvalid
from streaming.http.limits import Limits
from streaming.http.origin import OriginInvalid, read_origin, read_origins
from streaming.http.tls import CertificateFiles, CertificateInvalid

Half: TypeAlias = Literal["media", "community"]
HALVES: Final[dict[str, Half]] = {"media": "media", "community": "community"}


class ServeConfigInvalid(ValueError):
    """An option that cannot be served with; the message names it and says what to write."""


def half(text: str | None) -> Half | None:
    """Give what `--only` names. Raises `ServeConfigInvalid`."""
    if text is None:
        return None
    if text not in HALVES:
        raise ServeConfigInvalid(
            f"--only is {text!r}: write media or community, or leave it away for both"
        )
    return HALVES[text]


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
    only: Half | None = None
    """Serve but one half: the other one is another process, perhaps on another machine."""
    media_origin: str | None = None
    """With `only` the community: where the media server is, for pages and for what the community
    asks of the ledger."""
    community_origin: str | None = None
    """With `only` media: where the community is, for pages."""
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

    @property
    def elsewhere(self) -> str | None:
        """The origin of the other half's server, where there is one."""
        return self.media_origin or self.community_origin

    @property
    def operator_keys(self) -> tuple[bytes, ...]:
        """The public keys of `community_operators`, which are addresses (`check`)."""
        return tuple(public_of(one, "--community-operator") for one in self.community_operators)

    def check(self) -> None:
        """Raises `ServeConfigInvalid`."""
        self._check_halves()
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

    def _check_halves(self) -> None:
        has_tables = self.community_database is not None or self.community_url_file is not None
        only, media, community = self.only, self.media_origin, self.community_origin
        why: str | None = None
        if only == "media" and has_tables:
            why = (
                "--only media has no community: leave --community-database and "
                "--community-url-file to the server with --only community"
            )
        elif only == "media" and self.community_operators:
            why = (
                "--only media has no chat to moderate: leave --community-operator to the server "
                "with --only community"
            )
        elif only == "community" and not has_tables:
            why = (
                "--only community needs a place for accounts and chat: give --community-database "
                "or --community-url-file"
            )
        elif only == "community" and media is None:
            why = (
                "--only community asks the media server who owns which stream, and sends pages "
                "there: name its public address with --media-origin, such as https://live.example"
            )
        elif only != "community" and media is not None:
            why = "--media-origin is for --only community: this server has media itself"
        elif only != "media" and community is not None:
            why = (
                "--community-origin is for --only media: this server would have a community "
                "itself, with --community-database"
            )
        if why is not None:
            raise ServeConfigInvalid(why)
        self._check_other()

    def _check_other(self) -> None:
        """Raises `ServeConfigInvalid` for an address that pages could not use."""
        if self.elsewhere is None:
            return
        option = "--media-origin" if self.only == "community" else "--community-origin"
        try:
            other = read_origin(self.elsewhere, option)
        except OriginInvalid as error:
            raise ServeConfigInvalid(str(error)) from None
        if other != self.elsewhere:
            raise ServeConfigInvalid(f"{option} is {self.elsewhere!r}: write {other}")
        own_is_https = self.tls is not None or (self.origin or "").startswith("https:")
        if own_is_https and other.startswith("http:") and not _is_loopback_url(other):
            raise ServeConfigInvalid(
                f"{option} is {other}, but browsers let pages that came by HTTPS ask nothing over "
                "plain HTTP: give the other server a certificate, or a proxy that does TLS"
            )


def _is_loopback_url(origin: str) -> bool:
    return _is_loopback(urlsplit(origin).hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
