"""The signer: a process of its own that holds the delegates' keys and judges what it signs."""
