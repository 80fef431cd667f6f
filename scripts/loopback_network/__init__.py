"""A network of several validators on the loopback: each a node with keys of its own.

What one node alone cannot show is shown on it: authors that stop, finality that lags, nodes that
are a block behind.
"""
