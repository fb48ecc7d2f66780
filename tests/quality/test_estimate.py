"""A figure that is missing has a reason."""

from __future__ import annotations

from app.quality.estimate import Estimate


def test_complement_swaps_the_ends():
    """The low end of a share is the high end of its complement."""
    assert Estimate(0.75, 0.5, 1.0, 8).complement() == Estimate(0.25, 0.0, 0.5, 8)


def test_complement_of_the_unknown_is_unknown():
    """For the same reason."""
    unknown = Estimate.unknown("no alarm has one", 3)

    assert unknown.complement() == unknown
    assert unknown.reason == "not enough labels: no alarm has one"
