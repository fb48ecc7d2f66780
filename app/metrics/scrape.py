"""The metrics of all processes of a service, read from their files by a scrape."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from app.metrics.directory import OUT_OF_SPACE_SUFFIX
from app.metrics.exposition import ExpositionCache, choose_format
from app.metrics.live_versions import hidden_versions
from app.metrics.merge import MergePlan, MetricsFileReader
from app.metrics.multiprocess import QUARANTINE_SUFFIX, is_read, lock_folder


class FolderMetrics:
    """The metrics in a metrics folder, for scrapes; it keeps what does not change between two scrapes.

    Parameters
    ----------
    folder
        The metrics folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._one_at_a_time = threading.Lock()
        self._readers: dict[str, MetricsFileReader] = {}
        self._plan_of: Any = None
        self._plan = MergePlan([])
        self._cache = ExpositionCache()

    def read(self) -> list[Metric]:
        """Return the sum of the metrics of all workers, dead or alive; files that cannot be read are quarantined."""
        with self._one_at_a_time:
            values, has_value = self._merge()
            return self._plan.families(values.tolist(), has_value)

    def write(self, accept: str, more: list[Metric]) -> tuple[bytes, str]:
        """Return the same for a scrape, and the content type.

        Parameters
        ----------
        accept
            The request's ``Accept`` header.
        more
            Metrics that are not in files; each time the same, except for their values.
        """
        encode, content_type = choose_format(accept)
        with self._one_at_a_time:
            merged, has_value = self._merge()
            plan, n_merged = self._plan, len(merged)
            values = np.append(merged, [sample.value for family in more for sample in family.samples])

            def families(values: Iterable[float]) -> list[Metric]:
                values = list(values)
                _set_values(more, values[n_merged:])
                return [*plan.families(values[:n_merged], has_value), *more]

            return self._cache.write(encode, (content_type, has_value.tobytes()), families, values), content_type

    def _merge(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Read all files, and return the value of each sample of the plan, and whether it has one."""
        readers: dict[str, MetricsFileReader] = {}
        with lock_folder(self._folder, fcntl.LOCK_SH):
            for file in sorted(self._folder.glob("*.db")):
                reader = self._readers.get(file.name) or MetricsFileReader(file)
                if is_read(file, reader.read):
                    readers[file.name] = reader
        self._readers = readers
        files, hidden = list(readers.values()), hidden_versions(self._folder)
        plan_of = (hidden, [(name, len(reader.keys)) for name, reader in readers.items()])
        if plan_of != self._plan_of:
            plan = MergePlan(files, hidden)
            if plan.samples != self._plan.samples:  # they are the same after a worker was replaced
                self._cache = ExpositionCache()
            self._plan_of, self._plan = plan_of, plan
        return self._plan.merge(files)


def _set_values(families: Iterable[Metric], values: Iterable[float]) -> None:
    """Replace the values of samples."""
    following = iter(values)
    for family in families:
        family.samples = [sample._replace(value=next(following)) for sample in family.samples]


def describe_folder(folder: Path, recorder_beats: bool) -> list[Metric]:
    """Return the metrics about the metrics folder, and whether the recorder is alive, at the time of a scrape.

    Parameters
    ----------
    folder
        The metrics folder.
    recorder_beats
        Whether the recorder's heartbeat is fresh.

    Examples
    --------
    >>> [family.name for family in describe_folder(Path("/nowhere"), recorder_beats=True)]
    ['metrics_files', 'metrics_files_out_of_space', 'metrics_files_quarantined', 'recorder_up']
    """
    try:
        names = [file.name for file in folder.iterdir()]
    except FileNotFoundError:  # the service is ending
        names = []

    def count(suffix: str) -> int:
        return sum(name.endswith(suffix) for name in names)

    return [
        GaugeMetricFamily("metrics_files", "Files that hold the workers' metrics.", value=count(".db")),
        GaugeMetricFamily(
            "metrics_files_out_of_space",
            "Metrics files that cannot grow because the metrics folder is full: metrics are missing from this page.",
            value=count(OUT_OF_SPACE_SUFFIX),
        ),
        CounterMetricFamily(
            "metrics_files_quarantined",
            "Metrics files that could not be read and were quarantined.",
            value=count(QUARANTINE_SUFFIX),
        ),
        GaugeMetricFamily("recorder_up", "1 while the recorder is alive and works.", value=int(recorder_beats)),
    ]
