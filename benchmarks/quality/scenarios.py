"""Scenarios in which quality figures are hard to estimate, each for a different reason."""

from __future__ import annotations

from statistics import NormalDist

from benchmarks.quality.simulated_year import Scenario

# A threshold of -0.5 misses some of these outliers.
_HALF_CAUGHT = NormalDist(-0.53, 0.06)

SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "outliers are rare, and hardly a miss is audited", 3_650_000, 0.001, NormalDist(-0.60, 0.06), 0.8, (0.001,)
    ),
    Scenario("few misses are audited", 3_650_000, 0.01, _HALF_CAUGHT, 0.8, (0.001,)),
    Scenario("ten misses, more or less, are audited", 3_650_000, 0.0125, _HALF_CAUGHT, 0.8, (0.001,)),
    Scenario("many misses are audited", 365_000, 0.05, NormalDist(-0.52, 0.06), 0.8, (0.01,)),
    Scenario("`AUDIT_SHARE` is raised tenfold at midyear", 3_650_000, 0.02, _HALF_CAUGHT, 0.6, (0.0005, 0.005)),
    Scenario(
        "outliers are rare, and `AUDIT_SHARE` is raised fortyfold", 3_650_000, 0.002, _HALF_CAUGHT, 0.6, (0.0005, 0.02)
    ),
    Scenario(
        "one alarm in a hundred is labelled",
        365_000,
        0.02,
        _HALF_CAUGHT,
        0.01,
        (0.01,),
        inlier_scores=NormalDist(-0.42, 0.04),
    ),
    Scenario(
        "alarms are nearly always right, and few are labelled",
        365_000,
        0.01,
        NormalDist(-0.60, 0.06),
        0.02,
        (0.02,),
        inlier_scores=NormalDist(-0.38, 0.03),
    ),
    Scenario(
        "outliers look like inliers, a small service",
        36_500,
        0.05,
        NormalDist(-0.48, 0.06),
        0.5,
        (0.02,),
        inlier_scores=NormalDist(-0.42, 0.04),
    ),
    Scenario(
        "most outliers are missed, few labels at all",
        365_000,
        0.03,
        NormalDist(-0.45, 0.06),
        0.02,
        (0.003,),
        complaints=0.1,
    ),
)
