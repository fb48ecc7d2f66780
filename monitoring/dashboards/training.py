"""The dashboard "Training": the training that runs, else what the last one told the Pushgateway."""

from __future__ import annotations

from grafana_foundation_sdk.builders import bargauge, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import units

from monitoring.dashboards import colours
from monitoring.dashboards.alert_thresholds import alert_line, bad_above, threshold
from monitoring.dashboards.frame import choice, new_dashboard
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.panels import bars, graph, names, number, rows
from monitoring.dashboards.queries import named_or, query, rows_now

_RUNNING = 'job="model-training"'
_LAST = 'job="training", model_name=~"$model_name"'


def build() -> Dashboard:
    """Make the dashboard."""
    dashboard = new_dashboard(
        "Training",
        "isowatch-training",
        "How the training that runs is getting on, and what came out. When none runs, what the last one pushed at its "
        "end is shown.",
    ).with_variable(
        choice("model_name", "Model of the last training", 'label_values({job="training"}, model_name)', several=False)
    )
    grid = Grid(dashboard)
    grid.heading("Run")
    grid.line(5, _result(), _stage(), _progress(), _last_success(), _rows(), widths=(5, 5, 5, 5, 4))
    grid.line(8, _progress_over_time(), _silence(), _durations())
    grid.heading("Outcome")
    grid.line(9, _inliers(), _validation(), _scores(), widths=(6, 9, 9))
    grid.line(6, _trees_fitted(), _trees(), _depth(), _leaves(), _splits(), widths=(4, 4, 4, 4, 8))
    grid.heading("Resources")
    grid.line(8, _memory(), _cpu())
    return dashboard


def _of_training(metric: str, by: str = "", labels: str = "") -> str:
    """Say what the running training tells, or, when none does, what the last one told.

    Parameters
    ----------
    metric
        Its name.
    by
        Labels to keep, separated by commas.
    labels
        More of a selector.
    """
    kept = f" by ({by})" if by else ""
    more = f", {labels}" if labels else ""
    # With `on ()` one series of a training that runs hides all of those that were pushed: both together would
    # tell of two trainings as if they were one.
    return f"max{kept} ({metric}{{{_RUNNING}{more}}}) or on () max{kept} ({metric}{{{_LAST}{more}}})"


def _result() -> stat.Panel:
    """How it ended."""
    return names(
        "Last run",
        "How the training that was watched last ended; interrupted is by a person or a stop signal. "
        "Alert TrainingFailed: monitoring/runbook.md#trainingfailed",
        named_or(f"({_of_training('training_runs_total', by='result')}) == 1", "result", "none has ended"),
        coloured={"success": colours.GOOD, "failure": colours.BAD, "interrupted": colours.WARNING},
    )


def _stage() -> stat.Panel:
    """What it is doing."""
    return names(
        "Stage",
        "What the training that runs is doing.",
        named_or(f"max by (stage) (training_stage{{{_RUNNING}}}) == 1", "stage", "none runs"),
    )


def _progress() -> stat.Panel:
    """How far it is."""
    return number(
        "Progress",
        "Part of the trees that stand.",
        units.PercentUnit,
        query(_of_training("training_progress_ratio"), "progress", often=True),
        decimals=0,
        sparkline=False,
    )


def _last_success() -> stat.Panel:
    """When one last went well."""
    return number(
        "Last success",
        "Time since a training last succeeded. A model that is too old is told of by ModelStale: "
        "monitoring/runbook.md#modelstale",
        units.Seconds,
        query(f"time() - ({_of_training('training_last_success_timestamp_seconds')})", "ago", often=True),
        decimals=0,
        thresholds=bad_above(threshold("threshold:model_age_seconds:max")),
        sparkline=False,
    ).no_value("never")


def _rows() -> stat.Panel:
    """What it learns from."""
    return number(
        "Rows",
        "Rows that the model is trained on.",
        units.LocaleFormat,
        query(_of_training("training_rows"), "rows", often=True),
        sparkline=False,
    )


def _progress_over_time() -> timeseries.Panel:
    """How fast it advances."""
    return graph(
        "Progress over time",
        "Part of the trees that stand. A line that stays where it is below 100 % is a training that waits or hangs.",
        units.PercentUnit,
        query(_of_training("training_progress_ratio"), "trees that stand", often=True),
        decimals=0,
        at_least=1,
    )


def _silence() -> timeseries.Panel:
    """What StalledTraining looks at."""
    running = f"max(training_stage{{{_RUNNING}}})"
    silent = f"time() - max(training_last_progress_timestamp_seconds{{{_RUNNING}}})"
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
        query(_of_training("training_duration_seconds", by="stage"), "{{stage}}", often=True),
        decimals=1,
    )


def _inliers() -> bargauge.Panel:
    """How many rows are normal to the model."""
    return bars(
        "Inliers",
        "Share of the rows that the model labels inliers, of those that it was trained on and of the test rows.",
        units.PercentUnit,
        query(_of_training("training_inlier_ratio", by="set"), "{{set}}", often=True),
        decimals=2,
    ).max(1)


def _validation() -> bargauge.Panel:
    """How well it finds known outliers."""
    return (
        bars(
            "Agreement with known labels",
            "How well the model finds the outliers that are known, from 0 to 1: of the test rows if theirs are known, "
            "else of the training rows. Only with `--label`.",
            units.PercentUnit,
            query(_of_training("training_validation", by="metric"), "{{metric}}", often=True),
            decimals=1,
        )
        .max(1)
        .no_value("no labels are known")
    )


def _scores() -> table.Panel:
    """How scores are spread."""

    def of_set(name: str) -> Dataquery:
        return rows_now(_of_training("training_score_quantile", by="quantile", labels=f'set="{name}"'))

    return rows(
        "Scores by quantile",
        "Quantiles of the anomaly scores, of the training rows and of the test rows: the lower, the more abnormal. "
        "Where the two differ, the test rows are of another kind.",
        [of_set("train"), of_set("test")],
        {"quantile": "quantile", "Value #A": "training rows", "Value #B": "test rows"},
        unit=units.NoUnit,
        if_none="no training is known",
        decimals=3,
        joined_by="quantile",
    )


def _trees_fitted() -> stat.Panel:
    """What was done."""
    return number(
        "Trees fitted",
        "Trees that this training has fitted.",
        units.LocaleFormat,
        # One training counts from 0 and ends: its count is the fact that is asked for, and no rate.
        query(_of_training("training_trees_total"), "trees", often=True),
        decimals=0,
        sparkline=False,
    )


def _trees() -> stat.Panel:
    """How large the forest is."""
    return number(
        "Trees",
        "Trees of the finished model.",
        units.LocaleFormat,
        query(_of_training("ensemble_tree_count"), "trees", often=True),
        decimals=0,
        sparkline=False,
    )


def _depth() -> stat.Panel:
    """How high it is."""
    return number(
        "Depth",
        "Edges from the root to the deepest leaf.",
        units.LocaleFormat,
        query(_of_training("tree_max_depth"), "edges", often=True),
        decimals=0,
        sparkline=False,
    )


def _leaves() -> stat.Panel:
    """How fine it is."""
    return number(
        "Leaves",
        "Leaves of all trees together.",
        units.LocaleFormat,
        query(_of_training("tree_leaf_count"), "leaves", often=True),
        sparkline=False,
    )


def _splits() -> bargauge.Panel:
    """What it looks at."""
    return bars(
        "Splits by feature",
        "Share of all splits that test a feature, for the five features with the most. Features that are drawn at "
        "random share alike; one far below is often constant.",
        units.PercentUnit,
        query(_of_training("feature_split_share", by="feature_name"), "{{feature_name}}", often=True),
        decimals=1,
    ).max(1)


def _memory() -> timeseries.Panel:
    """What it holds."""
    return graph(
        "Memory",
        "Memory of the training's process.",
        units.BytesIEC,
        query(_of_training("training_memory_usage_bytes"), "memory", often=True),
        decimals=0,
    )


def _cpu() -> timeseries.Panel:
    """How busy it is."""
    return graph(
        "CPU",
        "CPU time of the training's process; 100 % is one core.",
        units.Percent,
        query(_of_training("training_cpu_usage_percent"), "CPU", often=True),
        decimals=0,
        at_least=100,
    )
