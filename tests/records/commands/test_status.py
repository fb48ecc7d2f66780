"""Operators see what is recorded."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.db.revision import REVISION
from app.records.__main__ import main
from app.records.events import add_event
from tests.records.example_records import START, add_audit, add_label, add_record, add_version, add_waiting_label

ROOT = Path(__file__).resolve().parents[3]


def facts(said: str) -> dict[str, str]:
    """Return what was printed, by name."""
    return dict(re.split(r"\s{2,}", line, maxsplit=1) for line in said.splitlines())


def test_status_prints_the_contents(address: str, opened, capsys):
    """Rows, labels, audits, events; the address without its password."""
    with opened(address).begin() as connection:
        add_version(connection, "v1", "mean", "sd")
        first = add_record(connection, 0, n_rows=3)
        add_record(connection, 3600)
        add_label(connection, first)
        add_label(connection, first, is_inlier=1, replaced_at=START)
        add_audit(connection, first)
        add_waiting_label(connection, "unknown")
        add_event(connection, "ann@desk", "purge", at=START + 60)

    assert main(["status", "--database", address]) == 0

    said = capsys.readouterr().out
    told = facts(said)
    assert "never-shown" not in said
    assert re.search(r"records\d*(\.db)?$", told["database"])
    assert told["revision"] == REVISION
    assert re.fullmatch(r"\d+\.\d MB", told["size"])
    assert told["rows"] == "4"
    assert told["oldest"] == "2026-11-01T00:00:00.000Z"
    assert told["newest"] == "2026-11-01T01:00:00.000Z"
    assert told["labels"] == "1, and 1 that were replaced"
    assert told["pending labels"] == "1"
    assert told["audits"] == "1, of which 0 were handed out"
    assert told["last event"] == "2026-11-01T00:01:00.000Z purge by ann@desk"


def test_status_of_an_empty_database(address: str, capsys):
    """Zeros and dashes."""
    main(["status", "--database", address])

    told = facts(capsys.readouterr().out)
    assert (told["rows"], told["oldest"], told["last event"]) == ("0", "-", "-")


def test_the_service_s_own_database_is_the_default(tmp_path: Path):
    """Without --database, that of DATABASE_URL; a missing database is one sentence and status 1."""
    done = subprocess.run(
        [sys.executable, "-m", "app.records", "status"],
        cwd=ROOT,
        env={"DATABASE_URL": f"sqlite:///{tmp_path}/records.db"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert done.stderr == (
        f"records: {tmp_path}/records.db holds no records yet: the service creates the tables when it starts, "
        "and so does `python -m app.records upgrade`.\n"
    )


def test_upgrade_creates_the_tables(address: str, capsys):
    """As the service does; it can be repeated."""
    for _ in range(2):
        assert main(["upgrade", "--database", address]) == 0
        assert capsys.readouterr().out.endswith(f" is at revision {REVISION}\n")

    assert main(["status", "--database", address]) == 0


@pytest.mark.parametrize("arguments", [[], ["stat"], ["forget"], ["export"], ["export", "--sinc", "1d"]])
def test_a_mistyped_command_is_one_line(arguments: list[str], capsys):
    """With status 2, and a reference to --help."""
    with pytest.raises(SystemExit) as refused:
        main(arguments)

    assert refused.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("records: ")
    assert "--help" in said
    assert said.count("\n") == 1


def test_a_server_that_is_down_is_one_sentence(capsys):
    """Here, one that never ran."""
    assert main(["status", "--database", "postgresql://isowatch:never-shown@127.0.0.1:1/records"]) == 1

    assert re.fullmatch(
        r"records: postgresql://isowatch@127\.0\.0\.1:1/records cannot be used \(Connection refused\): .*\n",
        capsys.readouterr().err,
    )
