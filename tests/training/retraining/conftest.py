"""A service with recorded rows, some of which are labelled."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sqlalchemy import Table, insert

from app.db.engine import open_database, upgrade_database
from app.db.ids import first_id_at
from app.db.tables import AUDITS, LABELS, MODEL_VERSIONS, PREDICTIONS
from app.model.bundle import Bundle, read_bundle
from training.bundle.write import TrainedModel, write_bundle
from training.data.dataset import Dataset

NAMES = ("mean", "sd")

DAY = 86_400.0

# Record ids contain the time and decide which half a row is in: a fixed time gives the same split in every run.
NOW = 1_800_000_000.0


class RecordedService:
    """Writes what a service would have recorded.

    Parameters
    ----------
    models
        Its models folder, with a live model.
    address
        Its database, with tables.
    """

    def __init__(self, models: Path, address: str) -> None:
        self.models, self.address = models, address
        self.now = NOW
        self._n_records = 0

    @property
    def live(self) -> Bundle:
        """The live model."""
        return read_bundle(self.models / "current")

    def insert(self, table: Table, rows: list[dict[str, Any]]) -> None:
        """Insert rows into a table."""
        engine = open_database(self.address)
        with engine.begin() as connection:
            if rows:
                connection.execute(insert(table), rows)
        engine.dispose()

    def add_version(self, version: str, names: tuple[str, ...] = NAMES) -> None:
        """Store the features of a model version."""
        fields = {"version": version, "name": "credits", "feature_names": json.dumps(names), "first_seen_at": 0}
        self.insert(MODEL_VERSIONS, [fields])

    def record(
        self,
        features: np.ndarray | None,
        is_outlier: np.ndarray,
        shares: np.ndarray | None = None,
        days: float = 10.0,
        version: str | None = None,
    ) -> list[str]:
        """Record rows that were answered at regular intervals until now, and return their record ids."""
        n_rows = len(is_outlier)
        seconds = self.now - days * DAY + np.arange(n_rows) * (days * DAY / n_rows)
        ids = []
        for each in seconds.tolist():
            self._n_records += 1
            ids.append(first_id_at(each)[:-8] + f"{self._n_records:08x}")
        answers = np.where(is_outlier, -1, 1).tolist()
        values = [None] * n_rows if features is None else [row.astype("<f4").tobytes() for row in features]
        shares = np.ones(n_rows) if shares is None else shares
        version = version or self.live.version
        self.insert(
            PREDICTIONS,
            [
                {
                    "record_id": ids[place],
                    "row": 0,
                    "answered_at": float(seconds[place]),
                    "model_version": version,
                    "segment": "",
                    "features": values[place],
                    "score": -0.5,
                    "is_inlier": answers[place],
                    "confidence": 1.0,
                    "recorded_share": float(shares[place]),
                }
                for place in range(n_rows)
            ],
        )
        return ids

    def label(self, ids: list[str], is_outlier: np.ndarray, audit_probability: float | None = None) -> None:
        """Label records; a probability means that the audit queue handed them out."""
        fields = {"row": 0, "source": "", "note": "", "given_at": self.now, "replaced_at": None}
        known = np.where(is_outlier, -1, 1).tolist()
        self.insert(
            LABELS, [{"record_id": id_, "is_inlier": each, **fields} for id_, each in zip(ids, known, strict=True)]
        )
        if audit_probability is not None:
            drawn = {"row": 0, "probability": audit_probability, "position": 0.5, "handed_at": self.now}
            self.insert(AUDITS, [{"record_id": id_, **drawn} for id_ in ids])

    def serve(self, features: np.ndarray, is_outlier: np.ndarray, alarm_share: float = 0.5, audit_share: float = 0.2):
        """Answer rows with the live model, record all, label a part of the alarms, and audit a part of the inliers."""
        forest = self.live.forest
        flagged = forest.score_and_label(features)[1] == -1
        ids = self.record(features, flagged)
        drawn = np.random.default_rng(5).random(len(ids))
        for chosen, probability in (
            (flagged & (drawn < alarm_share), None),
            (~flagged & (drawn < audit_share), audit_share),
        ):
            self.label([ids[place] for place in np.flatnonzero(chosen)], is_outlier[chosen], probability)
        return ids


def _make_rows(n_rows: int, seed: int, n_outliers: int = 160, centre: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Make rows around a centre with outliers on a ring around it; return the rows and which are outliers."""
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(n_rows, 2))
    is_outlier = np.zeros(n_rows, bool)
    is_outlier[generator.choice(n_rows, n_outliers, replace=False)] = True
    angles = generator.uniform(0, 2 * np.pi, n_outliers)
    rows[is_outlier] = 6 * np.column_stack([np.cos(angles), np.sin(angles)])
    return (rows + centre).astype(np.float32), is_outlier


@pytest.fixture(scope="session")
def train_live(tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], Path]:
    """Return a function that trains a live model on rows around a centre, cached, and returns its models folder."""

    @cache
    def train(centre: float) -> Path:
        models = tmp_path_factory.mktemp("live") / "models"
        rows = _make_rows(2000, seed=1, n_outliers=40, centre=centre)[0].astype(float)
        estimator = IsolationForest(n_estimators=20, contamination=0.02, random_state=16).fit(rows.astype(np.float32))
        write_bundle(
            models, TrainedModel("credits", estimator, Dataset(NAMES, rows, Path("rows.csv"), "0" * 64, NAMES))
        )
        return models

    return train


@pytest.fixture(autouse=True)
def _fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command at the time of the last record."""
    monkeypatch.setattr("training.commands.retrain.time", SimpleNamespace(time=lambda: NOW + 1))


@pytest.fixture
def make_service(tmp_path: Path, train_live: Callable[[float], Path]) -> Callable[..., RecordedService]:
    """Return a function that makes a service whose live model was trained on rows around a centre."""

    def make(centre: float = 0.0) -> RecordedService:
        address = f"sqlite:///{tmp_path}/records.db"
        upgrade_database(address)
        models = shutil.copytree(train_live(centre), tmp_path / "models", symlinks=True)
        service = RecordedService(models, address)
        service.add_version(service.live.version)
        return service

    return make


@pytest.fixture(scope="session")
def make_rows() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Return a function that makes rows around a centre with outliers on a ring around it."""
    return _make_rows
