"""Of the dashboard "Predictions": how the rows of the time shown are spread over confidences, labels and scores."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import bargauge
from grafana_foundation_sdk.builders.common import VizTextDisplayOptions
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.common import BarGaugeSizing

from monitoring.dashboards import colours
from monitoring.dashboards.buckets import Bucket, between
from monitoring.dashboards.numbers import bars
from monitoring.dashboards.predictions.confidence import CONFIDENCES
from monitoring.dashboards.queries import INSTANCE, now

# Pixels; two bars would otherwise fill the panel.
_THICKEST_BAR = 60

# Pixels. Beside thin bars Grafana leaves as much room as names of this size need.
_NAMES_OF_THIN_BARS = VizTextDisplayOptions().title_size(11).value_size(16)

# Where forests score: the rest of the histogram from -1 to 0 is hardly ever reached, and shown as one bar on each side.
_LIMITS = [step / 20 for step in range(-16, -6)]
_SCORES = [Bucket(None, _LIMITS[0]), *between(_LIMITS), Bucket(_LIMITS[-1], None)]


def rows_by_confidence_in_all() -> bargauge.Panel:
    """How many labels were how sure."""
    panel = _by_bucket(
        "Rows by confidence",
        "Rows that were labelled in the time shown, by how sure their label is.",
        "prediction_confidence",
        CONFIDENCES,
    )
    for bucket, colour in zip(CONFIDENCES, colours.FROM_BAD_TO_GOOD, strict=True):
        panel = panel.override_by_name(bucket.name, [colours.fixed(colour)])
    return panel


def labels() -> bargauge.Panel:
    """How many rows got which label."""
    panel = bars(
        "Rows by label",
        "Rows that were labelled in the time shown, by their label.",
        units.LocaleFormat,
        now(f"sum by (class_name) (increase(predicted_class_total{{{INSTANCE}}}[$__range]))", "{{class_name}}"),
        decimals=0,
    )
    panel = panel.sizing(BarGaugeSizing.MANUAL).max_viz_height(_THICKEST_BAR)
    for name in ("inlier", "outlier"):
        panel = panel.override_by_name(name, [colours.fixed(colours.OF_LINES[name])])
    return panel


def scores() -> bargauge.Panel:
    """How scores are spread."""
    return _by_bucket(
        "Rows by score",
        "Rows that were scored in the time shown, by their anomaly score: the lower, the more abnormal.",
        "predictions_scores",
        _SCORES,
    )


def _by_bucket(title: str, description: str, histogram: str, buckets: Sequence[Bucket]) -> bargauge.Panel:
    """Draw a bar for each bucket."""
    queries = [now(bucket.count("increase", histogram, INSTANCE, "$__range"), bucket.name) for bucket in buckets]
    return bars(title, description, units.LocaleFormat, *queries, decimals=0).text(_NAMES_OF_THIN_BARS)
