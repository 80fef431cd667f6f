"""A path of the tests: loss, delay, jitter, reordering and a rate between clients and server.

`model` says what happens to a packet, `relay` does it to datagrams, `proxy` puts relays into the
candidates of WHIP's and WHEP's answers. `python -m streaming.clients.path --help` runs it alone.
"""
