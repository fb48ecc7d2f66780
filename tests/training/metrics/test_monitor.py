"""Metrics of a training while it runs and after it failed."""

from __future__ import annotations

import time

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from training.fitting.evaluate import EnsembleShape
from training.metrics.monitor import Stage, TrainingMonitor, TreeModelMonitor


@pytest.fixture
def monitor() -> TreeModelMonitor:
    """Return the monitor of a run that has not started."""
    return TreeModelMonitor()


def value(monitor: TrainingMonitor, name: str, **labels: str) -> float | None:
    """Return one sample, or None."""
    return monitor.registry.get_sample_value(name, labels)


def values(monitor: TrainingMonitor, name: str, label: str) -> dict[str, float]:
    """Return the samples of a metric by one of its labels."""
    families = text_string_to_metric_families(generate_latest(monitor.registry).decode())
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return {sample.labels[label]: sample.value for sample in samples}


def test_all_results_and_stages_start_at_zero(monitor):
    """The first event of a series that starts at 1 would be invisible."""
    assert values(monitor, "training_runs_total", "result") == {"success": 0, "failure": 0, "interrupted": 0}
    assert values(monitor, "training_stage", "stage") == dict.fromkeys(Stage, 0)
    assert values(monitor, "training_duration_seconds", "stage") == dict.fromkeys(Stage, 0)


def test_one_stage_runs_at_a_time(monitor):
    """The duration of each is set when it ends; that of the last one at the end of the run."""
    with monitor.watch_run():
        for stage in Stage:
            monitor.begin_stage(stage)
            assert values(monitor, "training_stage", "stage") == dict.fromkeys(Stage, 0) | {stage: 1}
            assert value(monitor, "training_duration_seconds", stage=stage) == 0
            started = time.perf_counter()
            while time.perf_counter() == started:
                pass

    assert values(monitor, "training_stage", "stage") == dict.fromkeys(Stage, 0)
    assert all(seconds > 0 for seconds in values(monitor, "training_duration_seconds", "stage").values())


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (ValueError("bad"), "failure"),
        (MemoryError(), "failure"),
        (KeyboardInterrupt(), "interrupted"),
        (SystemExit(143), "interrupted"),
    ],
)
def test_failed_run_is_reported(monitor, error, result):
    """No stage is running, there is no time of success, and the error is raised again."""

    def fail() -> None:
        with monitor.watch_run():
            monitor.begin_stage(Stage.FITTING)
            raise error

    with pytest.raises(type(error)):
        fail()

    others = {"success": 0, "failure": 0, "interrupted": 0}
    assert values(monitor, "training_runs_total", "result") == others | {result: 1}
    assert value(monitor, "training_stage", stage="fitting") == 0
    assert value(monitor, "training_duration_seconds", stage="fitting") > 0
    assert value(monitor, "training_last_success_timestamp_seconds") is None


def test_time_of_success_is_set(monitor):
    """It is missing before the first success."""
    assert value(monitor, "training_last_success_timestamp_seconds") is None

    before = time.time()
    with monitor.watch_run():
        pass

    assert before <= value(monitor, "training_last_success_timestamp_seconds") <= time.time()
    assert value(monitor, "training_runs_total", result="success") == 1


def test_trees_are_counted(monitor):
    """Number, share and time change with each batch."""
    last = 0.0
    for n_fitted in (5, 10, 20):
        monitor.record_trees(n_fitted, n_wanted=20)

        assert value(monitor, "training_trees_total") == n_fitted
        assert value(monitor, "training_progress_ratio") == n_fitted / 20
        assert value(monitor, "training_last_progress_timestamp_seconds") > last
        last = value(monitor, "training_last_progress_timestamp_seconds")


def test_five_most_split_features_are_exported(monitor):
    """A wide table does not create more series."""
    shares = {f"feature {number}": share for number, share in enumerate((0.4, 0.2, 0.15, 0.1, 0.08, 0.05, 0.02))}
    monitor.record_ensemble(EnsembleShape(n_trees=7, n_leaves=50, max_depth=8, split_shares=shares))

    assert values(monitor, "feature_split_share", "feature_name") == dict(list(shares.items())[:5])
    assert value(monitor, "ensemble_tree_count") == 7
    assert value(monitor, "tree_leaf_count") == 50
    assert value(monitor, "tree_max_depth") == 8


def test_evaluation_is_exported_for_each_set(monitor):
    """Inliers and quantiles of both sets; label figures are those of the test rows if these have labels."""
    training = {"inlier_share": 0.9, "score_quantiles": {"0": -0.8, "0.5": -0.4}, "labels": {"roc_auc": 0.7}}
    test = {"inlier_share": 0.8, "score_quantiles": {"0": -0.9}, "labels": {"roc_auc": 0.6, "f1": None}}
    monitor.record_evaluation({"train": training, "test": test})

    assert values(monitor, "training_inlier_ratio", "set") == {"train": 0.9, "test": 0.8}
    assert value(monitor, "training_score_quantile", set="train", quantile="0.5") == -0.4
    assert value(monitor, "training_score_quantile", set="test", quantile="0") == -0.9
    assert values(monitor, "training_validation", "metric") == {"roc_auc": 0.6}


def test_missing_labels_and_test_rows_are_not_exported(monitor):
    """Label figures of the training rows are exported if only these have labels."""
    figures = {"inlier_share": 1.0, "score_quantiles": {"0": -0.5}}
    monitor.record_evaluation({"train": figures})
    assert values(monitor, "training_validation", "metric") == {}
    assert values(monitor, "training_inlier_ratio", "set") == {"train": 1.0}

    monitor.record_evaluation({"train": figures | {"labels": {"f1": 0.5}}, "test": figures | {"labels": None}})
    assert values(monitor, "training_validation", "metric") == {"f1": 0.5}


def test_base_monitor_has_no_tree_metrics():
    """It works for any kind of model."""
    registry = CollectorRegistry()
    monitor = TrainingMonitor(registry)
    monitor.record_rows(300)
    monitor.record_usage(memory_bytes=1_000, cpu_percent=50.0)

    assert registry.get_sample_value("training_rows") == 300
    assert registry.get_sample_value("training_memory_usage_bytes") == 1_000
    assert registry.get_sample_value("training_cpu_usage_percent") == 50
    assert b"tree" not in generate_latest(registry)
