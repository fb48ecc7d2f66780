"""The benchmark of scrapes reports what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.scrapes import main


def test_missing_model_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Without a model there is nothing to predict with."""
    assert main(["--models", str(tmp_path)]) == 1
    assert "make one with `make train`" in capsys.readouterr().err
