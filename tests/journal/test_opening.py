"""Where a journal is: a path, a URL in a file or in a variable, and never a flag."""

from __future__ import annotations

from pathlib import Path

import pytest

from offchain.journal import (
    URL_VARIABLE,
    JournalUnavailable,
    JournalUrlInvalid,
    open_journal,
    url_of,
)

URL = "postgresql://relay:s3cret@db.example/journal"


def test_the_file_wins_over_the_variable(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(f"{URL}\n# the database of the relayer\n")
    file.chmod(0o600)
    variable = {URL_VARIABLE: "postgresql:///other"}
    assert url_of(None, {}) is None
    assert url_of(None, {URL_VARIABLE: ""}) is None
    assert url_of(None, variable) == "postgresql:///other"
    assert url_of(file, variable) == URL


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(URL)
    file.chmod(0o640)
    with pytest.raises(JournalUrlInvalid, match="chmod 600"):
        url_of(file, {})


@pytest.mark.parametrize("content", ["", "mysql://u:s3cret@h/d", "\n" + URL, "s3cret"])
def test_a_file_without_a_url_is_told_without_its_content(tmp_path: Path, content: str) -> None:
    file = tmp_path / "url"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(JournalUrlInvalid, match="is no URL of PostgreSQL") as caught:
        url_of(file, {})
    assert "s3cret" not in str(caught.value)


def test_a_missing_or_binary_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalUrlInvalid, match="No such file"):
        url_of(tmp_path / "url", {})
    (tmp_path / "url").write_bytes(b"\xff\xfe")
    (tmp_path / "url").chmod(0o600)
    with pytest.raises(JournalUrlInvalid, match="it is no text"):
        url_of(tmp_path / "url", {})


async def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(JournalUrlInvalid) as caught:
        async with open_journal("mysql://u:s3cret@h/d"):
            pass
    assert "s3cret" not in str(caught.value)


async def test_a_missing_psycopg_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "offchain.journal.postgres", None)
    with pytest.raises(JournalUnavailable, match="pip install"):
        async with open_journal(URL):
            pass
