"""Holds the model of the ledger against the pallet; see `scripts/compare-model --help`."""
