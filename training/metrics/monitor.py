"""The metrics of one training run: its stage, its progress, its results, and the resources that it uses."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge

from training.fitting.evaluate import EnsembleShape


class Stage(StrEnum):
    """The stages of a training, in order."""

    READING = "reading"
    FITTING = "fitting"
    COMPARING = "comparing"
    EVALUATING = "evaluating"
    CALIBRATING = "calibrating"
    WRITING = "writing"


SUCCESS, FAILURE, INTERRUPTED = "success", "failure", "interrupted"

# A data set may have hundreds of features; each label value is a series that Prometheus stores.
_MAX_SPLIT_FEATURES = 5


class TrainingMonitor:
    """The metrics of every training, whatever kind of model it makes.

    Parameters
    ----------
    registry
        Where the metrics are registered; by default a new registry.

    Attributes
    ----------
    stage_seconds
        How long each stage that has ended took.

    Examples
    --------
    >>> monitor = TrainingMonitor()
    >>> with monitor.watch_run():
    ...     monitor.begin_stage(Stage.READING)
    ...     monitor.record_rows(64_227)
    ...     monitor.registry.get_sample_value("training_stage", {"stage": "reading"})
    1.0
    >>> monitor.registry.get_sample_value("training_stage", {"stage": "reading"})
    0.0
    >>> monitor.registry.get_sample_value("training_runs_total", {"result": "success"})
    1.0
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry = registry or CollectorRegistry()
        self._runs = Counter("training_runs_total", "Trainings that ended.", ("result",), registry=registry)
        self._stages = Gauge("training_stage", "1 for the stage that is running.", ("stage",), registry=registry)
        self._durations = Gauge(
            "training_duration_seconds",
            "How long a stage took, in seconds; 0 until it has ended.",
            ("stage",),
            registry=registry,
        )
        self._progress = Gauge("training_progress_ratio", "Completed share of the fitting, 0 to 1.", registry=registry)
        self._last_progress = Gauge(
            "training_last_progress_timestamp_seconds",
            "When a stage last started or the fitting last advanced.",
            registry=registry,
        )
        self._rows = Gauge("training_rows", "Rows that the model is trained on.", registry=registry)
        self._scores = Gauge(
            "training_score_quantile",
            "Quantiles of the anomaly scores, in [-1, 0]: the lower, the more abnormal.",
            ("set", "quantile"),
            registry=registry,
        )
        self._inliers = Gauge(
            "training_inlier_ratio", "Share of rows labelled inliers, 0 to 1.", ("set",), registry=registry
        )
        self._validation = Gauge(
            "training_validation",
            "Agreement with known labels of the test rows if they are known, else of the training rows.",
            ("metric",),
            registry=registry,
        )
        self._memory = Gauge(
            "training_memory_usage_bytes", "Memory that the training uses (resident set).", registry=registry
        )
        self._cpu = Gauge(
            "training_cpu_usage_percent", "CPU usage of the training; 100 is one core.", registry=registry
        )
        # Registered at the first success: before that, it would claim a success in 1970, and a push after a failed run
        # would overwrite the time of the last good one.
        self._last_success = Gauge(
            "training_last_success_timestamp_seconds", "When a training last succeeded.", registry=None
        )
        for result in (SUCCESS, FAILURE, INTERRUPTED):
            self._runs.labels(result)
        for stage in Stage:
            self._stages.labels(stage)
            self._durations.labels(stage)
        self._running: Stage | None = None
        self._started = 0.0
        self.stage_seconds: dict[Stage, float] = {}

    @contextmanager
    def watch_run(self) -> Iterator[None]:
        """Count the run in the block by how it ends; what it raises is propagated."""
        result = FAILURE
        try:
            yield
            result = SUCCESS
        except (KeyboardInterrupt, SystemExit):
            result = INTERRUPTED
            raise
        finally:
            self._end_stage()
            if result == SUCCESS:
                self._last_success.set_to_current_time()
                self.registry.register(self._last_success)
            self._runs.labels(result).inc()

    def begin_stage(self, stage: Stage) -> None:
        """Record that a stage starts and the previous one has ended."""
        self._end_stage()
        self._running, self._started = stage, time.perf_counter()
        self._stages.labels(stage).set(1)
        self._last_progress.set_to_current_time()

    def record_progress(self, ratio: float) -> None:
        """Record the completed share of the fitting, in [0, 1]."""
        self._progress.set(ratio)
        self._last_progress.set_to_current_time()

    def record_rows(self, n_rows: int) -> None:
        """Record how many rows the model is trained on."""
        self._rows.set(n_rows)

    def record_evaluation(self, evaluation: Mapping[str, Mapping[str, Any]]) -> None:
        """Record the model's scores and labels for each set of rows.

        Parameters
        ----------
        evaluation
            That part of the manifest: for "train", and "test" if there is one, ``inlier_share``,
            ``score_quantiles`` and, if labels are known, ``labels``.
        """
        for name, figures in evaluation.items():
            self._inliers.labels(name).set(figures["inlier_share"])
            for quantile, score in figures["score_quantiles"].items():
                self._scores.labels(name, quantile).set(score)
        labelled = [figures["labels"] for figures in evaluation.values() if figures.get("labels")]
        # The test rows come last, and are more informative: the model never saw them.
        for metric, value in (labelled[-1] if labelled else {}).items():
            # None means unknown; the number of outliers describes the data and not the model.
            if value is not None and metric != "outliers":
                self._validation.labels(metric).set(value)

    def record_usage(self, memory_bytes: int, cpu_percent: float) -> None:
        """Record what the process uses; ``cpu_percent`` 100 is one core."""
        self._memory.set(memory_bytes)
        self._cpu.set(cpu_percent)

    def _end_stage(self) -> None:
        """Record how long the running stage took, if there is one."""
        if self._running is not None:
            self.stage_seconds[self._running] = taken = time.perf_counter() - self._started
            self._durations.labels(self._running).set(taken)
            self._stages.labels(self._running).set(0)
        self._running = None


class TreeModelMonitor(TrainingMonitor):
    """The additional metrics of training an ensemble of trees.

    Parameters
    ----------
    registry
        As in :class:`TrainingMonitor`.

    Examples
    --------
    >>> monitor = TreeModelMonitor()
    >>> monitor.record_trees(25, n_wanted=100)
    >>> monitor.registry.get_sample_value("training_progress_ratio")
    0.25
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        super().__init__(registry)
        registry = self.registry
        self._trees = Counter("training_trees_total", "Trees fitted.", registry=registry)
        self._max_depth = Gauge("tree_max_depth", "Edges from the root to the deepest leaf.", registry=registry)
        self._leaf_count = Gauge("tree_leaf_count", "Leaves of all trees together.", registry=registry)
        self._tree_count = Gauge("ensemble_tree_count", "Trees of the model.", registry=registry)
        self._split_shares = Gauge(
            "feature_split_share",
            f"Share of all splits that test a feature, 0 to 1, for the {_MAX_SPLIT_FEATURES} largest.",
            ("feature_name",),
            registry=registry,
        )
        self._n_fitted = 0

    def record_trees(self, n_fitted: int, n_wanted: int) -> None:
        """Record how many trees are fitted, of how many."""
        self._trees.inc(n_fitted - self._n_fitted)
        self._n_fitted = n_fitted
        self.record_progress(n_fitted / n_wanted)

    def record_ensemble(self, shape: EnsembleShape) -> None:
        """Record the size of the trees."""
        self._tree_count.set(shape.n_trees)
        self._max_depth.set(shape.max_depth)
        self._leaf_count.set(shape.n_leaves)
        for name, share in list(shape.split_shares.items())[:_MAX_SPLIT_FEATURES]:
            self._split_shares.labels(name).set(share)
