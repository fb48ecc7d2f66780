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
    """The target and identity of the link: a link that was made again differs, even with the same target."""

    target: Path
    inode: int
    made_ns: int

    @classmethod
    def read(cls, path: Path) -> _Link:
        """Follow a link; an OSError or RuntimeError means that it is broken."""
        status = path.lstat()
        while True:
            link = cls(path.resolve(strict=True), status.st_ino, status.st_mtime_ns)
            # A link that was moved in between would count twice: with its old identity now, with its new one later.
            before, status = status, path.lstat()
            if (status.st_ino, status.st_mtime_ns) == (before.st_ino, before.st_mtime_ns):
                return link


class LiveModel:
    """Holds the live bundle; a request gets it once and uses it to its end, even if another goes live meanwhile.

    Parameters
    ----------
    model_dir
        The folder with the bundles and the link ``current``.
    on_swapped
        Called with the previous bundle (None at first) and the new one, as soon as it is live.
    on_refused
        Called each time a bundle is refused.
    notes
        Shares information between the processes of the service: so a refused bundle is logged once, and a process that
        starts while the link leads to a broken bundle serves the same bundle as the others.
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
        """The features of the live model; None while there is no model."""
        return self._bundle.features if self._bundle else None

    @property
    def version(self) -> str | None:
        """The version of the live model; None while there is no model."""
        return self._bundle.version if self._bundle else None

    @property
    def link_made_ns(self) -> int | None:
        """When the link was made that was followed last, in nanoseconds since 1970; None if there was none."""
        return self._seen_link.made_ns if self._seen_link else None

    def get(self) -> Bundle:
        """Return the live bundle.

        Raises
        ------
        ModelUnavailable
            If no verified bundle is loaded; the message has the reason.
        """
        if self._bundle is None:
            raise ModelUnavailable(self.problem or "The model is being loaded: try again in a second.")
        return self._bundle

    def refresh(self) -> None:
        """Load the bundle that ``current`` points to, if the link has changed since the last call.

        The old bundle stays live until the new one is verified, and if the new one is refused.
        """
        with self._refreshing:
            before = self._bundle
            self._follow_link()
            if self._bundle is None:
                self._load_what_others_serve()
            now = self._bundle
        if now is not None and now is not before:
            log.info("model %s %s is live", now.name, now.version)
            self._on_swapped(before, now)

    def _follow_link(self) -> None:
        """Load the bundle that the link leads to, or store why that failed."""
        link = self._read_link()
        if link is None or link == self._seen_link:
            return
        self._seen_link = link
        if link.target != self._live_target:
            try:
                self._load(link.target)
            except InvalidBundle as error:
                self._bundle_problem = str(error)
                if self._notes.is_first(f"refused {link}"):
                    log.error("refused a model bundle: %s", error)
                self._on_refused()
                return
            self._notes.record_live(link.target)
        # Otherwise the link is back on the live bundle, which was verified before.
        self._bundle_problem = ""

    def _load_what_others_serve(self) -> None:
        """Load the bundle that other processes of the service serve, if there are any."""
        target = self._notes.read_live()
        if target is not None:
            # If it was changed since, the reason why the newer one was refused is more useful.
            with suppress(InvalidBundle):
                self._load(target)

    def _load(self, target: Path) -> None:
        """Verify a bundle and make it live."""
        self._bundle = read_bundle(target)
        self._live_target = target

    def _read_link(self) -> _Link | None:
        """Follow the link; if it is broken, store the reason and return None."""
        try:
            link = _Link.read(self._path)
        except (OSError, RuntimeError):
            self._link_problem = f"No model: {self._path} does not exist or is broken. Train one with `make train`."
            return None
        self._link_problem = ""
        return link
