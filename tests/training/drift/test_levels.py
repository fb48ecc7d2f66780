"""Files with categories, booleans and missing values are compared column by column and as a whole."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from training.__main__ import main
from training.drift import levels_test
from training.drift.levels_test import compare_levels

N_ROWS = 400


def make_orders(seed: int, countries=(0.6, 0.3, 0.1), missing=0.05) -> pd.DataFrame:
    """Return orders."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "amount": random.lognormal(size=N_ROWS).round(3),
            "country": random.choice(["DE", "FR", "IT"], N_ROWS, p=countries),
            "member": random.random(N_ROWS) < 0.3,
            "age": np.where(random.random(N_ROWS) < missing, np.nan, random.integers(18, 90, N_ROWS)),
            "day": "2026-11-29",
        }
    )


@pytest.mark.parametrize(
    ("current", "changed"),
    [
        (make_orders(2), set()),
        (make_orders(2, countries=(0.2, 0.7, 0.1)), {"country"}),
        (make_orders(2).assign(country=lambda table: table.country.replace("FR", "XX")), {"country"}),
        (make_orders(2, missing=0.4), {"age"}),
        (make_orders(2).assign(member=lambda table: table.member.where(table.index % 2 == 0, None)), {"member"}),
    ],
)
def test_changed_columns_are_found(current, changed, tmp_path, capsys):
    """Another mix of levels, a new one, and more missing values; times are left out with a sentence."""
    make_orders(1).to_csv(tmp_path / "reference.csv", index=False)
    current.to_csv(tmp_path / "current.csv", index=False)
    files = ["--reference", str(tmp_path / "reference.csv"), "--current", str(tmp_path / "current.csv")]

    status = main(["drift", *files, "--out", str(tmp_path)])

    shown = capsys.readouterr()
    assert status == (3 if changed else 0)
    lines = shown.out.splitlines()[1:5]
    assert {line.split()[0] for line in lines if line.endswith("yes")} == changed
    assert {line.split()[0] for line in lines} == {"amount", "country", "member", "age"}
    assert "column day is not compared: it holds times." in shown.err
    if changed == {"country"}:
        assert "Whole rows: MMD" in shown.out
        assert ", corrected 0.002 (" in shown.out
    page = (tmp_path / "drift.html").read_text()
    assert "total variation" in page
    assert "nan" not in shown.out


def test_p_values_of_levels_are_uniform_without_a_change(monkeypatch):
    """With many levels, and with few rows; a test at 5 % is wrong in about 5 % of cases."""
    for limit in ("_MIN_PERMUTATIONS", "_MAX_PERMUTATIONS"):
        monkeypatch.setattr(levels_test, limit, 999)
    random = np.random.default_rng(3)
    for shares, n_rows in ((np.full(40, 1 / 40), 300), (np.array([0.9, 0.09, 0.01]), 60)):
        found = [
            compare_levels(random.multinomial(n_rows, shares), random.multinomial(2 * n_rows, shares)).p_value
            for _ in range(60)
        ]
        assert np.mean(np.array(found) < 0.05) <= 0.15
        assert 0.3 < np.mean(found) < 0.75


def test_codes_are_levels_if_asked(tmp_path, capsys):
    """By default, numbers are compared in their order."""
    for name, seed in (("reference", 1), ("current", 2)):
        codes = np.random.default_rng(seed).choice([10, 20, 30], N_ROWS)
        pd.DataFrame({"code": codes}).to_csv(tmp_path / f"{name}.csv", index=False)
    files = ["--reference", str(tmp_path / "reference.csv"), "--current", str(tmp_path / "current.csv")]

    assert main(["drift", *files, "--category", "code", "--out", str(tmp_path)]) == 0

    assert "  -  no" in capsys.readouterr().out
