"""The benchmark of the recorder reports what is missing."""

from __future__ import annotations

from benchmarks.recorder.__main__ import main


def test_missing_model_is_reported(tmp_path, capsys):
    """Otherwise it would measure how fast requests are refused."""
    assert main(["--models", str(tmp_path)]) == 1

    refused = capsys.readouterr()
    assert refused.out == ""
    assert refused.err == f"{tmp_path} has no current model: make one with `make train`, or name --models.\n"
