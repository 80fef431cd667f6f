"""PayStream's off-chain side: the typed ledger client, keys, journal and relayer, on trio."""
