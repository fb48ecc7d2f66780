"""Of the dashboard "Predictions": how sure labels are, over time."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards import colours
from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.buckets import Bucket, between
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.queries import INSTANCE, query

# All that the histogram has, from the least sure to the surest.
CONFIDENCES = [Bucket(None, 0.1), *between([step / 10 for step in range(1, 11)])]


def average_confidence() -> timeseries.Panel:
    """What LowPredictionConfidence looks at."""
    return graph(
        "Average confidence",
        "Mean confidence of the labels of one minute: 1 if other training rows would surely have given each row its "
        "label, 0.5 if they might as well have given it the other. "
        "Alert LowPredictionConfidence: monitoring/runbook.md#lowpredictionconfidence",
        units.NoUnit,
        query("job:prediction_confidence:avg_rate1m", "average"),
        alert_line("threshold:prediction_confidence:min"),
        decimals=3,
        at_least=1,
    )


def rows_by_confidence() -> timeseries.Panel:
    """How many labels are how sure."""
    panel = graph(
        "Rows a second by confidence",
        "Rows that were labelled, by how sure their label is, on top of each other. Red that grows where there was "
        "green: more rows score close to where the label turns.",
        "rows/s",
        *(
            query(bucket.count("rate", "prediction_confidence", INSTANCE, "$__rate_interval"), bucket.name, often=True)
            for bucket in CONFIDENCES
        ),
        decimals=1,
        stacked=True,
        wide=True,
    )
    for bucket, colour in zip(CONFIDENCES, colours.FROM_BAD_TO_GOOD, strict=True):
        panel = panel.override_by_name(bucket.name, [colours.fixed(colour)])
    return panel
