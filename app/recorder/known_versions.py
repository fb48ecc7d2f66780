"""The model versions whose features are noted in the database, and those that are still to be."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Engine

from app.errors import InvalidBundle
from app.model.bundle import Bundle, read_manifest
from app.records.model_versions import note_version


class KnownVersions:
    """Notes versions when they go live, and those that rows name before the recorder itself has noticed them.

    Parameters
    ----------
    model_dir
        The folder of bundles.
    """

    def __init__(self, model_dir: Path) -> None:
        self._model_dir = model_dir
        self._noted: set[str] = set()
        self._noted_in: Engine | None = None
        # By version: the name of the model, and its features'. Another thread adds to it.
        self._to_note: dict[str, tuple[str, tuple[str, ...]]] = {}

    def follow(self, bundle: Bundle) -> None:
        """Remember a version to be noted; may be called by another thread."""
        self._to_note[bundle.version] = (bundle.name, bundle.features.names)

    def note(self, engine: Engine, versions: Iterable[str] = ()) -> None:
        """Note what is to be noted, and versions that rows name."""
        if engine is not self._noted_in:  # opened again, it may be another file, or one that was restored
            self._noted, self._noted_in = set(), engine
        for version in set(versions) - self._noted - self._to_note.keys():
            self._read(version)
        for version, (name, features) in list(self._to_note.items()):
            if version not in self._noted:
                with engine.begin() as connection:
                    note_version(connection, version, name, features)
                self._noted.add(version)

    def _read(self, version: str) -> None:
        """Read in the bundle's own folder what a version consists of."""
        try:
            manifest = read_manifest(self._model_dir / version)
            self._to_note[version] = (manifest["name"], tuple(feature["name"] for feature in manifest["features"]))
        except (InvalidBundle, KeyError, TypeError):
            self._noted.add(version)  # it has gone; if it goes live, it is not looked for here
