"""Tables at addresses: opened by fsspec, which need not be installed."""

from __future__ import annotations

import gzip
import io
import sys
import types
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import IsolationForest

from app.model.bundle import read_bundle
from training.__main__ import main
from training.bundle.write import TrainedModel, write_bundle
from training.data import blocks, sampled_table
from training.data.addresses import RemoteFile
from training.data.blocks import read_blocks

TABLE = pd.DataFrame(np.random.default_rng(1).normal(size=(300, 2)), columns=["mean", "sd"])

ADDRESS = "s3://me:secret@bucket/day/rows.csv.gz"


class Upload(io.BytesIO):
    """A file of fsspec that is opened without ``autocommit``: its content is at the address once it is committed."""

    def __init__(self, content: dict[str, bytes], address: str) -> None:
        super().__init__()
        self._content, self._address = content, address

    def close(self) -> None:
        """Keep the content for :meth:`commit`."""

    def commit(self) -> None:
        """Show the content."""
        self._content[self._address] = self.getvalue()

    def discard(self) -> None:
        """Forget the content."""
        self.truncate(0)

    closed = False


class Streamed(io.BytesIO):
    """A download of which fsspec finds out late that it cannot be read in another order."""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Refuse."""
        raise ValueError("Cannot seek streaming HTTP file")


class Bucket:
    """A file system of fsspec."""

    def __init__(self, content: dict[str, bytes]) -> None:
        self.content = content

    def open(self, path: str, mode: str, block_size: int = 0, *, autocommit: bool = True) -> io.BytesIO:
        """Begin an upload or a download."""
        if "forbidden" in path or (mode == "rb" and path not in self.content):
            raise RuntimeError(f"Access Denied: {path}")
        if mode == "rb":
            return io.BytesIO(self.content[path])
        assert not autocommit
        return Upload(self.content, path)

    def exists(self, path: str) -> bool:
        """Return whether there is something."""
        return path in self.content

    def rm_file(self, path: str) -> None:
        """Remove it."""
        del self.content[path]


@pytest.fixture
def bucket(monkeypatch) -> dict[str, bytes]:
    """Replace fsspec; return what is at which address."""
    content = {ADDRESS: gzip.compress(TABLE.to_csv(index=False).encode())}

    def url_to_fs(address: str) -> tuple[Bucket, str]:
        if address.startswith("gcs"):
            raise ImportError("Please install gcsfs to access Google Storage")
        return Bucket(content), address

    fsspec = types.SimpleNamespace(core=types.SimpleNamespace(url_to_fs=url_to_fs))
    monkeypatch.setitem(sys.modules, "fsspec", fsspec)
    return content


@pytest.fixture(scope="module")
def models(small_model: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a live model of the features mean and sd."""
    folder = tmp_path_factory.mktemp("models")
    write_bundle(folder, small_model)
    return folder


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


@pytest.mark.parametrize("sends_parts", [True, False])
def test_address_is_read_in_blocks(bucket, monkeypatch, sends_parts):
    """Unless its server sends whole files only."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1000)
    if not sends_parts:
        monkeypatch.setattr(Bucket, "open", lambda self, path, *_, **__: Streamed(self.content[path]))

    read = [block.file for block in read_blocks(RemoteFile(ADDRESS))]

    assert (len(read) > 5) == sends_parts
    assert sum(len(list(file.records())) for file in read) == 300


def test_sample_of_an_address_is_that_of_a_file(bucket, monkeypatch, tmp_path):
    """Drawn from blocks: the whole table is never in memory."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(sampled_table, "open_csv_file", None)
    monkeypatch.setattr(blocks, "open_csv_file", None)
    file = tmp_path / "rows.csv.gz"
    file.write_bytes(bucket[ADDRESS])

    described = []
    for source, folder in ((ADDRESS, tmp_path / "from-address"), (str(file), tmp_path / "from-file")):
        options = ["--max-rows", "250", "--estimators", "5", "--models", str(folder)]
        assert main(["train", "--train", source, *options]) == 0
        described.append(read_bundle(folder / "current").manifest["training"])

    assert described[0]["sample"]["rows_seen"] == 300
    assert described[0] == described[1]


@pytest.mark.parametrize("name", ["scored.csv", "scored.csv.zst", "scored.parquet"])
def test_result_at_an_address_is_that_of_a_file(bucket, models, tmp_path, capsys, name):
    """Byte for byte, without the password in a message."""
    address, file = f"s3://me:secret@bucket/{name}", tmp_path / name

    for target in (address, str(file)):
        assert main(["score", "--in", ADDRESS, "--out", target, "--models", str(models)]) == 0

    assert bucket[address] == file.read_bytes()
    shown = capsys.readouterr()
    assert f"s3://bucket/{name}: " in shown.out
    assert "secret" not in shown.out + shown.err


def test_bad_row_leaves_an_address_as_it_was(bucket, models, write_csv, monkeypatch):
    """Rows that cannot be scored are beside the result, and not there any more when there are none."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 20)
    lines = ["mean,sd", *["0.5,0.5"] * 20, "oops,1", ""]
    source, address = write_csv("\n".join(lines)), "s3://bucket/scored.csv"
    options = ["score", "--out", address, "--models", str(models)]
    bucket[address] = b"earlier"

    assert main([*options, "--in", str(source)]) == 2
    assert bucket[address] == b"earlier"

    assert main([*options, "--in", str(source), "--on-bad-row", "skip"]) == 0
    assert bucket[address].startswith(b"mean,sd,is_inlier,anomaly_score\n0.5,0.5,1,-0.")
    assert bucket[f"{address}.rejects.csv"].startswith(b"line,reason,row\n22,\"column mean: 'oops' is not a number")

    assert main([*options, "--in", ADDRESS, "--on-bad-row", "skip"]) == 0
    assert sorted(bucket) == sorted([ADDRESS, address])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--out", "s3://me:secret@forbidden/x.csv"), "s3://forbidden/x.csv cannot be written (Access Denied: s3://for"),
        (("--out", "s3://bucket/x.xlsx"), "--out s3://bucket/x.xlsx: Excel cannot be written; use .csv"),
    ],
)  # fmt: skip
def test_address_that_cannot_be_written_is_refused(bucket, models, capsys, options, message):
    """With the reason, without the password."""
    assert main(["score", "--in", ADDRESS, "--models", str(models), *options]) in (1, 2)

    said = capsys.readouterr().err
    assert message in said.splitlines()[-1]
    assert "secret" not in said


def test_results_of_many_tables_go_to_a_folder(bucket, models, write_csv, capsys):
    """An address has no list of what is there to be resumed."""
    folder = write_csv("mean,sd\n1,1\n").parent

    assert main(["score", "--in", str(folder), "--out", "s3://bucket/many", "--models", str(models)]) == 2

    assert "--out s3://bucket/many: results of many tables go to a folder" in capsys.readouterr().err


def test_without_fsspec_a_sentence_says_what_to_install(monkeypatch, capsys):
    """It is no dependency of training."""
    monkeypatch.setitem(sys.modules, "fsspec", None)

    assert main(["explore", "--train", "s3://bucket/rows.parquet"]) == 2

    said = capsys.readouterr().err.splitlines()[-1]
    assert "s3://bucket/rows.parquet is an address, which needs a package that is not installed: install fsspec" in said
