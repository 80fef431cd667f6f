"""The command behind `scripts/simulate`."""
