"""A month of faults in a minute: the real relayer in a world where everything misbehaves.

`docs/simulation.md` says what is simulated, what repeats to the byte, and what does not.
"""
