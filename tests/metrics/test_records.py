"""Labels are counted by what the model said and what they say, from 0 on."""

from __future__ import annotations

from itertools import product

from prometheus_client import CollectorRegistry

from app.metrics.records import REFUSALS, FeedbackMetrics


def test_every_series_starts_at_0():
    """Otherwise `increase` would not see the first label."""
    FeedbackMetrics(registry := CollectorRegistry())
    for predicted, label in product(("inlier", "outlier"), repeat=2):
        assert registry.get_sample_value("feedback_total", {"predicted": predicted, "label": label}) == 0
    for reason in REFUSALS:
        assert registry.get_sample_value("feedback_refused_total", {"reason": reason}) == 0
    assert registry.get_sample_value("feedback_age_seconds_count") == 0


def test_label_is_counted_with_its_age():
    """A negative age, caused by clocks that differ, counts as 0."""
    metrics = FeedbackMetrics(registry := CollectorRegistry())
    metrics.record_label(1, -1, 5 * 86_400.0)
    metrics.record_label(1, -1, -2.0)
    metrics.record_refused("unknown", 3)

    assert registry.get_sample_value("feedback_total", {"predicted": "inlier", "label": "outlier"}) == 2
    assert registry.get_sample_value("feedback_age_seconds_sum") == 5 * 86_400.0
    assert registry.get_sample_value("feedback_age_seconds_bucket", {"le": "60.0"}) == 1
    assert registry.get_sample_value("feedback_age_seconds_bucket", {"le": "604800.0"}) == 2
    assert registry.get_sample_value("feedback_refused_total", {"reason": "unknown"}) == 3
