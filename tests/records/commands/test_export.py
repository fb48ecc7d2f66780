"""Records and events are exported completely, one line per row, and safe to open."""

from __future__ import annotations

import csv
import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from app.db.engine import upgrade_database
from app.records import export as record_pages
from app.records import reading
from app.records.__main__ import main
from app.records.events import add_event
from app.records.export import RecordPages
from app.server.output_file import disarm
from tests.records.example_records import START, add_audit, add_label, add_record, add_version, record_id_at


@pytest.fixture
def filled(address: str, opened) -> str:
    """Four records of two models with different features, some labelled; an event."""
    with opened(address).begin() as connection:
        add_version(connection, "v1", "mean", "sd")
        add_version(connection, "v2", "sd", "=age")
        add_version(connection, "v3", "never answered")
        first = add_record(connection, 0, n_rows=2, request_id="-1+cmd|'/C calc'!A0", segment="@EU")
        add_label(connection, first, row=1, note="=1+1", source="+desk")
        add_label(connection, first, row=1, is_inlier=1, replaced_at=START)
        add_audit(connection, first, row=0)
        add_record(connection, 60, model_version="v2", features=np.array([2.5, -3], "<f4").tobytes(), score=-0.75)
        add_record(connection, 3600, features=None)
        add_event(connection, "ann@desk", "promotion", "v1", "v2", "=note", at=START + 30)
        add_event(connection, "ann@desk", "promotion", "v2", "v3", at=START + 90_000)
    return address


def export(address: str, out: Path, *options: str) -> int:
    """Run the command."""
    return main(["export", "--database", address, "--out", str(out), *options])


def read(file: Path) -> list[dict[str, str]]:
    """Read the rows of a CSV file."""
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def test_each_row_has_its_label_and_audit(filled: str, tmp_path: Path, capsys):
    """Features by the names of the version that answered, empty where it had none."""
    assert export(filled, tmp_path / "all.csv", "--since", "2026-11-01", "--until", "2026-11-02") == 0

    rows = read(tmp_path / "all.csv")
    assert [(row["record_id"], row["row"]) for row in rows] == [
        (record_id_at(0), "0"),
        (record_id_at(0), "1"),
        (record_id_at(60), "0"),
        (record_id_at(3600), "0"),
    ]
    assert [(row["feature.mean"], row["feature.sd"], row["feature.=age"]) for row in rows] == [
        ("0.0", "0.1", ""),
        ("1.0", "0.1", ""),
        ("", "2.5", "-3.0"),
        ("", "", ""),
    ]
    assert "feature.never answered" not in rows[0]
    assert rows[0] | {"audit_probability": "0.001", "label": "", "handed_at": ""} == rows[0]
    assert rows[1] | {"label": "-1", "labelled_at": "2026-11-02T00:00:00.000Z", "audit_probability": ""} == rows[1]
    assert rows[2] | {"score": "-0.75", "answered_at": "2026-11-01T00:01:00.000Z", "model_version": "v2"} == rows[2]
    assert capsys.readouterr().out == f"rows: 4 in {tmp_path}/all.csv, events: 1 in {tmp_path}/all.events.csv\n"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_text_that_starts_like_a_formula_gets_an_apostrophe(start):
    """With each of the characters that spreadsheets take for the start of one, and only at the start."""
    assert disarm(f"{start}1") == f"'{start}1"
    assert disarm(f"1{start}") == f"1{start}"


def test_a_spreadsheet_finds_no_formula(filled: str, tmp_path: Path):
    """Texts that start like one get an apostrophe; numbers stay numbers."""
    export(filled, tmp_path / "all.csv", "--since", "2026-11-01")

    rows = read(tmp_path / "all.csv")
    assert rows[1]["request_id"] == "'-1+cmd|'/C calc'!A0"
    assert (rows[1]["segment"], rows[1]["label_source"], rows[1]["label_note"]) == ("'@EU", "'+desk", "'=1+1")
    assert rows[2]["score"] == "-0.75"
    assert read(tmp_path / "all.events.csv")[0]["note"] == "'=note"
    for text in (tmp_path / "all.csv").read_text().splitlines()[0].split(","):
        assert text[0] not in "=+-@"


def test_time_span_includes_its_start_and_excludes_its_end(filled: str, tmp_path: Path):
    """Events of the same time span are in a second file."""
    export(filled, tmp_path / "some.csv", "--since", "2026-11-01T00:01", "--until", "2026-11-01T02:00+01:00")

    assert [row["record_id"] for row in read(tmp_path / "some.csv")] == [record_id_at(60)]
    assert read(tmp_path / "some.events.csv") == []

    export(filled, tmp_path / "none.csv", "--since", "2026-11-01T00:02", "--until", "2026-11-01T00:03")
    assert read(tmp_path / "none.csv") == []


@pytest.mark.parametrize("page_rows", [1, 2, 3])
def test_pages_leave_nothing_out(filled: str, tmp_path: Path, monkeypatch, page_rows: int):
    """Wherever a page ends, even within a request."""
    export(filled, tmp_path / "whole.csv", "--since", "2026-11-01")
    monkeypatch.setattr(reading, "PAGE_ROWS", page_rows)
    export(filled, tmp_path / "pages.csv", "--since", "2026-11-01")

    assert (tmp_path / "pages.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert len(read(tmp_path / "pages.csv")) == 4


def test_no_page_exceeds_its_size(filled: str, opened, monkeypatch):
    """However many rows there are: the memory of an export does not grow with them."""
    monkeypatch.setattr(reading, "PAGE_ROWS", 2)
    with opened(filled).begin() as connection:
        add_record(connection, 7200, n_rows=25)

    sizes = [len(page.columns["row"]) for page in RecordPages(opened(filled), START, START + 86_400)]

    assert sum(sizes) == 29
    assert max(sizes) == 2


def test_parquet_has_the_same_with_types(filled: str, tmp_path: Path):
    """Texts unchanged, timestamps with their type, null for unknown values."""
    assert export(filled, tmp_path / "all.parquet", "--format", "parquet", "--since", "2026-11-01") == 0

    table = pq.read_table(tmp_path / "all.parquet")
    types = {field.name: str(field.type) for field in table.schema}
    assert types | {"answered_at": "timestamp[us, tz=UTC]", "feature.sd": "float", "label": "int8"} == types
    rows = table.to_pylist()
    assert rows[1]["label_note"] == "=1+1"
    assert rows[1]["request_id"] == "-1+cmd|'/C calc'!A0"
    assert [row["feature.sd"] for row in rows] == [*[float(np.float32(0.1))] * 2, 2.5, None]
    assert rows[0]["answered_at"].timestamp() == START
    assert rows[0]["label"] is None
    events = pq.read_table(tmp_path / "all.events.parquet").to_pylist()
    assert [event["note"] for event in events] == ["=note", ""]


def test_parquet_of_nothing_has_its_columns(filled: str, tmp_path: Path):
    """So that a program that reads it needs no special case."""
    export(filled, tmp_path / "none.parquet", "--format", "parquet", "--since", "2025-01-01", "--until", "2025-01-02")

    assert "record_id" in pq.read_table(tmp_path / "none.parquet").column_names
    assert pq.read_table(tmp_path / "none.events.parquet").column_names[0] == "at"


def test_parquet_without_its_package_is_refused(sqlite: str, tmp_path: Path, monkeypatch, capsys):
    """Before anything is read, with what to do instead."""
    upgrade_database(sqlite)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)

    assert export(sqlite, tmp_path / "all.parquet", "--format", "parquet", "--since", "1d") == 1

    assert capsys.readouterr().err.startswith(
        "records: Parquet needs the package pyarrow, which is installed for training"
    )


def test_an_interrupted_export_leaves_the_old_file(filled: str, tmp_path: Path, monkeypatch):
    """And nothing else."""
    (tmp_path / "all.csv").write_text("of last week")
    monkeypatch.setattr(reading, "PAGE_ROWS", 1)
    pages = record_pages.RecordPages._to_columns

    def interrupt(self, rows):
        if rows[0].record_id == record_id_at(60):
            raise KeyboardInterrupt
        return pages(self, rows)

    monkeypatch.setattr(record_pages.RecordPages, "_to_columns", interrupt)

    assert export(filled, tmp_path / "all.csv", "--since", "2026-11-01") == 130
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["all.csv"]
    assert (tmp_path / "all.csv").read_text() == "of last week"


def test_a_file_that_cannot_be_written_is_named(sqlite: str, tmp_path: Path, capsys):
    """With what to do."""
    upgrade_database(sqlite)

    assert export(sqlite, tmp_path / "nowhere" / "all.csv", "--since", "1d") == 1

    assert "nowhere/all.csv cannot be written (No such file or directory): make room, or" in capsys.readouterr().err


def test_time_span_that_ends_before_its_start_is_refused(filled: str, tmp_path: Path, capsys):
    """In one sentence; no file is written, as it would look as if nothing was recorded."""
    assert export(filled, tmp_path / "none.csv", "--since", "1d", "--until", "2d") == 1

    assert "records: --until is not after --since" in capsys.readouterr().err
    assert list(tmp_path.glob("none*")) == []


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_records_go_through_links_and_into_pipes(filled: str, tmp_path: Path, capfd, form: str):
    """The link and the mode of its file stay; into a pipe go the records alone, and the summary to standard error."""
    options = ("--since", "2026-11-01", "--until", "2026-11-02", "--format", form)
    file, link, pipe = tmp_path / f"mine.{form}", tmp_path / f"link.{form}", tmp_path / "pipe"
    file.touch(mode=0o640)
    file.chmod(0o640)
    link.symlink_to(file)
    os.mkfifo(pipe)

    assert export(filled, link, *options) == 0
    assert (link.is_symlink(), stat.S_IMODE(file.stat().st_mode)) == (True, 0o640)
    capfd.readouterr()
    with ThreadPoolExecutor() as threads:
        read_bytes = threads.submit(pipe.read_bytes)
        assert export(filled, pipe, *options) == 0

    assert read_bytes.result(5) == file.read_bytes()
    assert (pipe.is_fifo(), (tmp_path / "pipe.events").exists()) == (True, False)
    assert capfd.readouterr() == ("", "rows: 4; events are written only beside a file\n")
    if form == "csv":
        assert export(filled, Path("-"), *options) == 0
        assert capfd.readouterr().out.encode() == file.read_bytes()


def test_folder_is_refused(filled: str, tmp_path: Path, capsys):
    """In words."""
    assert export(filled, tmp_path, "--since", "2026-11-01") == 1

    assert f"{tmp_path} cannot be written (it is a folder)" in capsys.readouterr().err
