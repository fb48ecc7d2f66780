"""Tables at addresses: opened by fsspec, which need not be installed."""

from __future__ import annotations

import contextlib
import gzip
import io
import sys
import types
from collections.abc import Iterator
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import IsolationForest

from app.model.bundle import read_bundle
from training.__main__ import main

TABLE = pd.DataFrame(np.random.default_rng(1).normal(size=(300, 2)), columns=["mean", "sd"])

ADDRESS = "s3://me:secret@bucket/day/rows.csv.gz"


@pytest.fixture
def bucket(monkeypatch) -> dict[str, bytes]:
    """Replace fsspec; return what is at which address."""
    content = {ADDRESS: gzip.compress(TABLE.to_csv(index=False).encode())}

    @contextlib.contextmanager
    def open_address(address: str, mode: str) -> Iterator[Any]:
        if address.startswith("gcs"):
            raise ImportError("Please install gcsfs to access Google Storage")
        if address not in content:
            raise PermissionError(f"Access Denied: {address}")
        yield io.BytesIO(content[address])

    monkeypatch.setitem(sys.modules, "fsspec", types.SimpleNamespace(open=open_address))
    return content


def test_every_command_reads_an_address(bucket, tmp_path, capsys):
    """Compressed as files are; what goes into the manifest is the name without the address."""
    models, reports = ("--models", str(tmp_path / "models")), ("--out", str(tmp_path / "reports"))
    joblib.dump(IsolationForest(n_estimators=5).fit(TABLE), tmp_path / "own.joblib")

    assert main(["train", "--train", ADDRESS, "--test", ADDRESS, "--estimators", "5", *models]) == 0
    assert main(["import", "--model", str(tmp_path / "own.joblib"), "--train", ADDRESS, *models]) == 0
    assert main(["explore", "--train", ADDRESS, *reports]) == 0
    assert main(["score", "--in", ADDRESS, "--out", str(tmp_path / "scored.csv"), *models]) == 0
    assert main(["drift", "--reference", ADDRESS, "--current", ADDRESS, *reports]) == 0

    bundle = read_bundle(tmp_path / "models" / "current")
    assert bundle.manifest["training"]["file"] == "rows.csv.gz"
    assert len(pd.read_csv(tmp_path / "scored.csv")) == 300
    shown = capsys.readouterr()
    assert "secret" not in shown.out + shown.err


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://me:secret@bucket/other.csv", "s3://bucket/other.csv cannot be read (Access Denied: s3://bucket/other.csv)"),
        ("gcs://bucket/rows.csv", "gcs://bucket/rows.csv cannot be opened: Please install gcsfs to access Google"),
    ],
)  # fmt: skip
def test_address_that_cannot_be_read_is_refused(bucket, capsys, address, message):
    """With the reason, without the password."""
    assert main(["explore", "--train", address]) == 2

    said = capsys.readouterr().err
    assert message in said.splitlines()[-1]
    assert "secret" not in said


def test_without_fsspec_a_sentence_says_what_to_install(monkeypatch, capsys):
    """It is no dependency of training."""
    monkeypatch.setitem(sys.modules, "fsspec", None)

    assert main(["explore", "--train", "s3://bucket/rows.parquet"]) == 2

    said = capsys.readouterr().err.splitlines()[-1]
    assert "s3://bucket/rows.parquet is an address, which needs a package that is not installed: install fsspec" in said
