"""Write metrics in Prometheus's formats; everything but the values is written once and kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

Encoder = Callable[[Collector], bytes]

# Text and OpenMetrics, each in two escaping schemes; more come only from clients that vary their headers.
_MAX_TEMPLATES = 4


def choose_format(accept: str) -> tuple[Encoder, str]:
    """Return the encoder for an ``Accept`` header, and its content type; an unknown version gets plain text.

    Examples
    --------
    >>> choose_format("application/openmetrics-text; version=1.0.0")[1]
    'application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores'
    >>> choose_format("application/openmetrics-text; version=abc")[1]
    'text/plain; version=0.0.4; charset=utf-8'
    """
    try:
        return choose_encoder(accept)
    except TypeError:  # prometheus_client compares a version such as abc with a number
        return choose_encoder("")


class ExpositionCache:
    """Writes families whose values change much more often than their labels."""

    def __init__(self) -> None:
        self._templates: OrderedDict[Hashable, _Template] = OrderedDict()

    def write(
        self,
        encode: Encoder,
        key: Hashable,
        make_families: Callable[[Iterable[float]], list[Metric]],
        values: NDArray[np.float64],
    ) -> bytes:
        """Write families.

        Parameters
        ----------
        encode
            One of ``prometheus_client``'s encoders.
        key
            Identifies the encoder and the families without their values.
        make_families
            Returns the families, given a value for each of their samples.
        values
            The values, shape ``(n_samples,)``.
        """
        template = self._templates.pop(key, None)
        if template is None:
            template = _Template(encode, make_families, len(values))
        self._templates[key] = template
        if len(self._templates) > _MAX_TEMPLATES:
            self._templates.popitem(last=False)
        return template.fill(values)


class _Template(Collector):
    """The text of families with gaps for the values.

    The encoder writes it, so that the formats are ``prometheus_client``'s own: it is given the number of each sample as
    its value, and the numbers are then cut out. Most values are those of the previous scrape, whose text is kept.
    """

    def __init__(
        self, encode: Encoder, make_families: Callable[[Iterable[float]], list[Metric]], n_samples: int
    ) -> None:
        self._families = make_families(map(float, range(n_samples)))
        order: list[int] = []
        # Text and values in turn.
        self._parts = [""]
        for line in encode(self).decode().removesuffix("\n").split("\n"):
            if line.startswith("#") or not line:
                self._parts[-1] += f"{line}\n" if line else ""
                continue
            text, _, number = line.rpartition(" ")
            order.append(int(float(number)))
            self._parts[-1] += f"{text} "
            self._parts += ["0.0", "\n"]
        self._order = np.array(order, np.intp)
        self._written = np.zeros(len(order))
        self._families = []

    def collect(self) -> Iterable[Metric]:
        """Return the families, to the encoder."""
        return self._families

    def fill(self, values: NDArray[np.float64]) -> bytes:
        """Return the text with values."""
        ordered = values[self._order]
        # Compared as bits, because NaN differs from itself and -0.0 equals 0.0.
        for place in np.flatnonzero(ordered.view(np.int64) != self._written.view(np.int64)).tolist():
            self._parts[2 * place + 1] = floatToGoString(ordered[place])
        self._written = ordered
        return "".join(self._parts).encode()
