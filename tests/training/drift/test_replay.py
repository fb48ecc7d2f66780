"""A replay of a file finds what the detectors of the service would have found in the same rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.drift.calibration import COUNTS, Calibration
from app.drift.detector import Kind
from app.drift.monitor import DriftMonitor
from app.model.bundle import DRIFT_FILE, REFERENCE_FILE, read_bundle
from training.data.dataset import Dataset, read_training_data
from training.drift.replay import describe_detectors, replay, tabulate_replay
from training.errors import BadData
from training.pages.replay import compose_replay_page


@pytest.fixture(scope="module")
def bundle(credits_models):
    """Return a model of credit spending, with detectors for windows of ten rows."""
    return read_bundle(credits_models / "current")


@pytest.fixture
def make_watch(bundle):
    """Create detectors that have seen no rows."""
    calibration = Calibration.read(bundle.folder / DRIFT_FILE, bundle.folder / REFERENCE_FILE)
    return lambda: DriftMonitor(calibration, bundle.features.names, rows_per_second=100, false_alarm_days=30)


@pytest.fixture(scope="module")
def data(training_csv):
    """Return rows of which the second third is shifted."""
    rows = read_training_data(training_csv).rows
    rows = np.random.default_rng(1).choice(rows, 3000)
    rows[1000:2000] += 3
    return Dataset(("mean", "sd"), rows, Path("elsewhere/stream.csv"), "ab" * 32, ("mean", "sd"))


@pytest.fixture
def replayed(bundle, make_watch, data):
    """Return the replay of these rows."""
    return replay(bundle.forest, make_watch(), data)


def test_replay_equals_the_service(bundle, make_watch, data, replayed):
    """The same statistics, signals and events as for one large request."""
    watch = make_watch()
    expected = watch.update(data.rows, *bundle.forest.score_and_label(data.rows))

    for name, detector in replayed.detectors.items():
        if name == COUNTS:  # compares once, after 2,000 of the rows
            assert detector.ratios.tolist() == [0.0] * 1990 + expected.ratios[name] * 1001
        else:
            assert detector.ratios.tolist() == expected.ratios[name]
        found = [(finding.kind, finding.feature, finding.row) for finding in detector.findings]
        assert found == [
            (finding.kind, finding.feature, finding.row) for finding in expected.findings if finding.detector == name
        ]
    assert replayed.watch.describe()["detectors"].keys() == replayed.detectors.keys()


def test_drift_lasts_from_its_event_until_windows_return_to_normal(replayed):
    """It starts soon after the shift and ends soon after its end."""
    detector = replayed.detectors["mmd"]

    events = [finding.row for finding in detector.findings if finding.kind is Kind.EVENT]
    [(first, last)] = detector.drifts
    assert events == [first]
    assert 1000 < first < 1200
    assert 2000 < last < 2400
    assert (detector.ratios[first - 10 : 1990] > 1).all()


def test_drift_that_lasts_to_the_end_ends_with_the_file(bundle, make_watch, data):
    """Its last row is the last row of the file."""
    cut = Dataset(data.names, data.rows[:1500], data.path, data.sha256, data.columns)

    replayed = replay(bundle.forest, make_watch(), cut)

    assert replayed.detectors["mmd"].drifts[-1][1] == 1500


def test_expected_signals_follow_from_the_expected_run_time(replayed):
    """The number of rows with a full window, divided by the expected run time."""
    expected = (3000 - 9) / replayed.watch.run_times["cvm"]

    assert replayed.detectors["cvm"].expected_signals == pytest.approx(expected)
    assert 5 < expected < 15


def test_progress_is_reported(bundle, make_watch, data):
    """Up to the last row."""
    done: list[int] = []
    replay(bundle.forest, make_watch(), data, done.append)

    assert done == [1000, 2000, 3000]


def test_file_shorter_than_a_window_is_refused(bundle, make_watch, data):
    """No statistic can be computed."""
    short = Dataset(data.names, data.rows[:9], data.path, data.sha256, data.columns)

    with pytest.raises(BadData, match=r"stream.csv has 9 rows, but a window has 10; replay a longer"):
        replay(bundle.forest, make_watch(), short)


def test_table_has_a_line_for_each_detector(replayed):
    """With signals, events and the row of the first event, or a dash."""
    header, *lines = tabulate_replay(replayed).splitlines()

    assert header.startswith("detector")
    assert [line.split()[0] for line in lines] == list(replayed.detectors)
    mmd = replayed.detectors["mmd"]
    [(first, last)] = mmd.drifts
    n_signals = sum(finding.kind is Kind.ALARM for finding in mmd.findings)
    assert lines[0].split() == [
        *("mmd", f"{mmd.ratios.max():.2f}", f"{n_signals}", f"{mmd.expected_signals:.1f}"),
        *("1", f"{first:,}", f"{last - first + 1:,}"),
    ]


def test_page_shows_and_lists_the_findings_of_each_detector(replayed):
    """A figure for each, and the rows of all events and signals."""
    page = compose_replay_page(replayed, "isowatch 1")

    assert "elsewhere" not in page
    assert "stream.csv: 3,000 rows, in the order of the file" in page
    assert "The detectors are those of isowatch 1." in page
    assert describe_detectors(replayed) in page
    assert page.count('role="group"') == len(replayed.detectors)
    events, signals = page.split(">Events</h2>")[1].split(">Signals</h2>")
    for detector in replayed.detectors.values():
        for finding in detector.findings:
            assert f"<th>{finding.row}</th>" in (events if finding.kind is Kind.EVENT else signals)


def test_page_without_findings_says_so(bundle, make_watch, data):
    """The file is too short for any signal."""
    short = Dataset(data.names, data.rows[:10], data.path, data.sha256, data.columns)

    page = compose_replay_page(replay(bundle.forest, make_watch(), short), "isowatch 1")

    assert page.count("<p>None.</p>") == 2
