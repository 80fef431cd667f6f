"""The relayer: watches sessions, keeps the journal, and signs orders with delegated keys."""
