"""``python -m training score``: add the live model's answers to each row."""

from __future__ import annotations

from training.__main__ import main
from training.bundle.write import write_bundle


def test_file_is_scored_with_the_live_model(small_model, write_csv, tmp_path, capsys):
    """The output has the number of rows, the version and the number of outliers."""
    version = write_bundle(tmp_path / "models", small_model).folder.name
    source, target = write_csv("mean,sd\n0,0\n9,9\n"), tmp_path / "scored.csv"

    status = main(["score", "--in", str(source), "--out", str(target), "--models", str(tmp_path / "models")])

    assert status == 0
    assert target.read_text().startswith("mean,sd,is_inlier,anomaly_score,unfamiliar\n0,0,1,-0.")
    assert capsys.readouterr().out == f"{target}: 1 of 2 rows are outliers (credits {version})\n"


def test_missing_model_is_explained(write_csv, tmp_path, capsys):
    """The most common first mistake."""
    source = write_csv("mean,sd\n0,0\n")

    assert main(["score", "--in", str(source), "--out", str(source), "--models", str(tmp_path / "models")]) == 1

    assert "does not exist: train a model" in capsys.readouterr().err
    assert source.read_text() == "mean,sd\n0,0\n"


def test_result_may_go_to_standard_output(small_model, write_csv, tmp_path, capfd):
    """Then the summary goes to standard error."""
    write_bundle(tmp_path / "models", small_model)
    source = write_csv("mean,sd\n0,0\n")

    assert main(["score", "--in", str(source), "--out", "-", "--models", str(tmp_path / "models")]) == 0

    printed = capfd.readouterr()
    assert printed.out.startswith("mean,sd,is_inlier,anomaly_score\n0,0,1,-0.")
    assert printed.err.startswith("-: 0 of 1 rows are outliers")


def test_link_to_the_result_stays(small_model, write_csv, tmp_path):
    """Its file keeps its mode."""
    write_bundle(tmp_path / "models", small_model)
    source, target, link = write_csv("mean,sd\n0,0\n"), tmp_path / "file.csv", tmp_path / "link.csv"
    target.touch()
    target.chmod(0o640)
    link.symlink_to(target)

    assert main(["score", "--in", str(source), "--out", str(link), "--models", str(tmp_path / "models")]) == 0

    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640
    assert target.read_text().startswith("mean,sd,is_inlier")
