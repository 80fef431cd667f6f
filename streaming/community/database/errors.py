"""What can be wrong with the database, in words for its operator."""

from __future__ import annotations


class DatabaseError(Exception):
    """The community's database cannot be used; the message says what to do."""


class DatabaseUnavailable(DatabaseError):
    """It is not there, or not writable, at the moment."""


class DatabaseUnreadable(DatabaseError):
    """It is damaged, or of a later release."""


class DatabaseLocked(DatabaseError):
    """Another process has it."""


class DatabaseUrlInvalid(DatabaseError):
    """What should be its URL is none, or is open to others."""
