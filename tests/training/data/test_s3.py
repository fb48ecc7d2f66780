"""Tables in S3, as moto imitates it on this machine; `make test-s3` installs moto and s3fs."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from training.__main__ import main
from training.bundle.write import write_bundle

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("moto", "s3fs")),
    reason="run by make test-s3, which installs moto and s3fs",
)

# The least that S3 takes for a part of an upload.
_PART_BYTES = 5 * 2**20


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a file system with an empty bucket of the name rows."""
    fsspec = importlib.import_module("fsspec")
    server = importlib.import_module("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setitem(fsspec.config.conf, "s3", {"default_block_size": _PART_BYTES})
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    system.mkdir("rows")
    yield system
    server.stop()


def test_tables_in_s3(s3: Any, small_model, tmp_path):
    """A model is trained on one; a result in parts is that of a file, and nothing of it is visible if a row is bad."""
    table = pd.DataFrame(np.random.default_rng(1).normal(size=(300_000, 2)), columns=["mean", "sd"])
    text = table.to_csv(index=False)
    s3.pipe("rows/few.csv", table.head(500).to_csv(index=False).encode())
    s3.pipe("rows/in.csv", text.encode())
    (tmp_path / "in.csv").write_text(text)
    (tmp_path / "bad.csv").write_text(f"{text}oops,1\n")
    models = ["--models", str(tmp_path / "models")]
    write_bundle(tmp_path / "models", small_model)

    assert main(["train", "--train", "s3://rows/few.csv", "--estimators", "5", "--no-drift", *models]) == 0
    assert main(["score", "--in", "s3://rows/in.csv", "--out", "s3://rows/out.csv", *models]) == 0
    assert main(["score", "--in", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv"), *models]) == 0
    assert main(["score", "--in", str(tmp_path / "bad.csv"), "--out", "s3://rows/bad.csv", *models]) == 2

    assert s3.cat("rows/out.csv") == (tmp_path / "out.csv").read_bytes()
    assert len(s3.cat("rows/out.csv")) > 2 * _PART_BYTES
    assert sorted(s3.ls("rows", refresh=True)) == ["rows/few.csv", "rows/in.csv", "rows/out.csv"]
    assert not s3.call_s3("list_multipart_uploads", Bucket="rows").get("Uploads")
