"""What holds for every test."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# No test fails because the machine is busy: what is slow is seen by the steps' budgets.
# Nor because of chance: what is tried is the same each time, and exploring is what fuzzers are for.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

REAL_PARTS = ("browser", "demo", "deploy", "media", "programs", "system")


@pytest.fixture(autouse=True)
def no_settings_from_outside(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fast tests see no variable of whoever runs them; real parts find the node by one."""
    if any(request.node.get_closest_marker(mark) for mark in REAL_PARTS):
        return
    for name in list(os.environ):
        if name.startswith("PAYSTREAM_"):
            monkeypatch.delenv(name)
