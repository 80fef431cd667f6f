"""The main job, run and checked: `scripts/demo` is the door to it.

A publisher sends a real stream, viewers watch it, the relayer bills what was delivered, the
creator claims, and at the end the finalized chain is held against what the viewers saw.
"""
