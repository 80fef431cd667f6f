"""Which media servers are there, and which have yet to name all that they have."""

from __future__ import annotations

import pytest

from offchain.relayer.servers import (
    AWAY_AFTER_S,
    FIGURES_LOST_AFTER_S,
    SERVER_DEAD_AFTER_S,
    SERVERS_KEPT,
    TOLD_ALL_WITHIN_S,
    Servers,
    is_earlier,
)


@pytest.mark.parametrize(
    ("silent_s", "is_away"),
    [
        (AWAY_AFTER_S - 0.1, False),
        (AWAY_AFTER_S, True),
        (SERVER_DEAD_AFTER_S - 0.1, True),
        (SERVER_DEAD_AFTER_S, False),
    ],
)
def test_a_server_is_away_until_it_is_taken_for_dead(silent_s: float, is_away: bool) -> None:
    servers = Servers()
    servers.hear("boot@one", 100.0)
    assert servers.is_away("boot@one", 100.0 + silent_s) is is_away
    assert servers.is_away("its next boot@one", 100.0 + silent_s) is is_away


def test_a_server_that_never_spoke_is_away_from_the_start_on() -> None:
    servers = Servers()
    servers.started_at = 100.0
    assert servers.is_away("boot@one", 100.0)
    assert servers.is_away("boot@one", 100.0 + SERVER_DEAD_AFTER_S - 0.1)
    assert not servers.is_away("boot@one", 100.0 + SERVER_DEAD_AFTER_S)


@pytest.mark.parametrize(
    "silent_s", [AWAY_AFTER_S, SERVER_DEAD_AFTER_S, FIGURES_LOST_AFTER_S - 0.1]
)
def test_one_that_is_taken_for_dead_may_come_back(silent_s: float) -> None:
    servers = Servers()
    servers.hear("boot@one", 100.0)
    assert servers.may_come_back("boot@one", 100.0 + silent_s)
    assert servers.may_come_back("boot@unheard", FIGURES_LOST_AFTER_S - 0.1)


def test_one_that_is_there_or_silent_for_too_long_is_not_waited_for() -> None:
    servers = Servers()
    servers.hear("boot@one", 100.0)
    assert not servers.may_come_back("boot@one", 100.0 + AWAY_AFTER_S - 0.1)
    assert not servers.may_come_back("boot@one", 100.0 + FIGURES_LOST_AFTER_S)
    assert not servers.may_come_back("boot@unheard", FIGURES_LOST_AFTER_S)


def test_a_boot_has_told_all_once_and_not_before_its_time() -> None:
    servers = Servers()
    assert not servers.has_told_all("boot@one", 100.0)
    servers.await_all("boot@one", 100.0)
    assert not servers.has_told_all("boot@one", 100.0 + TOLD_ALL_WITHIN_S - 0.1)
    servers.await_all("boot@one", 101.0)
    assert not servers.has_told_all("boot@one", 100.0 + TOLD_ALL_WITHIN_S)
    assert servers.has_told_all("boot@one", 101.0 + TOLD_ALL_WITHIN_S)
    assert not servers.has_told_all("boot@one", 101.0 + TOLD_ALL_WITHIN_S)


def test_of_more_servers_than_are_kept_the_one_longest_silent_is_forgotten() -> None:
    servers = Servers()
    servers.started_at = 90.0
    for number in range(SERVERS_KEPT):
        servers.hear(f"boot@{number}", 100.0)
    servers.hear("boot@0", 101.0)
    servers.hear("boot@another", 101.0)
    assert not servers.is_away("boot@0", 101.0)
    assert servers.is_away("boot@1", 101.0), "it is forgotten, and silent since the start"


def test_a_boot_is_earlier_than_another_of_its_server() -> None:
    assert is_earlier("first@one", "second@one")
    assert is_earlier("first", "second@one"), "journals of earlier releases name no server"
    assert not is_earlier("second@one", "second@one")
    assert not is_earlier("first@other", "second@one")
