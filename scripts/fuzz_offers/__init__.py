"""Bends real SDP offers and holds the judge to its rules; see `scripts/fuzz-offers --help`."""
