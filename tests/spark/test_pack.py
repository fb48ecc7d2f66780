"""The pack: equal contents give equal files, and an empty folder with NumPy and pyarrow is enough to score by it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from app.errors import InvalidBundle
from spark.pack import pack_bundle, read_pack
from tests.spark.packed_model import PackedModel
from training.__main__ import main

# What an executor does, without Spark.
_SCORE = """
import sys
sys.path.insert(0, sys.argv[1])
import pyarrow as pa
from spark.batches import Options, score_batches
batch = pa.RecordBatch.from_pydict({"mean": [0.5], "sd": [0.5]})
[scored] = score_batches(sys.argv[1], Options(), [batch])
print(scored["anomaly_score"][0].as_py())
print(*sorted({name.split(".")[0] for name in sys.modules} & {"pyspark", "sklearn", "flask", "training"}))
"""


def unpack(pack: Path, folder: Path) -> Path:
    """Unpack as Spark does."""
    with zipfile.ZipFile(pack) as archive:
        archive.extractall(folder)
    return folder


def score_in(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Score one row in a process that finds no code but the pack's."""
    command = [sys.executable, "-c", _SCORE, str(folder)]
    return subprocess.run(command, cwd=folder.parent, env=environment, capture_output=True, text=True)


def test_pack_is_all_that_is_needed(packed: PackedModel, tmp_path: Path):
    """No package of training, of the service or of Spark is loaded; the score is scikit-learn's."""
    done = score_in(unpack(packed.pack, tmp_path / "pack"))

    assert done.returncode == 0, done.stderr
    score, loaded = done.stdout.split("\n")[:2]
    assert float(score) == packed.estimator.score_samples([[0.5, 0.5]])[0]
    assert loaded == ""


def test_pack_is_also_the_code_of_the_program(packed: PackedModel, tmp_path: Path):
    """On the PYTHONPATH of what starts the job, it needs not be unpacked."""
    script = "import sys; from spark import sample, score; from spark.pack import read_pack; from pathlib import Path\n"
    script += "print(read_pack(Path(sys.argv[1])).manifest['version'], sys.modules['spark'].__file__)"
    command = [sys.executable, "-c", script, str(packed.pack)]

    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(packed.pack)}, capture_output=True, text=True)

    assert done.stdout.split() == [packed.folder.name, f"{packed.pack}/spark/__init__.py"], done.stderr


def test_code_of_another_release_is_refused(packed: PackedModel, tmp_path: Path):
    """A process of Spark that has imported one pack cannot use the code of another one."""
    folder = unpack(packed.pack, tmp_path / "pack")
    other = tmp_path / "other"
    unpack(packed.pack, other)
    (other / "pack.json").write_text((other / "pack.json").read_text().replace('"code_sha256": "', '"code_sha256": "0'))
    script = _SCORE.replace("score_batches(sys.argv[1],", f"score_batches({str(other)!r},")

    done = subprocess.run([sys.executable, "-c", script, folder], cwd=tmp_path, capture_output=True, text=True, env={})

    assert "make all packs of one Spark application with the same release of Isowatch" in done.stderr


def test_equal_bundles_give_equal_packs(packed: PackedModel, tmp_path: Path):
    """Its name on the executors is that of its content."""
    again = tmp_path / "again.zip"
    again.write_bytes(pack_bundle(packed.folder))

    assert again.read_bytes() == packed.pack.read_bytes()
    assert read_pack(again).name == read_pack(packed.pack).name
    assert read_pack(again).manifest["version"] == packed.folder.name


def test_command_writes_the_live_model(packed: PackedModel, tmp_path: Path, capsys, monkeypatch):
    """By default into a file that is named after the version."""
    monkeypatch.chdir(tmp_path)

    assert main(["pack", "--models", str(packed.folder.parent)]) == 0

    version = packed.folder.name
    assert (tmp_path / f"isowatch-{version}.zip").read_bytes() == packed.pack.read_bytes()
    assert capsys.readouterr().out.startswith(f"isowatch-{version}.zip: credits {version}")


def test_command_refuses_without_a_kernel(packed: PackedModel, tmp_path: Path, capsys, monkeypatch):
    """Such a pack would be refused by every executor."""
    monkeypatch.setattr("spark.batches.CompiledKernel", _raise)

    assert main(["pack", "--models", str(packed.folder.parent), "--out", str(tmp_path / "pack.zip")]) == 1

    assert "there is no compiled kernel for this machine" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_no_packs(packed: PackedModel, tmp_path: Path):
    """The message says how to make one."""
    file = tmp_path / "model.zip"
    file.write_bytes(b"no zip")
    with pytest.raises(
        InvalidBundle, match=r"is not a pack \(File is not a zip file\): make one with `python -m training"
    ):
        read_pack(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("other", "")
    with pytest.raises(InvalidBundle, match="is not a pack"):
        read_pack(file)


def _raise(*arguments: object) -> None:
    from app.model.kernels import KernelNotBuilt

    raise KernelNotBuilt("it is not there")
