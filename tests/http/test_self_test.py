"""What the media server tries before it takes requests, and what it says is wanting."""

from __future__ import annotations

import asyncio
import logging
import resource
from pathlib import Path

import pytest

from streaming.http import process, self_test
from streaming.http.config import ServeConfig
from streaming.http.descriptors import BESIDE_MEDIA, raise_descriptors
from streaming.http.self_test import try_media
from streaming.sfu.addresses import IceHostInvalid
from streaming.sfu.reach import Reach


class Limits:
    """Stands in for the kernel's limits."""

    def __init__(self, soft: int, hard: int, *, fixed: bool = False) -> None:
        self.values = (soft, hard)
        self.fixed = fixed

    def getrlimit(self, _kind: int) -> tuple[int, int]:
        return self.values

    def setrlimit(self, _kind: int, values: tuple[int, int]) -> None:
        if self.fixed:
            raise OSError(1, "Operation not permitted")
        self.values = values


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Limits:
    limits = Limits(1024, 4096)
    monkeypatch.setattr(resource, "getrlimit", limits.getrlimit)
    monkeypatch.setattr(resource, "setrlimit", limits.setrlimit)
    return limits


def test_descriptors_are_raised_as_far_as_may_be(
    limits: Limits, caplog: pytest.LogCaptureFixture
) -> None:
    assert raise_descriptors(1000, 3) == 4096
    assert limits.values == (4096, 4096)
    assert caplog.records == []


def test_too_few_descriptors_are_named_with_both_remedies(
    limits: Limits, caplog: pytest.LogCaptureFixture
) -> None:
    assert raise_descriptors(5000, 2) == 4096
    needed = 5000 * 2 + BESIDE_MEDIA
    assert f"LimitNOFILE={needed}" in caplog.text
    assert f"--connections-max {(4096 - BESIDE_MEDIA) // 2}" in caplog.text


def test_a_limit_that_stays_is_said(limits: Limits, caplog: pytest.LogCaptureFixture) -> None:
    limits.fixed = True
    assert raise_descriptors(10, 1) == 1024
    assert "stays at 1024" in caplog.text
    limits.values = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    assert raise_descriptors(10**9, 8) == resource.RLIM_INFINITY
    assert len(caplog.records) == 1


def test_addresses_are_tried_as_they_are_offered() -> None:
    (reach,) = try_media(ServeConfig(socket=Path(), ice_hosts=("127.0.0.1",)))
    assert (reach.address, reach.state) == ("127.0.0.1", "open")


def test_what_is_wanting_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = [
        Reach("127.0.0.1", 40000, "open", own=True),
        Reach("203.0.113.9", 40001, "unanswered", own=False),
        Reach("192.0.2.9", None, "no-socket", own=True, why="in use"),
    ]
    monkeypatch.setattr(self_test, "try_media", lambda _config: found)
    monkeypatch.setattr(self_test, "raise_descriptors", lambda *_a: 4096)
    caplog.set_level(logging.INFO)
    config = ServeConfig(socket=Path(), udp_ports=(40000, 40009), connections_max=50)
    self_test.self_test(config)
    levels = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert [level for level, _ in levels] == ["WARNING", "INFO", "WARNING", "WARNING"]
    assert "10 ports" in levels[0][1]
    assert "203.0.113.9, UDP port 40001: no answer" in levels[2][1]
    assert "in use" in levels[3][1]


def test_a_wrong_address_ends_the_server_before_it_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_listen", lambda _config: pytest.fail("it listens"))
    with pytest.raises(IceHostInvalid, match=r"192\.0\.2\.256"):
        asyncio.run(process.serve(ServeConfig(socket=Path(), ice_hosts=("192.0.2.256",))))
