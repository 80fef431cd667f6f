"""What is said to somebody whose request cannot be served."""

from __future__ import annotations

import math

from streaming.session_state import Problem


class Refused(Exception):
    """A request that cannot be served, and what to do about it. Nothing was changed."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        wait_s: float | None = None,
    ) -> None:
        """`wait_s`: after how many seconds it may be different."""
        super().__init__(f"{code}: {detail}")
        retry_after_s = None if wait_s is None else max(1, math.ceil(wait_s))
        self.problem = Problem(
            status=status, code=code, detail=detail, field=field, retry_after_s=retry_after_s
        )

    @classmethod
    def of(cls, problem: Problem) -> Refused:
        """Pass on what the relayer, or whoever mounts this, has said."""
        refused = cls(problem.status, problem.code, problem.detail)
        refused.problem = problem
        return refused


def too_often(what: str, wait_s: float) -> Refused:
    """Refuse what a pace does not let through: `what` says of whom and how much."""
    seconds = max(1, math.ceil(wait_s))
    return Refused(429, "too-often", f"{what}; try again in {seconds} s", wait_s=wait_s)
