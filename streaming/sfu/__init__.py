"""Packets: in from publishers, out to subscribers, and how much of them was delivered."""
