"""Merge the metrics files of several processes, as ``prometheus_client`` does, but parse their keys only once.

A file is a list of keys in JSON, each with a value and a time stamp at a fixed place. A file only grows, and no name is
ever used twice, so a later scrape reads just the numbers. The result equals that of ``MultiProcessCollector.merge``.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Metric
from prometheus_client.mmap_dict import _read_all_values
from prometheus_client.utils import floatToGoString

_Labels = tuple[tuple[str, str], ...]

# Several times the series of a service with fifty segments and twenty versions.
_MAX_PARSED_KEYS = 16_384


class Key(NamedTuple):
    """The key of a series: its family, the name of its sample, its labels in order, and the family's help text."""

    family: str
    name: str
    labels: _Labels
    help: str


@lru_cache(_MAX_PARSED_KEYS)
def parse_key(text: str) -> Key:
    """Parse a key; workers have the same keys.

    Examples
    --------
    >>> parse_key('["rows", "rows_total", {"result": "sent"}, "Rows."]')
    Key(family='rows', name='rows_total', labels=(('result', 'sent'),), help='Rows.')
    """
    family, name, labels, description = json.loads(text)
    return Key(family, name, tuple(sorted(labels.items())), description)


class MetricsFileReader:
    """Reads one file again and again.

    Parameters
    ----------
    file
        Its name says what it holds, as in ``counter_3.db`` and ``gauge_livesum_3.db``.

    Attributes
    ----------
    kind, combination
        Type of the metrics, and how the values of several files are combined: sum, min, max or mostrecent.
    texts, keys
        The keys of the series, in order, as in the file and parsed.
    numbers
        Their values and time stamps as last read, shape ``(n_series, 2)``.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.kind, *mode = file.name.split("_")[:-1]
        self.combination = mode[0].removeprefix("live") if self.kind == "gauge" else "sum"
        self.texts: list[str] = []
        self.keys: list[Key] = []
        self.numbers: NDArray[np.float64] = np.zeros((0, 2))
        self._used = 0
        # The number of each value when the file is seen as an array of doubles; its time stamp follows.
        self._places = np.zeros(0, np.intp)

    def read(self) -> None:
        """Read the numbers, and the keys if the file has grown; one of ``multiprocess.BROKEN`` if it cannot be read."""
        data = self.file.read_bytes()
        used = struct.unpack_from("i", data)[0] if data else 0  # a new file is empty
        doubles = np.frombuffer(data, np.float64, count=max(used, 0) // 8)
        if used != self._used:
            entries = list(_read_all_values(data, used)) if used > 0 else []
            self.texts = [text for text, _, _, _ in entries]
            self.keys = [parse_key(text) for text in self.texts]
            self._places = np.array([place // 8 for _, _, _, place in entries], np.intp)
            self._used = used
        self.numbers = np.stack([doubles[self._places], doubles[self._places + 1]], axis=1)


class MergePlan:
    """Where each number of each file goes; valid until files or keys change.

    Parameters
    ----------
    files
        The files, in the order in which ``prometheus_client`` would merge them.
    hidden_versions
        Models whose series are left out.

    Attributes
    ----------
    samples
        Family, name and labels of each sample.
    """

    def __init__(self, files: Sequence[MetricsFileReader], hidden_versions: Iterable[str] = ()) -> None:
        hidden = {("model_version", version) for version in hidden_versions}
        self._families: dict[str, Metric] = {}
        # For each family and labels, the names and labels of its samples; those of buckets only by their bounds.
        samples: dict[str, dict[_Labels, dict[tuple[str, _Labels], None]]] = {}
        bounds: dict[str, dict[_Labels, set[float]]] = {}
        unique: dict[str, Key] = {}
        for file in files:
            for text, key in zip(file.texts, file.keys, strict=True):
                if text in unique or not hidden.isdisjoint(key.labels):
                    continue
                unique[text] = key
                if key.family not in self._families:
                    self._families[key.family] = Metric(key.family, key.help, file.kind)
                    samples[key.family], bounds[key.family] = {}, {}
                labels, bound = _split_bound(key, self._families[key.family].type)
                group = samples[key.family].setdefault(labels, {})
                if bound is None:
                    group[key.name, labels] = None
                else:
                    bounds[key.family].setdefault(labels, set()).add(bound)

        self.samples: list[tuple[str, str, _Labels]] = []
        self._buckets: list[tuple[slice, int]] = []
        for family, groups in samples.items():
            for labels, group in groups.items():
                self._add_samples(family, labels, list(group), sorted(bounds[family].get(labels, ())))
        numbered = {sample: place for place, sample in enumerate(self.samples)}
        places = {text: numbered[self._sample_of(key)] for text, key in unique.items()}
        # A hidden series has no place.
        self._places = [np.array([places.get(text, -1) for text in file.texts], np.intp) for file in files]

    def merge(self, files: Sequence[MetricsFileReader]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the value of each sample, and whether it has one; both of shape ``(n_samples,)``."""
        values = np.zeros(len(self.samples))
        has_value = np.zeros(len(self.samples), np.bool_)
        latest = np.zeros(len(self.samples))
        for file, all_places in zip(files, self._places, strict=True):
            is_shown = all_places >= 0
            places, numbers, stamps = all_places[is_shown], *file.numbers[is_shown].T
            if file.combination == "sum":
                np.add.at(values, places, numbers)
                has_value[places] = True
                continue
            if file.combination == "mostrecent":
                wins = stamps > latest[places]
            elif file.combination == "min":
                wins = ~has_value[places] | (numbers < values[places])
            else:
                wins = ~has_value[places] | (numbers > values[places])
            winners = places[wins]
            values[winners], latest[winners], has_value[winners] = numbers[wins], stamps[wins], True
        for buckets, count in self._buckets:
            values[buckets] = np.cumsum(values[buckets])
            values[count], has_value[count] = values[buckets][-1], True
        return values, has_value

    def families(self, values: Iterable[float], has_value: Iterable[bool]) -> list[Metric]:
        """Return the metrics with these values."""
        for family in self._families.values():
            family.samples = []
        for (family_name, name, labels), value, exists in zip(self.samples, values, has_value, strict=True):
            if exists:
                self._families[family_name].add_sample(name, dict(labels), value)
        return list(self._families.values())

    def _sample_of(self, key: Key) -> tuple[str, str, _Labels]:
        """Return the family, name and labels of the sample to which a series belongs."""
        labels, bound = _split_bound(key, self._families[key.family].type)
        return key.family, key.name, labels if bound is None else (*labels, ("le", floatToGoString(bound)))

    def _add_samples(self, family: str, labels: _Labels, group: list[tuple[str, _Labels]], bounds: list[float]) -> None:
        """Add the samples of a family that share their labels."""
        self.samples += [(family, name, labels) for name, labels in group]
        if not bounds:
            return
        first = len(self.samples)
        for bound in bounds:
            self.samples.append((family, f"{family}_bucket", (*labels, ("le", floatToGoString(bound)))))
        self._buckets.append((slice(first, len(self.samples)), len(self.samples)))
        self.samples.append((family, f"{family}_count", labels))


def _split_bound(key: Key, kind: str) -> tuple[_Labels, float | None]:
    """Return the labels of a series without its bound, and the bound; None if it is not a bucket."""
    if kind != "histogram":
        return key.labels, None
    bounds = [value for name, value in key.labels if name == "le"]
    if not bounds:
        return key.labels, None
    return tuple(label for label in key.labels if label[0] != "le"), float(bounds[0])
