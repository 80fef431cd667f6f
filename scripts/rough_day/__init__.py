"""A rough day on the real thing: `scripts/rough-day` is the door to it.

Real processes are killed, stopped, cut off and put back by seeded chance while viewers watch and
pay; at the end the finalized chain is held against what the viewers saw.
"""
