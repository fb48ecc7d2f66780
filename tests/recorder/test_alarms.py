"""Every alarm is explained in the background, within a budget, and its record says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from app.db.bulk_insert import Throttle
from app.errors import CannotExplain
from app.metrics.alarms import MAX_NAMED_FEATURES, OTHER_FEATURES, AlarmMetrics
from app.model.bundle import Bundle, read_bundle
from app.model.scoring import score_rows
from app.recorder.alarms import AlarmExplainer, ExplainedAlarms
from app.recorder.protocol import PublishedRows

# An inlier between two outliers.
ROWS = np.array([[0.2, 39.2], [-0.158, -0.1067], [66.3, 53.2]], np.float32)


@pytest.fixture(scope="module")
def bundle(credits_models: Path) -> Bundle:
    """A model that can explain."""
    return read_bundle((credits_models / "current").resolve())


@pytest.fixture
def registry() -> CollectorRegistry:
    """The metrics of a test."""
    return CollectorRegistry()


Make = Callable[..., AlarmExplainer]


@pytest.fixture
def make(registry: CollectorRegistry) -> Make:
    """Return a function that makes explainers with clocks that stand still."""

    def make_one(**options: object) -> AlarmExplainer:
        given: dict[str, Any] = {"with_features": True, "clock": lambda: 0.0, "processor_clock": lambda: 0.0} | options
        return AlarmExplainer(AlarmMetrics(registry), throttle=Throttle(lambda: 0), **given)

    return make_one


@pytest.fixture
def part(bundle: Bundle) -> PublishedRows:
    """Scored rows of a request."""
    return PublishedRows(0.0, "r", bundle.version, 7, score_rows(bundle, ROWS), "ab" * 16)


def _count(registry: CollectorRegistry, result: str) -> float:
    count = registry.get_sample_value("alarm_explanations_total", {"result": result})
    assert count is not None
    return count


def test_alarms_are_explained_as_on_request(make: Make, bundle: Bundle, part: PublishedRows):
    """Outliers have an explanation with the caller's numbers, inliers none."""
    explainer = make()
    explainer.follow(bundle)
    texts = explainer.explain(part, ExplainedAlarms())

    assert texts.keys() == {0, 2}
    expected = bundle.explainer.explain([0.2, 39.2], float(part.scored.scores[0])).as_fields()
    assert json.loads(texts[0]) == expected


def test_alarms_are_counted_once_after_the_commit(make: Make, bundle: Bundle, part: PublishedRows, registry):
    """A transaction that fails is tried again with the same explanations, which cost nothing the second time."""
    calls = []

    def processor_clock() -> float:
        calls.append(0.0)
        return 0.0

    explainer = make(processor_clock=processor_clock)
    explainer.follow(bundle)
    first = explainer.explain(part, ExplainedAlarms())
    n_calls = len(calls)
    alarms = ExplainedAlarms()
    assert explainer.explain(part, alarms) == first
    assert len(calls) == n_calls
    assert _count(registry, "explained") == 0

    explainer.committed(alarms)
    assert _count(registry, "explained") == 2
    shown = {
        name: registry.get_sample_value("alarm_contribution_total", {"feature_name": name})
        for name in alarms.contributions[0]
    }
    for name, total in shown.items():
        assert total == pytest.approx(sum(max(0, each[name]) for each in alarms.contributions))
    assert sum(shown.values()) > 0


def test_budget_is_kept_and_what_it_does_not_allow_is_counted(make: Make, bundle: Bundle, part, registry):
    """Half a second is saved for a burst; then 3 % of the time is left for explanations."""
    now, used = [0.0], [0.0]

    def processor_clock() -> float:
        used[0] += 0.15  # twice per explanation: each takes this long
        return used[0]

    explainer = make(clock=lambda: now[0], processor_clock=processor_clock)
    explainer.follow(bundle)

    def explain(n_times: int) -> int:
        parts = [replace(part, record_id=f"{number:032}") for number in range(n_times)]
        alarms = ExplainedAlarms()
        n_explained = sum(len(explainer.explain(each, alarms)) for each in parts)
        explainer.committed(alarms)
        return n_explained

    assert explain(10) == 4  # 0.5 s, and the last one may go beyond it
    assert explain(10) == 0
    now[0] += 10.2  # 0.306 s more, 0.1 s of which was owed
    assert explain(10) == 2
    now[0] += 1000
    assert explain(10) == 4
    assert _count(registry, "skipped") == 80 - 10


@pytest.mark.parametrize(
    ("result", "error"), [("impossible", CannotExplain("train or import again")), ("failed", ValueError("a bug"))]
)
def test_row_is_recorded_without_an_explanation(make: Make, bundle: Bundle, part, registry, caplog, result, error):
    """Whatever prevents it; a bug is logged once."""

    class _Broken:
        def explain(self, row: object, score: float) -> None:
            raise error

    broken = replace(bundle)
    broken.__dict__["explainer"] = _Broken()
    explainer, alarms = make(), ExplainedAlarms()
    explainer.follow(broken)

    assert explainer.explain(part, alarms) == {}
    explainer.committed(alarms)
    assert _count(registry, result) == 2
    assert len(caplog.records) == (result == "failed")


def test_alarms_of_two_models_are_explained(make: Make, bundle: Bundle, part: PublishedRows, registry):
    """Rows of the old one still arrive while the new one is live; those of an unknown one are counted."""
    explainer = make()
    for version in ("one", "two", "three"):
        explainer.follow(replace(bundle, version=version))
    alarms = ExplainedAlarms()
    explained = {
        name: len(explainer.explain(replace(part, version=name, record_id=name), alarms))
        for name in ("one", "two", "three")
    }

    assert explained == {"one": 0, "two": 2, "three": 2}
    explainer.committed(alarms)
    assert _count(registry, "unknown_model") == 2


def test_without_features_no_value_is_recorded(make: Make, bundle: Bundle, part: PublishedRows):
    """Contributions and the p-value say nothing about the row's numbers; reasons and the counterfactual would."""
    explainer = make(with_features=False)
    explainer.follow(bundle)
    text = explainer.explain(part, ExplainedAlarms())[0]
    stored = json.loads(text)

    assert "39.2" not in text
    assert (stored["reasons"], stored["counterfactual"]) == ([], None)
    assert "RECORD_FEATURES" in stored["notes"]["reasons"]
    assert stored["contributions"].keys() == {"mean", "sd"}


def test_ten_features_are_named(registry: CollectorRegistry):
    """Those with most; a feature that overtakes others gets a series of its own from then on."""
    metrics = AlarmMetrics(registry)
    names = [f"f{number:02}" for number in range(20)]
    metrics.follow(names)

    def read(name: str) -> float | None:
        return registry.get_sample_value("alarm_contribution_total", {"feature_name": name})

    assert read(OTHER_FEATURES) == 0
    metrics.record_explained([{name: number / 100 for number, name in enumerate(names)}])
    assert [name for name in names if read(name) is not None] == names[-MAX_NAMED_FEATURES:]
    assert read(OTHER_FEATURES) == pytest.approx(0.45)

    metrics.record_explained([{"f00": 5.0, "f19": -1.0}])
    assert (read("f00"), read("f19")) == (5.0, 0.19)
    assert read(OTHER_FEATURES) == pytest.approx(0.45)
