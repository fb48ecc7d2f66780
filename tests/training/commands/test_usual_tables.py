"""The four tables of docs/preparing-data.md become served models with the commands that stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import create_app
from app.api.service import service_of
from app.model.bundle import read_bundle
from app.settings import Settings
from training.__main__ import main

PAGE = Path(__file__).resolve().parents[3] / "docs" / "preparing-data.md"

N_ROWS = 300


def write_transactions(random: np.random.Generator) -> tuple[str, str]:
    """Thirty columns of numbers, and a label in quotes."""
    names = ["Time", *(f"V{number}" for number in range(1, 29)), "Amount"]
    rows = random.normal(size=(N_ROWS, len(names))).round(4)
    lines = [",".join([*map(str, row), f'"{int(number % 100 == 0)}"']) for number, row in enumerate(rows.tolist())]
    return "utf-8", "\n".join([",".join(f'"{name}"' for name in [*names, "Class"]), *lines])


def write_sensor(random: np.random.Generator) -> tuple[str, str]:
    """A time and a value."""
    values = random.normal(size=N_ROWS).round(3).tolist()
    return "utf-8", "timestamp,value\n" + "\n".join(
        f"2026-01-{1 + number // 24:02d} {number % 24:02d}:00:00,{value}" for number, value in enumerate(values)
    )


def write_connections(random: np.random.Generator) -> tuple[str, str]:
    """Three columns of texts and 38 of numbers."""
    names = ["protocol", "service", "flag", *(f"n{number}" for number in range(38))]
    lines = [
        ",".join(
            [
                random.choice(["tcp", "udp"]),
                f"s{random.integers(40)}",
                random.choice(["SF", "S0"]),
                *map(str, random.integers(0, 50, 38)),
            ]
        )
        for _ in range(N_ROWS)
    ]
    return "utf-8", "\n".join([",".join(names), *lines])


def write_export(random: np.random.Generator) -> tuple[str, str]:
    """Semicolons, decimal commas, accents, blanks, dates and ids."""
    lines = [
        f"{1 + number % 28:02d}.03.2026;K{number:05d};{random.lognormal():.2f};".replace(".03.2026", "/03/2026")
        .replace(".", ",")
        .replace("/", ".")
        + f"{random.choice(['Österreich', 'Schweiz'])};{'' if number % 9 == 0 else number % 70}"
        for number in range(N_ROWS)
    ]
    return "cp1252", "\n".join(["Datum;Kunde;Betrag;Land;Alter", *lines])


TABLES: dict[str, tuple[Any, list[str]]] = {
    "transactions.csv": (write_transactions, ["number"] * 30),
    "sensor.csv": (write_sensor, ["number"]),
    "connections.csv": (write_connections, ["category"] * 3 + ["number"] * 38),
    "export.csv": (write_export, ["number", "category", "number"]),
}


@pytest.mark.parametrize("name", TABLES)
def test_table_is_served_with_the_command_of_the_page(name, tmp_path, monkeypatch, capsys):
    """With no other option; the service answers a row by name, as it was in the table."""
    [command] = re.findall(rf"^python -m (training train --train {name}.*)$", PAGE.read_text(), re.M)
    write, kinds = TABLES[name]
    encoding, text = write(np.random.default_rng(5))
    (tmp_path / name).write_bytes(text.encode(encoding))
    monkeypatch.chdir(tmp_path)

    status = main([*shlex.split(command)[1:], "--estimators", "10", "--metrics-port", "0"])

    assert status == 0, capsys.readouterr().err
    bundle = read_bundle(tmp_path / "models" / "current")
    assert [column["kind"] for column in bundle.manifest["columns"]] == kinds
    assert (bundle.manifest["training"]["label_column"] == "Class") == (name == "transactions.csv")
    app = create_app(Settings(model_dir=str(tmp_path / "models"), database_url=f"sqlite:///{tmp_path}/none/records.db"))
    golden = bundle.manifest["golden"]
    row = {
        column["name"]: number if number is None or "levels" not in column else column["levels"][int(number)]["level"]
        for column, number in zip(bundle.manifest["columns"], golden["rows"][0], strict=True)
    }
    answer = app.test_client().post("/prediction", json={"features": row, "score": True})
    service_of(app).close()
    assert answer.json["anomaly_score"] == pytest.approx(golden["anomaly_score"][0], abs=1e-12)
