"""The community's tables as an operator names them: a file, or a file with a URL."""

from __future__ import annotations

from pathlib import Path

from streaming.community.audit import Verified, verified
from streaming.community.database import opening

__all__ = ["Verified", "place_of", "verify_acts"]


def place_of(database: Path | None, url_file: Path | None) -> Path | str | None:
    """Give where they are: the URL's database where there is one. Raises DatabaseUrlInvalid."""
    return database if url_file is None else opening.read_url(url_file)


def verify_acts(place: Path | str, noted: str | None = None) -> Verified:
    """Check the log of moderators' acts, also while a server has it. Raises DatabaseError.

    `noted` is an entry that was noted elsewhere, as an earlier check gave its head.
    """
    with opening.reading_beside(place) as execute:
        return verified(execute, noted)
