"""The state of the service in words, and what to do next."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GOOD, ATTENTION, BAD = "good", "attention", "bad"

# Three standard deviations of a count: about one hour in 400 differs more by chance.
_UNUSUAL = 3.0

# What "enough labels" means in the console: recall to ±5 points.
_WANTED_HALF_WIDTH = 0.05


@dataclass(frozen=True)
class Known:
    """What is known about the service.

    Parameters
    ----------
    model_problem
        Why no model is live; None if one is.
    hour
        The last hour, as in the answer of ``/overview``; None if there are no records.
    records_problem
        Why there are none.
    drift, quality
        As in the answer.
    training_share
        The share of outliers in training, from 0 to 1; None if it is not known.
    """

    model_problem: str | None
    hour: dict[str, Any] | None
    records_problem: str
    drift: Mapping[str, Mapping[str, str | None]] | None
    quality: dict[str, Any] | None
    training_share: float | None = None

    @property
    def drifting(self) -> list[str]:
        """The detectors whose drift is confirmed."""
        return [name for name, detector in (self.drift or {}).items() if detector["state"] == "drift"]


def summarize(known: Known) -> tuple[str, str]:
    """Return how the service is, and a few sentences that say why.

    Examples
    --------
    >>> hour = {"rows": 900, "alarms": 3, "usual_alarms": 2.5}
    >>> summarize(Known(None, hour, "", {"cvm": {"state": "no drift"}}, None))
    ('good', 'Working. 3 alarms in the last hour, as many as usual. No drift.')
    """
    hour, drift, quality = known.hour, known.drift, known.quality
    if known.model_problem is not None:
        return BAD, f"Not working: no model is live. {known.model_problem}"
    sentences, state = ["Working."], GOOD
    if hour is None:
        sentences.append(known.records_problem)
    else:
        words, is_unusual = _compare(hour, known.training_share)
        sentences.append(words)
        state = ATTENTION if is_unusual else state
    if drift is None:
        sentences.append("Drift is not known.")
    elif known.drifting:
        features = sorted({feature for name in known.drifting if (feature := drift[name]["feature"])})
        sentences.append(f"Drift of {', '.join(features)}." if features else "Drift.")
        state = ATTENTION
    elif not drift or all(detector["state"] == "not enough rows yet" for detector in drift.values()):
        sentences.append("Too few rows yet to know about drift." if drift else "Drift is not watched.")
    else:
        sentences.append("No drift.")
    if quality is not None and quality["recall"]["value"] is None:
        sentences.append(f"Recall unknown: {quality['recall_reason']}.")
    elif quality is not None:
        sentences.append(_describe_recall(quality["recall"]))
    return state, " ".join(sentence for sentence in sentences if sentence)


def _describe_recall(recall: Mapping[str, float]) -> str:
    """Return recall with its interval: from few labels, the estimate alone says little.

    Examples
    --------
    >>> _describe_recall({"value": 1.0, "low": 0.043, "high": 1.0})
    'Recall 100 % (95 % interval 4 to 100 %).'
    """
    value, low, high = (f"{100 * recall[part]:.0f}" for part in ("value", "low", "high"))
    return f"Recall {value} % (95 % interval {low} to {high} %)."


def _compare(hour: dict[str, Any], training_share: float | None) -> tuple[str, bool]:
    """Return how many alarms there were in words, and whether that is more than usual."""
    n, usual = hour["alarms"], hour["usual_alarms"]
    counted = f"{f'{n:,}' if n else 'No'} {'alarm' if n == 1 else 'alarms'} in the last hour"
    if usual is None:
        if training_share is None or not hour["rows"]:
            return f"{counted}.", False
        return f"{counted}: {_percent(n / hour['rows'])} of rows, {_percent(training_share)} in training.", False
    spread = _UNUSUAL * math.sqrt(usual + 1)
    if n > usual + spread:
        return f"{counted}, more than the usual {_rounded(usual)}.", True
    return (
        f"{counted}, {'fewer than the usual ' + _rounded(usual) if n < usual - spread else 'as many as usual'}.",
        False,
    )


def _rounded(number: float) -> str:
    """Return a number of alarms for people: whole from 10 on, where nobody reads a fraction."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def _percent(share: float) -> str:
    """Return a share in percent, with two significant digits."""
    return f"{100 * share:.2g} %"


def next_step(known: Known) -> dict[str, str] | None:
    """Return the most urgent thing to do and the view to do it in; None if nothing needs to be done.

    Examples
    --------
    >>> next_step(Known(None, None, "Records are off.", {"cvm": {"state": "drift"}}, None))
    {'text': 'See what drifted.', 'view': 'drift'}
    """
    if known.model_problem is not None:
        return {"text": "See the versions in the model store.", "view": "models"}
    if known.drifting:
        return {"text": "See what drifted.", "view": "drift"}
    if known.hour is not None and _compare(known.hour, known.training_share)[1]:
        return {"text": "See the newest alarms.", "view": "alarms"}
    if known.quality is None:
        return None
    recall = known.quality["recall"]
    if recall["value"] is None or recall["high"] - recall["low"] > 2 * _WANTED_HALF_WIDTH:
        return {"text": "Label rows, until recall is known to ±5 points.", "view": "review"}
    return None
