"""The metrics that no process keeps: they are read off the metrics folder at each scrape.

They are about the watcher itself, so they must be right also when a process that would have counted them has gone.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily


def describe_folder(files: int, broken_files: int, recorder_beats: bool) -> Iterator[Metric]:
    """Tell how the metrics folder is at the moment of a scrape, and whether the recorder shows in it that it lives.

    Parameters
    ----------
    files
        Files that hold workers' metrics.
    broken_files
        Files that were put aside since the start.
    recorder_beats
        Whether the recorder's heartbeat is fresh.

    Examples
    --------
    >>> [family.name for family in describe_folder(3, 0, recorder_beats=True)]
    ['metrics_files', 'metrics_files_quarantined', 'recorder_up']
    """
    yield GaugeMetricFamily("metrics_files", "Files that hold the workers' metrics.", value=files)
    yield CounterMetricFamily(
        "metrics_files_quarantined",
        "Files of metrics that could not be read and were put aside.",
        value=broken_files,
    )
    yield GaugeMetricFamily(
        "recorder_up", "1 while the recorder behind the workers lives and works.", value=int(recorder_beats)
    )
