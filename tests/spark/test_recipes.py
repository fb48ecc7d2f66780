"""The recipes of docs/spark.md for other engines, each where its package is installed."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.spark.packed_model import PackedModel, make_rows

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "spark.md").read_text(encoding="utf-8")
RECIPES = {engine: code for code, engine in re.findall(r"```python\n(import [^\n]+ # (\w+)\n.*?)```", PAGE, re.DOTALL)}

# How each engine makes a table of its result.
_TO_ARROW = {
    "Dask": "pa.Table.from_pandas(scored.compute(scheduler='threads'))",
    "Ray": "pa.concat_tables(scored.iter_batches(batch_format='pyarrow'))",
    "Polars": "scored.to_arrow()",
}


@pytest.mark.parametrize("engine", _TO_ARROW)
def test_recipe_gives_the_answers_of_scikit_learn(packed: PackedModel, tmp_path: Path, engine: str):
    """In five lines, with nothing but the unpacked pack."""
    assert len([line for line in RECIPES[engine].splitlines() if line]) == 5
    if importlib.util.find_spec(engine.lower()) is None:
        pytest.skip(f"{engine} is not installed, and is no package of ours")
    with zipfile.ZipFile(packed.pack) as archive:
        archive.extractall(tmp_path / "isowatch")
    (tmp_path / "rows").mkdir()
    pq.write_table(make_rows(1000), tmp_path / "rows" / "0.parquet")
    recipe = RECIPES[engine].replace("/shared/isowatch", str(tmp_path / "isowatch"))
    save = f"import pyarrow.parquet as pq\npq.write_table({_TO_ARROW[engine]}, 'scored.parquet')\n"
    environment = {"PYTHONPATH": str(tmp_path / "isowatch"), "HOME": str(tmp_path)}
    command = [sys.executable, "-c", recipe + save]

    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    scored: pa.Table = pq.read_table(tmp_path / "scored.parquet").sort_by("id")
    labels, scores = packed.score(make_rows(1000))
    assert np.array_equal(scored["is_inlier"].to_numpy(), labels)
    assert np.array_equal(scored["anomaly_score"].to_numpy(), scores)
