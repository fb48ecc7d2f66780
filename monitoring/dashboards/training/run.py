"""Dashboard "Training": progress and resources of a run."""

from __future__ import annotations

from grafana_foundation_sdk.builders import bargauge, stat, timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards import colours
from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.latest_values import bar_gauge, names, number
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import RUNNING_TRAINING, names_query, query, running_or_last


def add_run(grid: Grid) -> None:
    """Add the panels on progress."""
    grid.add_row("Run")
    grid.add_panels(5, _result(), _stage(), _progress(), _last_success(), _rows(), widths=(5, 5, 5, 5, 4))
    grid.add_panels(8, _progress_over_time(), _time_without_progress(), _durations())


def add_resources(grid: Grid) -> None:
    """Add the panels on resources."""
    grid.add_row("Resources")
    grid.add_panels(8, _memory(), _cpu())


def _result() -> stat.Panel:
    return names(
        "Last run",
        "Result of the last monitored training run; interrupted means by a person or a stop signal. "
        "Alert TrainingFailed: monitoring/runbook.md#trainingfailed",
        names_query(f"({running_or_last('training_runs_total', by='result')}) == 1", "result", "none finished"),
        coloured={"success": colours.GOOD, "failure": colours.BAD, "interrupted": colours.WARNING},
    )


def _stage() -> stat.Panel:
    return names(
        "Stage",
        "Current stage of the training run.",
        names_query(f"max by (stage) (training_stage{{{RUNNING_TRAINING}}}) == 1", "stage", "not running"),
    )


def _progress() -> stat.Panel:
    return number(
        "Progress",
        "Share of trees that are fitted.",
        units.PercentUnit,
        query(running_or_last("training_progress_ratio"), "progress", fast_scrape=True),
        decimals=0,
        sparkline=False,
    )


def _last_success() -> stat.Panel:
    return number(
        "Last success",
        "Time since the last successful training run. The alert fires if the live model is too old. "
        "Alert RetrainingNeeded: monitoring/runbook.md#retrainingneeded",
        units.Seconds,
        query(f"time() - ({running_or_last('training_last_success_timestamp_seconds')})", "ago", fast_scrape=True),
        decimals=0,
        sparkline=False,
    ).no_value("never")


def _rows() -> stat.Panel:
    return number(
        "Training rows",
        "Rows that the model is trained on.",
        units.LocaleFormat,
        query(running_or_last("training_rows"), "rows", fast_scrape=True),
        sparkline=False,
    )


def _progress_over_time() -> timeseries.Panel:
    return graph(
        "Progress over time",
        "Share of trees that are fitted. A flat line below 100 % is a training run that waits or hangs.",
        units.PercentUnit,
        query(running_or_last("training_progress_ratio"), "fitted trees", fast_scrape=True),
        decimals=0,
        soft_max=1,
    )


def _time_without_progress() -> timeseries.Panel:
    is_running = f"max(training_stage{{{RUNNING_TRAINING}}})"
    silence = f"time() - max(training_last_progress_timestamp_seconds{{{RUNNING_TRAINING}}})"
    return graph(
        "Time without progress",
        "Time since a stage started or trees were fitted; 0 without a training run. "
        "Alert StalledTraining: monitoring/runbook.md#stalledtraining",
        units.Seconds,
        query(f"{is_running} * ({silence}) or vector(0)", "without progress", fast_scrape=True),
        alert_line("threshold:training_silence_seconds:max"),
        decimals=0,
    )


def _durations() -> bargauge.Panel:
    return bar_gauge(
        "Duration by stage",
        "Duration of each finished stage; 0 for the others.",
        units.Seconds,
        query(running_or_last("training_duration_seconds", by="stage"), "{{stage}}", fast_scrape=True),
        decimals=1,
    )


def _memory() -> timeseries.Panel:
    return graph(
        "Memory",
        "Memory of the training process.",
        units.BytesIEC,
        query(running_or_last("training_memory_usage_bytes"), "memory", fast_scrape=True),
        decimals=0,
    )


def _cpu() -> timeseries.Panel:
    return graph(
        "CPU",
        "CPU time of the training process; 100 % is one core.",
        units.Percent,
        query(running_or_last("training_cpu_usage_percent"), "CPU", fast_scrape=True),
        decimals=0,
        soft_max=100,
    )
