"""What the ledger costs: weights beside a transfer's, and a loaded node beside its clock."""
