"""The dashboard "Drift": whether rows and answers still resemble training, and whether the recorder gets all rows."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models import units

from monitoring.dashboards import colours
from monitoring.dashboards.alert_thresholds import alert_line, drift_threshold_line
from monitoring.dashboards.base import drift_events, instance_variable, new_dashboard
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.latest_values import names, number
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, names_query, query, rate

_DRIFTING = f"max by (detector) (drift_active{{{INSTANCE}}} == 1)"

_NO_DRIFT, _TOO_FEW_ROWS, _NOT_MONITORED = "no drift", "not enough rows yet", "not monitored"


def build() -> Dashboard:
    """Build the dashboard."""
    dashboard = (
        new_dashboard(
            "Drift",
            "isowatch-drift",
            "Whether rows and answers still resemble training. The detector cvm compares each feature, mmd all "
            "features together, score the anomaly scores, outlier_rate the outlier ratio, counts thousands of rows in "
            "search of small changes. Each replica has its own detectors; the largest value over the selected replicas "
            "is shown.",
        )
        .with_variable(instance_variable())
        .annotation(drift_events())
    )
    grid = Grid(dashboard)
    grid.add_row("Drift events")
    grid.add_panels(5, _current_drift(), _event_count(), _dependence(), _window_fill(), widths=(9, 5, 5, 5))
    grid.add_panels(8, _events(), _signals())
    grid.add_row("Statistics")
    grid.add_panels(10, _statistics(), _medians())
    grid.add_panels(9, _features())
    grid.add_row("Recorder")
    grid.add_panels(8, _rows(), _lost_rows(), _recorder_up())
    return dashboard


def _current_drift() -> stat.Panel:
    # The first of these that has a series: drifting detectors, a full window, calibrated detectors.
    full = f'label_replace(max(drift_window_fill_ratio{{{INSTANCE}}}) == 1, "detector", "{_NO_DRIFT}", "", "")'
    calibrated = f'label_replace(max(drift_threshold{{{INSTANCE}}}) > 0, "detector", "{_TOO_FEW_ROWS}", "", "")'
    panel = names(
        "Current drift",
        'Detectors with a confirmed drift that continues. "not monitored" means that the model was trained without '
        "detectors, or that the recorder is not running. Alert DriftDetected: monitoring/runbook.md#driftdetected",
        names_query(f"({_DRIFTING}) or on () {full} or on () {calibrated}", "detector", _NOT_MONITORED),
        coloured={_NO_DRIFT: colours.GOOD, _TOO_FEW_ROWS: colours.NEUTRAL, _NOT_MONITORED: colours.NEUTRAL},
    )
    for detector in ("cvm", "mmd", "counts", "score", "outlier_rate"):
        panel = panel.override_by_name(detector, [colours.fixed(colours.BAD)])
    return panel


def _event_count() -> stat.Panel:
    return number(
        "Drift events",
        "Drift events in the time range, over all detectors. A drift counts once; it lasts until rows are as before.",
        units.Short,
        query(f"sum(increase(drift_events_total{{{INSTANCE}}}[$__range]))", "events", fast_scrape=True),
        decimals=0,
        sparkline=False,
    )


def _dependence() -> stat.Panel:
    return number(
        "Dependence of rows",
        "What all thresholds are multiplied with, because rows resemble their neighbours, as retries and sessions do. "
        "1 for independent rows, at most 10: then only clear changes are found. A cautious value in the first 2,000 "
        "rows of a version.",
        units.NoUnit,
        query(f"max(drift_dependence_factor{{{INSTANCE}}})", "factor", fast_scrape=True),
        decimals=1,
    )


def _window_fill() -> stat.Panel:
    return number(
        "Window fill",
        "Filled share of the detectors' window, for the replica with the fewest rows. Detectors compare nothing until "
        "it is full; a restart keeps the rows.",
        units.PercentUnit,
        query(f"min(drift_window_fill_ratio{{{INSTANCE}}})", "filled", fast_scrape=True),
        decimals=0,
    ).max(1)


def _events() -> timeseries.Panel:
    return graph(
        "Drift events within 5 minutes",
        "Drift events by detector; cvm and counts name the feature that moved most. "
        "Alert DriftDetected: monitoring/runbook.md#driftdetected "
        "Alert PredictionScoreShift: monitoring/runbook.md#predictionscoreshift "
        "Alert OutlierRateShift: monitoring/runbook.md#outlierrateshift",
        units.Short,
        query(f"{_increase_over_5_minutes('drift_events_total')} > 0", "{{detector}} {{feature}}", fast_scrape=True),
        decimals=0,
        soft_max=2,
    )


def _signals() -> timeseries.Panel:
    # Each detector checks once per row.
    rows = f'sum by (instance) (increase(drift_test_stat_count{{{INSTANCE}, detector="cvm"}}[5m]))'
    expected = f"sum({rows} * on (instance) drift_expected_alarms_per_row{{{INSTANCE}}})"
    return graph(
        "Threshold crossings within 5 minutes",
        "How often the statistics of all detectors crossed their thresholds, and how often they do so while nothing "
        "changes: each once per --drift-ert rows on average, counts far less often. Nobody is alerted on that; those "
        "that are confirmed are drift events.",
        units.Short,
        query(f"sum({_increase_over_5_minutes('drift_alarms_total')})", "observed", fast_scrape=True),
        query(expected, "expected", fast_scrape=True),
        query(f"{_increase_over_5_minutes('drift_alarms_total')} > 0", "{{detector}} {{feature}}", fast_scrape=True),
        decimals=0,
        soft_max=2,
    )


def _increase_over_5_minutes(counter: str) -> str:
    """Return PromQL for the increase of a counter, rounded because ``increase`` extrapolates."""
    return f"round(sum by (detector, feature) (increase({counter}{{{INSTANCE}}}[5m])))"


def _statistics() -> timeseries.Panel:
    # Without detectors the threshold is 0.
    ratio = f"drift_last_stat{{{INSTANCE}}} / (drift_threshold{{{INSTANCE}}} > 0)"
    return graph(
        "Statistic / threshold",
        "The latest statistic of each detector, divided by its threshold. Values above 1 are expected now and then; "
        "staying above 1 is a drift. The scale is logarithmic.",
        units.NoUnit,
        query(f"max by (detector) ({ratio}) > 0", "{{detector}}", fast_scrape=True),
        drift_threshold_line(),
        decimals=2,
        logarithmic=True,
    )


def _medians() -> timeseries.Panel:
    by_bucket = rate("drift_test_stat_bucket", INSTANCE, by="detector, le")
    return graph(
        "Median of statistic / threshold",
        "Median over the most recent tests, estimated from histogram buckets. There is a test for every row, so the "
        "median is steadier than the latest statistic.",
        units.NoUnit,
        query(f"histogram_quantile(0.5, {by_bucket}) > 0", "{{detector}}", fast_scrape=True),
        drift_threshold_line(),
        decimals=2,
    )


def _features() -> timeseries.Panel:
    return graph(
        "Distance by feature",
        "Distance of the latest rows from training in each feature, the ten largest; the largest has moved most. "
        "While nothing changes, one window in a thousand exceeds 1, and no value stays at 0 for long.",
        units.NoUnit,
        query(
            f"topk(10, max by (feature_name) (drift_feature_distance{{{INSTANCE}}}) > 0)",
            "{{feature_name}}",
            fast_scrape=True,
        ),
        decimals=2,
        soft_max=1,
        legend_right=True,
        logarithmic=True,
    )


def _rows() -> timeseries.Panel:
    return graph(
        "Rows per second by result",
        "Rows that workers sent to the recorder or dropped, and rows that the recorder recorded: written to the "
        "database, or not sampled for it. Rows that were sent but not recorded are pending, or were lost when a "
        "recorder stopped.",
        "rows/s",
        query(rate("recorder_rows_total", INSTANCE, by="result"), "{{result}}", fast_scrape=True),
        decimals=1,
    )


def _lost_rows() -> timeseries.Panel:
    return graph(
        "Lost rows",
        "Share of scored rows that were not recorded, over 5 minutes; negative while a backlog is written. Failed "
        "writes to the database have their own alert. "
        "Alert RecordsNotWritten: monitoring/runbook.md#recordsnotwritten "
        "Alert RecorderDropsRows: monitoring/runbook.md#recorderdropsrows",
        units.PercentUnit,
        query('job_instance:recorder_lost_rows_per_row:ratio_rate5m{instance=~"$instance"}', "{{instance}}"),
        alert_line("threshold:recorder_lost_ratio:max"),
        decimals=1,
    )


def _recorder_up() -> timeseries.Panel:
    return graph(
        "Recorder up",
        "Share of 5 minutes in which the recorder of a replica was up. "
        "Alert RecorderDown: monitoring/runbook.md#recorderdown",
        units.PercentUnit,
        query(f"avg by (instance) (avg_over_time(recorder_up{{{INSTANCE}}}[5m]))", "{{instance}}", fast_scrape=True),
        alert_line("threshold:recorder_up_ratio:min"),
        decimals=0,
        soft_max=1,
    )
