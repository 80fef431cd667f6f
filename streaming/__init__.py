"""Media: WHIP in, WHEP out, the SFU and its meter, the REST API and the pages.

Nothing here holds a key or speaks to the chain. What the media server needs to know of
the ledger it asks the relayer, over one local socket (`streaming.session_state`).
"""
