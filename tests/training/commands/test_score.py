"""``python -m training score``: add the live model's answers to each row."""

from __future__ import annotations

import pytest

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


def test_more_columns_are_added_on_request(small_model, write_csv, tmp_path):
    """Each has an option."""
    write_bundle(tmp_path / "models", small_model)
    options = ["--in", str(write_csv("mean,sd\n0,0\n")), "--models", str(tmp_path / "models")]

    assert main(["score", *options, "--out", str(tmp_path / "more.csv"), "--p-value", "--unfamiliar"]) == 0
    assert main(["score", *options, "--out", str(tmp_path / "usual.csv")]) == 0

    more, usual = ((tmp_path / name).read_text().split("\n")[0] for name in ("more.csv", "usual.csv"))
    assert (more, usual) == ("mean,sd,is_inlier,anomaly_score,p_value,unfamiliar", "mean,sd,is_inlier,anomaly_score")


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


def test_folder_is_scored_and_resumed(small_model, write_csv, tmp_path, capsys):
    """Each table keeps its name; a result is made again if it, the table or the options changed."""
    write_bundle(tmp_path / "models", small_model)
    (tmp_path / "in" / "day").mkdir(parents=True)
    for name in ("in/a.csv", "in/day/b.csv", "in/day/_SUCCESS"):
        write_csv("mean,sd\n0,0\n9,9\n", name)
    out = tmp_path / "out"
    command = ["score", "--in", str(tmp_path / "in"), "--out", str(out), "--models", str(tmp_path / "models")]

    assert main(command) == 0

    assert "2 of 4 rows are outliers" in capsys.readouterr().out
    scored = {path.relative_to(out).as_posix(): path.read_text() for path in out.rglob("*.csv")}
    assert sorted(scored) == ["a.csv", "day/b.csv"]
    kept = (out / "day" / "b.csv").stat().st_ino
    (out / "a.csv").write_text("half")

    assert main([*command, "--resume"]) == 0

    assert "1 result of 2 in" in capsys.readouterr().err
    assert {path.relative_to(out).as_posix(): path.read_text() for path in out.rglob("*.csv")} == scored
    assert (out / "day" / "b.csv").stat().st_ino == kept

    write_csv("mean,sd\n0,0\n9,9\n0,0\n", "in/day/b.csv")
    assert main([*command, "--resume"]) == 0
    assert "2 of 5 rows are outliers" in capsys.readouterr().out
    assert main([*command, "--resume", "--raw"]) == 0
    assert "kept" not in capsys.readouterr().err


def test_pattern_is_scored_past_bad_rows(small_model, write_csv, tmp_path, capsys):
    """Their number is printed, and each result has those of its table beside it."""
    write_bundle(tmp_path / "models", small_model)
    for name, cell in (("in-1.csv", "9"), ("in-2.csv", "x"), ("other.csv", "x")):
        write_csv(f"mean,sd\n0,0\n9,{cell}\n", name)
    command = ["score", "--in", str(tmp_path / "in-*.csv"), "--out", str(tmp_path / "out")]
    command += ["--models", str(tmp_path / "models")]

    assert main(command) == 2
    assert "in-2.csv line 3, column sd: 'x' is not a number" in capsys.readouterr().err
    assert not (tmp_path / "out" / "in-2.csv").exists()

    assert main([*command, "--on-bad-row", "skip", "--resume"]) == 0

    printed = capsys.readouterr()
    assert "1 of 3 rows are outliers" in printed.out
    assert "1 row of " in printed.err
    rejected = (tmp_path / "out" / "in-2.csv.rejects.csv").read_text()
    assert rejected.startswith("line,reason,row\n3,")
    assert rejected.endswith('"9,x"\n')


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--in", "{}/none-*.csv", "--out", "{}/out"], "there is no table"),
        (["--in", "{}", "--out", "{}"], "has tables of --in in it"),
        (["--in", "{}/rows.csv", "--out", "{}/out.csv", "--resume"], "--resume keeps results of many tables"),
    ],
)
def test_tables_that_cannot_be_scored_together_are_refused(small_model, write_csv, tmp_path, capsys, options, message):
    """Nothing is written."""
    models = tmp_path.with_name(f"{tmp_path.name}-models")
    write_bundle(models, small_model)
    write_csv("mean,sd\n0,0\n")

    assert main(["score", *(each.format(tmp_path) for each in options), "--models", str(models)]) == 2

    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]
