"""Of the dashboard "Training": how the run is getting on."""

from __future__ import annotations

from grafana_foundation_sdk.builders import bargauge, stat, timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards import colours
from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.numbers import bars, names, number
from monitoring.dashboards.queries import named_or, query
from monitoring.dashboards.training.latest import RUNNING, of_training


def add_run(grid: Grid) -> None:
    """Add the panels."""
    grid.heading("Run")
    grid.line(5, _result(), _stage(), _progress(), _last_success(), _rows(), widths=(5, 5, 5, 5, 4))
    grid.line(8, _progress_over_time(), _silence(), _durations())


def _result() -> stat.Panel:
    """How it ended."""
    return names(
        "Last run",
        "How the training that was watched last ended; interrupted is by a person or a stop signal. "
        "Alert TrainingFailed: monitoring/runbook.md#trainingfailed",
        named_or(f"({of_training('training_runs_total', by='result')}) == 1", "result", "none has ended"),
        coloured={"success": colours.GOOD, "failure": colours.BAD, "interrupted": colours.WARNING},
    )


def _stage() -> stat.Panel:
    """What it is doing."""
    return names(
        "Stage",
        "What the training that runs is doing.",
        named_or(f"max by (stage) (training_stage{{{RUNNING}}}) == 1", "stage", "none runs"),
    )


def _progress() -> stat.Panel:
    """How far it is."""
    return number(
        "Progress",
        "Part of the trees that stand.",
        units.PercentUnit,
        query(of_training("training_progress_ratio"), "progress", often=True),
        decimals=0,
        sparkline=False,
    )


def _last_success() -> stat.Panel:
    """When one last went well."""
    return number(
        "Last success",
        "Time since a training last succeeded. A live model that has become too old is told of. "
        "Alert RetrainingNeeded: monitoring/runbook.md#retrainingneeded",
        units.Seconds,
        query(f"time() - ({of_training('training_last_success_timestamp_seconds')})", "ago", often=True),
        decimals=0,
        sparkline=False,
    ).no_value("never")


def _rows() -> stat.Panel:
    """What it learns from."""
    return number(
        "Rows",
        "Rows that the model is trained on.",
        units.LocaleFormat,
        query(of_training("training_rows"), "rows", often=True),
        sparkline=False,
    )


def _progress_over_time() -> timeseries.Panel:
    """How fast it advances."""
    return graph(
        "Progress over time",
        "Part of the trees that stand. A line that stays where it is below 100 % is a training that waits or hangs.",
        units.PercentUnit,
        query(of_training("training_progress_ratio"), "trees that stand", often=True),
        decimals=0,
        at_least=1,
    )


def _silence() -> timeseries.Panel:
    """What StalledTraining looks at."""
    running = f"max(training_stage{{{RUNNING}}})"
    silent = f"time() - max(training_last_progress_timestamp_seconds{{{RUNNING}}})"
    return graph(
        "Time without progress",
        "Time since a stage last began or trees last were done, 0 when no training runs. "
        "Alert StalledTraining: monitoring/runbook.md#stalledtraining",
        units.Seconds,
        # Without a training there is nothing to be late.
        query(f"{running} * ({silent}) or vector(0)", "without progress", often=True),
        alert_line("threshold:training_silence_seconds:max"),
        decimals=0,
    )


def _durations() -> bargauge.Panel:
    """Where the time went."""
    return bars(
        "Duration by stage",
        "How long each stage took; 0 until it has ended.",
        units.Seconds,
        query(of_training("training_duration_seconds", by="stage"), "{{stage}}", often=True),
        decimals=1,
    )
