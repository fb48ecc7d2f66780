"""Train on the Mulcross set with five seeds and print the table of README.md: ``python -m benchmarks.mulcross``."""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.mulcross.rows import N_FEATURES, N_ROWS, make_rows

ROOT = Path(__file__).resolve().parents[2]

# The AUC of this data set in the paper.
AUC_OF_THE_PAPER = 0.97

SEEDS = (1, 2, 3, 4, 5)


def measure(seed: int, folder: Path, n_rows: int = N_ROWS) -> dict[str, Any]:
    """Train on one set with the command line, and compute scikit-learn's AUC for the same rows.

    Parameters
    ----------
    seed
        Seed of the rows and of the forest.
    folder
        Folder for the data and the models.
    n_rows
        Number of rows.

    Returns
    -------
    ``own``, the label figures of the report; ``scikit_learn``, the AUC that scikit-learn computes from the estimator.
    """
    rows, is_outlier = make_rows(seed, n_rows)
    file, models = folder / "mulcross.csv", folder / "models"
    with file.open("w", encoding="ascii", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow([*(f"x{number}" for number in range(1, N_FEATURES + 1)), "outlier"])
        writer.writerows([*row, int(truth)] for row, truth in zip(rows.tolist(), is_outlier.tolist(), strict=True))
    data = ["--train", str(file), "--label", "outlier", "--models", str(models)]
    command = [sys.executable, "-m", "training", "train", *data, "--contamination", "0.1", "--no-drift"]
    subprocess.run([*command, "--seed", str(seed)], cwd=ROOT, check=True, capture_output=True)
    bundle = models / "current"
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    # Written by the command above, so it is safe to open.
    estimator = joblib.load(bundle / "model.joblib")
    return {
        "own": manifest["evaluation"]["train"]["labels"],
        "scikit_learn": float(roc_auc_score(is_outlier, -estimator.score_samples(rows))),
    }


def tabulate(measured: dict[int, dict[str, Any]]) -> str:
    """Format the figures as a Markdown table, followed by their means and the paper's figure.

    Parameters
    ----------
    measured
        Results of :func:`measure` by seed.

    Examples
    --------
    >>> figures = {"roc_auc": 0.98, "average_precision": 0.9, "precision_at_n": 0.8}
    >>> print(tabulate({7: {"own": figures, "scikit_learn": 0.98}}))
    | seed | ROC AUC | scikit-learn's | difference | average precision | precision at n |
    | --- | --- | --- | --- | --- | --- |
    | 7 | 0.9800 | 0.9800 | 0 | 0.9000 | 0.8000 |
    | **mean** | **0.9800** | 0.9800 | 0 | 0.9000 | 0.8000 |
    | paper | 0.97 | | | | |
    """
    figures = {
        str(seed): (
            each["own"]["roc_auc"],
            each["scikit_learn"],
            abs(each["own"]["roc_auc"] - each["scikit_learn"]),
            each["own"]["average_precision"],
            each["own"]["precision_at_n"],
        )
        for seed, each in measured.items()
    }
    mean = np.mean(list(figures.values()), axis=0).tolist()
    lines = [
        "| seed | ROC AUC | scikit-learn's | difference | average precision | precision at n |",
        "| --- " * 6 + "|",
    ]
    for called, (auc, scikit_learn, difference, average, at_n) in {**figures, "**mean**": mean}.items():
        own = f"**{auc:.4f}**" if called == "**mean**" else f"{auc:.4f}"
        lines.append(f"| {called} | {own} | {scikit_learn:.4f} | {difference:g} | {average:.4f} | {at_n:.4f} |")
    return "\n".join([*lines, f"| paper | {AUC_OF_THE_PAPER} | | | | |"])


def main() -> int:
    """Measure all seeds and print the table."""
    argparse.ArgumentParser(prog="python -m benchmarks.mulcross", description=__doc__).parse_args()
    measured = {}
    for seed in SEEDS:
        print(f"Seed {seed} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            measured[seed] = measure(seed, Path(folder))
    print(tabulate(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
