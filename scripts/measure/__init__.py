"""Measurements of the whole system, beside its rivals in the same run: `scripts/bench`."""
