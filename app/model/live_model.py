"""The one model of this process: loaded, ready or not, and swapped when ``models/current`` moves."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.errors import InvalidBundle, ModelUnavailable
from app.model.bundle import Bundle, read_bundle
from app.model.schema import Features
from app.model.worker_sync import WorkerSync

CURRENT_LINK = "current"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Link:
    """Where the link leads, and which link it is: one that was made again, even to the same place, is another."""

    target: Path
    inode: int
    made_ns: int

    @classmethod
    def read(cls, path: Path) -> _Link:
        """Follow a link; an OSError or RuntimeError says that it leads nowhere."""
        # In this order, a link that is moved in between is looked at again, instead of never.
        status = path.lstat()
        return cls(path.resolve(strict=True), status.st_ino, status.st_mtime_ns)


class LiveModel:
    """Holds the live bundle; a request takes it once and keeps it to its end, whatever happens meanwhile.

    Parameters
    ----------
    model_dir
        The folder that holds the bundles and the link ``current``.
    on_swapped
        Called with the bundle before (None at first) and the bundle now, as soon as it is live.
    on_refused
        Called each time a bundle is refused.
    notes
        What the processes of the service tell each other, so that one log line stands for all of them, and a
        process that starts while the link leads to a broken bundle serves what the others serve.
    """

    def __init__(
        self,
        model_dir: Path,
        on_swapped: Callable[[Bundle | None, Bundle], None] = lambda before, now: None,
        on_refused: Callable[[], None] = lambda: None,
        notes: WorkerSync | None = None,
    ) -> None:
        self._path = model_dir / CURRENT_LINK
        self._on_swapped, self._on_refused = on_swapped, on_refused
        self._notes = notes or WorkerSync(None)
        self._bundle: Bundle | None = None
        self._live_target: Path | None = None
        self._seen_link: _Link | None = None
        self._link_problem = self._bundle_problem = ""
        self._refreshing = threading.Lock()

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
        """Load the bundle that ``current`` points to, if the link was made anew since last time.

        The old bundle goes on answering until the new one is verified, and for good if the new one is refused.
        """
        with self._refreshing:
            before = self._bundle
            self._follow_link()
            if self._bundle is None:
                self._take_what_others_serve()
            now = self._bundle
        if now is not None and now is not before:
            log.info("model %s %s is live", now.name, now.version)
            self._on_swapped(before, now)

    def _follow_link(self) -> None:
        """Take the bundle that the link leads to, or note why not."""
        link = self._read_link()
        if link is None or link == self._seen_link:
            return
        self._seen_link = link
        if link.target != self._live_target:
            try:
                self._take(link.target)
            except InvalidBundle as error:
                self._bundle_problem = str(error)
                if self._notes.is_first(f"refused {link}"):
                    log.error("refused a model bundle: %s", error)
                self._on_refused()
                return
            self._notes.note_live(link.target)
        # Else the link is back from a bundle that was refused, or was made again: what is live was verified.
        self._bundle_problem = ""

    def _take_what_others_serve(self) -> None:
        """Start with the bundle that the link led to before, if another process of the service took it."""
        target = self._notes.read_live()
        if target is not None:
            # If it was changed since, the reason why the newer one was refused says more.
            with suppress(InvalidBundle):
                self._take(target)

    def _take(self, target: Path) -> None:
        """Verify a bundle and let it answer."""
        self._bundle = read_bundle(target)
        self._live_target = target

    def _read_link(self) -> _Link | None:
        """Follow the link; None, with the reason noted, if it leads nowhere."""
        try:
            link = _Link.read(self._path)
        except (OSError, RuntimeError):
            self._link_problem = f"No model: {self._path} does not exist or leads nowhere. Train one with `make train`."
            return None
        self._link_problem = ""
        return link
