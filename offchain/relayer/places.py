"""The admissions that wait for their grant's turn, and what of money is kept for them. Pure.

Whoever asks about one viewer or one grant goes over that one's alone: each lease asks, and a crowd
that looks into one stream after the other waits by the hundred.
"""

from __future__ import annotations

import msgspec

from offchain.ledger.types import Asset


class Place(msgspec.Struct, kw_only=True, eq=False):
    """An admission that waits for its grant's turn until `leave_at` (trio's clock).

    `funds` of its viewer's vault and of the grant's cap are kept for it.
    """

    grant: int
    viewer: str
    asset: Asset
    funds: int
    leave_at: float


class Places:
    """Who waits, by viewer and in the order of coming."""

    def __init__(self) -> None:
        self._by_viewer: dict[str, tuple[Place, ...]] = {}

    def enter(self, place: Place) -> None:
        """Come last."""
        self._by_viewer[place.viewer] = (*self.of(place.viewer), place)

    def leave(self, place: Place) -> None:
        """Wait no more."""
        left = tuple(other for other in self.of(place.viewer) if other is not place)
        if left:
            self._by_viewer[place.viewer] = left
        else:
            del self._by_viewer[place.viewer]

    def of(self, viewer: str) -> tuple[Place, ...]:
        """List a viewer's, in the order of coming."""
        return self._by_viewer.get(viewer, ())

    def ahead(self, viewer: str, grant: int, place: Place | None) -> int:
        """Count those of a viewer's grant that come before `place`; None comes last."""
        line = [other for other in self.of(viewer) if other.grant == grant]
        return line.index(place) if place in line else len(line)

    def funds(self, viewer: str, asset: Asset, grant: int | None, but: Place | None) -> int:
        """Sum what is kept of a viewer's vault, or of one grant's cap, `but` excepted."""
        line = self._by_viewer.get(viewer)
        if line is None:  # it is asked twice for each lease
            return 0
        return sum(
            place.funds
            for place in line
            if place is not but and place.asset == asset and (grant is None or place.grant == grant)
        )
