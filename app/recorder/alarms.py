"""Explains alarms in the background, so that their records say why; a request that does not ask pays nothing."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from app.db.bulk_insert import PIECE_ROWS, Throttle
from app.errors import CannotExplain
from app.metrics.alarms import FAILED, IMPOSSIBLE, SKIPPED, UNKNOWN_MODEL, AlarmMetrics
from app.model.bundle import Bundle
from app.model.explain import Explanation, shorten
from app.model.forest import OUTLIER
from app.recorder.protocol import PublishedRows

log = logging.getLogger(__name__)

# The share of a core that explanations may take. An explanation takes half a millisecond, or two if a change of two
# columns must be searched. When everything is an alarm, some of each second show what drives them, and the requests on
# the same core matter more.
_SHARE_OF_A_CORE = 0.03

# Time that was not used is kept for a burst, up to this many seconds of processor time.
_MAX_SAVED_SECONDS = 0.5

# Rows of the old model still arrive while the new one is live.
_MODELS_AT_ONCE = 2


@dataclass
class ExplainedAlarms:
    """What became of the alarms of one transaction.

    Parameters
    ----------
    contributions
        Of each alarm that was explained, by feature.
    others
        How many were not, by result.
    """

    contributions: list[Mapping[str, float]] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)


class AlarmExplainer:
    """Explains alarms within a budget of processor time, and counts those for which none is left.

    Parameters
    ----------
    metrics
        Reports to Prometheus.
    with_features
        Whether feature values are recorded. If not, the record has contributions and p-value alone: reasons and
        counterfactual contain values.
    throttle
        Pauses between small pieces of work.
    clock, processor_clock
        Seconds of real time, and of processor time of this thread.
    """

    def __init__(
        self,
        metrics: AlarmMetrics,
        with_features: bool,
        throttle: Throttle,
        clock: Callable[[], float] = time.monotonic,
        processor_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._metrics, self._with_features, self._throttle = metrics, with_features, throttle
        self._clock, self._processor_clock = clock, processor_clock
        self._bundles: dict[str, Bundle] = {}
        self._changing = threading.Lock()
        self._saved, self._saved_at = _MAX_SAVED_SECONDS, clock()
        # What was explained since the last commit, by record id and row: a transaction that fails is tried again.
        self._explained: dict[tuple[str, int], Explanation] = {}
        self._broken: str | None = None

    def follow(self, bundle: Bundle) -> None:
        """Explain the alarms of another model, too; may be called by another thread."""
        with self._changing:
            kept = [*self._bundles.items(), (bundle.version, bundle)][-_MODELS_AT_ONCE:]
            self._bundles = dict(kept)
        self._metrics.follow(bundle.features.names)

    def explain(self, part: PublishedRows, alarms: ExplainedAlarms) -> dict[int, str]:
        """Explain the outliers among the rows of a request.

        Parameters
        ----------
        part
            The rows.
        alarms
            What became of each is added.

        Returns
        -------
        The explanation as a JSON text, by the position of the row in ``part``; without those that have none.
        """
        texts: dict[int, str] = {}
        for place in (part.scored.labels == OUTLIER).nonzero()[0].tolist():
            explained = self._explain_row(part, place)
            if isinstance(explained, str):
                alarms.others[explained] += 1
            else:
                alarms.contributions.append(explained.contributions)
                texts[place] = to_json(explained, self._with_features)
        return texts

    def find_unfamiliar(self, part: PublishedRows) -> dict[int, str]:
        """Return the unfamiliar values of rows as JSON texts, by the position of the row in ``part``."""
        bundle = self._bundles.get(part.version)
        found = bundle.known_values.find_rows(part.scored.rows) if bundle else {}
        return {place: msgspec.json.encode(values).decode() for place, values in found.items()}

    def committed(self, alarms: ExplainedAlarms) -> None:
        """Count the alarms of a transaction after its commit."""
        self._explained.clear()
        self._metrics.record_explained(alarms.contributions)
        for result, n_alarms in alarms.others.items():
            self._metrics.record_result(result, n_alarms)

    def _explain_row(self, part: PublishedRows, place: int) -> Explanation | str:
        """Explain one row, or return why it has no explanation."""
        key = (part.record_id, part.first_row + place)
        if key in self._explained:
            return self._explained[key]
        bundle = self._bundles.get(part.version)
        if bundle is None:
            return UNKNOWN_MODEL
        if not self._has_time():
            return SKIPPED
        started = self._processor_clock()
        try:
            explained = bundle.explainer.explain(shorten(part.scored.rows[place]), float(part.scored.scores[place]))
        except CannotExplain:
            return IMPOSSIBLE
        except Exception:  # the row must be recorded all the same
            if self._broken != part.version:
                self._broken = part.version
                log.exception("an alarm of model %s cannot be explained; it is recorded without", part.version)
            return FAILED
        finally:
            self._saved -= self._processor_clock() - started
            self._throttle.step(PIECE_ROWS)
        self._explained[key] = explained
        return explained

    def _has_time(self) -> bool:
        """Return whether processor time is left."""
        now = self._clock()
        self._saved = min(_MAX_SAVED_SECONDS, self._saved + _SHARE_OF_A_CORE * (now - self._saved_at))
        self._saved_at = now
        return self._saved > 0


def to_json(explanation: Explanation, with_features: bool) -> str:
    """Return an explanation as it is stored."""
    stored = explanation.as_fields()
    if not with_features:
        why = "not recorded, as it contains feature values (RECORD_FEATURES)"
        stored |= {"reasons": [], "counterfactual": None}
        stored["notes"] |= {"reasons": why, "counterfactual": why}
    return msgspec.json.encode(stored).decode()
