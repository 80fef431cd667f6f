"""People around the streams: accounts, profiles, follows, what a stream is about, and chat.

It forwards no packet, holds no key and speaks to no chain: what it must know of the ledger it asks
the relayer, through whoever mounts it (`host.py`).
"""
