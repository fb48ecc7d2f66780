"""What the benchmark of the recorder says where it cannot measure."""

from __future__ import annotations

from benchmarks.recorder.__main__ import main


def test_without_a_model_it_says_what_to_do(tmp_path, capsys):
    """It would measure how fast requests are refused."""
    assert main(["--models", str(tmp_path)]) == 1

    refused = capsys.readouterr()
    assert refused.out == ""
    assert refused.err == f"{tmp_path} has no current model: make one with `make train`, or name --models.\n"
