"""The model that the recorder watches, with its detectors, or the reason why it has none."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from app.drift.calibration import Calibration
from app.drift.drift_watch import DriftWatch
from app.drift.saved_state import restore_state
from app.errors import InvalidBundle
from app.model.bundle import DRIFT_FILE, REFERENCE_FILE, Bundle

log = logging.getLogger(__name__)

WATCHING, NO_DETECTORS, NO_MODEL = "watching", "no detectors", "no model"


@dataclass(frozen=True)
class WatchedModel:
    """One model.

    Parameters
    ----------
    version
        Which one; None if no model is live.
    state
        ``watching``; ``no detectors`` if it was trained without; ``no model``.
    watch
        Its detectors, if it has any.
    """

    version: str | None = None
    state: str = NO_MODEL
    watch: DriftWatch | None = None


def watch_model(bundle: Bundle, rows_per_second: float, false_alarm_days: float, state_file: Path) -> WatchedModel:
    """Make the detectors of a model, and let them go on where they stood if the saved state is of the same model.

    Parameters
    ----------
    bundle
        A verified bundle.
    rows_per_second
        Most rows a second that the detectors will get.
    false_alarm_days
        At most one false event in so many days, on average.
    state_file
        Where the state was saved, if it was.
    """
    try:
        calibration = Calibration.read(bundle.folder / DRIFT_FILE, bundle.folder / REFERENCE_FILE)
    except InvalidBundle as error:
        log.warning("drift of model %s is not watched: %s", bundle.version, error)
        return WatchedModel(bundle.version, NO_DETECTORS)
    watch = DriftWatch(calibration, bundle.features.names, rows_per_second, false_alarm_days)
    if anew_because := restore_state(state_file, watch, bundle.version):
        log.info("drift of model %s is watched from the next row on: %s", bundle.version, anew_because)
    else:
        log.info("drift of model %s is watched on, after %d rows", bundle.version, watch.rows_seen)
    return WatchedModel(bundle.version, WATCHING, watch)
