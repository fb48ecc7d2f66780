"""The one model of this process: loaded, ready or not, and swapped when ``models/current`` moves."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from app.errors import InvalidBundle, ModelUnavailable
from app.model.bundle import Bundle, read_bundle
from app.model.features import Features

CURRENT_LINK = "current"

log = logging.getLogger(__name__)


class CurrentModel:
    """Holds the live bundle; a request takes it once and keeps it to its end, whatever happens meanwhile.

    Parameters
    ----------
    model_dir
        The folder that holds the bundles and the link ``current``.
    on_swapped
        Called with the bundle before (None at first) and the bundle now, as soon as it is live.
    on_refused
        Called each time a bundle is refused.
    """

    def __init__(
        self,
        model_dir: Path,
        on_swapped: Callable[[Bundle | None, Bundle], None] = lambda before, now: None,
        on_refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._link = model_dir / CURRENT_LINK
        self._on_swapped, self._on_refused = on_swapped, on_refused
        self._bundle: Bundle | None = None
        self._seen_target: Path | None = None
        self._link_problem = self._bundle_problem = ""
        self._refreshing = threading.Lock()
        self.loaded_at = 0.0

    @property
    def problem(self) -> str:
        """Why no model, or not the newest one, is live; empty when all is well."""
        return self._link_problem or self._bundle_problem

    @property
    def features(self) -> Features | None:
        """What a row of the live model consists of; None while there is no model."""
        return self._bundle.features if self._bundle else None

    def get(self) -> Bundle:
        """Give the live bundle.

        Raises
        ------
        ModelUnavailable
            If no verified bundle is loaded; the message says why and what to do.
        """
        if self._bundle is None:
            raise ModelUnavailable(self.problem or "The model is being loaded: try again in a second.")
        return self._bundle

    def refresh(self) -> None:
        """Load the bundle that ``current`` points to, if it points elsewhere than last time.

        The old bundle goes on answering until the new one is verified, and for good if the new one is refused.
        """
        with self._refreshing:
            target = self._read_target()
            if target is None or target == self._seen_target:
                return
            self._seen_target = target
            try:
                bundle = read_bundle(target)
            except InvalidBundle as error:
                self._bundle_problem = str(error)
                log.error("refused a model bundle: %s", error)
                self._on_refused()
                return
            before, self._bundle = self._bundle, bundle
            self._bundle_problem, self.loaded_at = "", time.time()
        log.info("model %s %s is live", bundle.name, bundle.version)
        self._on_swapped(before, bundle)

    def _read_target(self) -> Path | None:
        """Follow the link; None, with the reason noted, if it leads nowhere."""
        try:
            target = self._link.resolve(strict=True)
        except (OSError, RuntimeError):
            self._link_problem = f"No model: {self._link} does not exist or leads nowhere. Train one with `make train`."
            return None
        self._link_problem = ""
        return target
