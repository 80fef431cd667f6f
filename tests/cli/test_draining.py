"""`paystream relay drain`: waits until a relayer holds nothing, and says why it cannot be."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from offchain.cli import app
from offchain.cli.exits import Exit
from offchain.journal import url_of_chain
from offchain.journal.leasing import Leasing
from offchain.journal.opening import attached, opened
from tests.journal.conftest import database, server

__all__ = ["database", "server"]


def drain(tmp_path: Path, url: str | None, *options: str) -> Result:
    arguments = ["relay", "drain", "one", *options]
    environment = {"XDG_CONFIG_HOME": str(tmp_path), "PAYSTREAM_JOURNAL_URL": url or ""}
    return CliRunner().invoke(app, arguments, env=environment)


def test_a_journal_in_a_file_has_no_relayer_to_hand_over_to(tmp_path: Path) -> None:
    result = drain(tmp_path, None)
    assert result.exit_code == Exit.USAGE
    assert "name it with --journal-url-file" in result.stderr


@pytest.mark.programs
def test_a_relayer_is_drained_when_it_holds_nobody(database: str, tmp_path: Path) -> None:
    with opened(database, shared=True), attached(database) as store:
        assert drain(tmp_path, database).exit_code == Exit.SERVER
        one = Leasing(store, "one/1", lasts_ms=3_600_000)
        one.begin()
        one.claim("5Alice")
        alone = drain(tmp_path, database)
        assert alone.exit_code == Exit.SERVER_REFUSED
        assert "start another" in alone.stderr
        assert not one.renew().draining
        other = Leasing(store, "two/1", lasts_ms=3_600_000)
        other.begin()
        waiting = drain(tmp_path, database, "--timeout", "1")
        assert waiting.exit_code == Exit.FAILED
        assert "still holds 1 viewers after 1 s" in waiting.stderr
        assert one.renew().draining
        gives_up = threading.Timer(0.7, one.let_go, (["5Alice"], 1))
        gives_up.start()
        result = drain(tmp_path, database, "--json")
        gives_up.join()
        assert result.exit_code == Exit.OK, result.output
        assert json.loads(result.stdout) == {"relayer": "one", "handed_over": 1, "others": 1}


@pytest.mark.programs
def test_of_several_chains_all_are_drained_or_none(database: str, tmp_path: Path) -> None:
    asia = url_of_chain(database, "asia")
    with (
        opened(database, shared=True) as here,
        opened(asia, shared=True) as there,
        opened(url_of_chain(database, "of-another"), shared=True),
    ):
        ones = [Leasing(store, "one/1", lasts_ms=3_600_000) for store in (here, there)]
        for one in ones:
            one.begin()
            one.claim("5Alice")
        Leasing(here, "two/1", lasts_ms=3_600_000).begin()
        alone = drain(tmp_path, database)
        assert alone.exit_code == Exit.SERVER_REFUSED
        assert not any(one.renew().draining for one in ones)
        Leasing(there, "two/1", lasts_ms=3_600_000).begin()
        ones[0].let_go(["5Alice"], 1)
        waiting = drain(tmp_path, database, "--timeout", "1")
        assert "still holds 1 viewers after 1 s" in waiting.stderr
        assert all(one.renew().draining for one in ones)
        ones[1].let_go(["5Alice"], 1)
        result = drain(tmp_path, database, "--json")
        assert result.exit_code == Exit.OK, result.output
        assert json.loads(result.stdout) == {"relayer": "one", "handed_over": 0, "others": 1}
