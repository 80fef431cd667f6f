"""What can be wrong with a journal. Each message names the place and the remedy."""

from __future__ import annotations


class JournalError(Exception):
    """The root of the journal's errors."""


class JournalLocked(JournalError):
    """Another process owns the journal."""


class JournalUnreadable(JournalError):
    """It is no journal, is damaged, or belongs to another release or chain."""


class JournalUnavailable(JournalError):
    """The journal could not be read or written.

    Nothing of a write took place, or (where a database's answer was lost) all of it; either way it
    may be repeated.
    """


class JournalUrlInvalid(JournalError):
    """What was given as the journal's address is none."""


class JournalExists(JournalError):
    """Something is where a new journal, or a copy of one, was to go."""
