"""A replay says of a file what the detectors of the service would have said of the same rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.drift.calibration import Calibration
from app.drift.detector import Kind
from app.drift.monitor import DriftMonitor
from app.model.bundle import DRIFT_FILE, REFERENCE_FILE, read_bundle
from training.data.dataset import Dataset, read_training_data
from training.drift.replay import describe_detectors, replay, tabulate_replay
from training.errors import BadData
from training.pages.replay import compose_replay_page


@pytest.fixture(scope="module")
def bundle(credits_models):
    """A model of credit spending, with detectors of windows of ten rows."""
    return read_bundle(credits_models / "current")


@pytest.fixture
def make_watch(bundle):
    """Make detectors that have seen no row."""
    calibration = Calibration.read(bundle.folder / DRIFT_FILE, bundle.folder / REFERENCE_FILE)
    return lambda: DriftMonitor(calibration, bundle.features.names, rows_per_second=100, false_alarm_days=30)


@pytest.fixture(scope="module")
def data(training_csv):
    """Rows of which the second third has moved."""
    rows = read_training_data(training_csv).rows
    rows = np.random.default_rng(1).choice(rows, 3000)
    rows[1000:2000] += 3
    return Dataset(("mean", "sd"), rows, Path("elsewhere/stream.csv"), "ab" * 32, ("mean", "sd"))


@pytest.fixture
def replayed(bundle, make_watch, data):
    """What the detectors said of them."""
    return replay(bundle.forest, make_watch(), data)


def test_replay_is_what_the_service_would_have_said(bundle, make_watch, data, replayed):
    """The same statistics, alarms and events as of one large request."""
    watch, scores = make_watch(), bundle.forest.score(data.rows)
    expected = watch.update(data.rows, scores, bundle.forest.label(scores))

    for name, detector in replayed.detectors.items():
        assert detector.ratios.tolist() == expected.ratios[name]
        said = [(finding.kind, finding.feature, finding.row) for finding in detector.findings]
        assert said == [
            (finding.kind, finding.feature, finding.row) for finding in expected.findings if finding.detector == name
        ]
    assert replayed.watch.describe()["detectors"].keys() == replayed.detectors.keys()


def test_drift_lasts_from_its_event_until_windows_are_quiet(replayed):
    """It begins soon after the rows have moved, and ends soon after they are as before."""
    detector = replayed.detectors["mmd"]

    events = [finding.row for finding in detector.findings if finding.kind is Kind.EVENT]
    [(first, last)] = detector.drifts
    assert events == [first]
    assert 1000 < first < 1200
    assert 2000 < last < 2400
    assert (detector.ratios[first - 10 : 1990] > 1).all()


def test_drift_that_lasts_to_the_end_ends_with_the_file(bundle, make_watch, data):
    """Its last row is the file's."""
    cut = Dataset(data.names, data.rows[:1500], data.path, data.sha256, data.columns)

    replayed = replay(bundle.forest, make_watch(), cut)

    assert replayed.detectors["mmd"].drifts[-1][1] == 1500


def test_alarms_by_chance_follow_from_the_promise(replayed):
    """So many rows with a full window, over the rows between alarms."""
    expected = (3000 - 9) / replayed.watch.run_times["cvm"]

    assert replayed.detectors["cvm"].expected_signals == pytest.approx(expected)
    assert 5 < expected < 15


def test_progress_is_told(bundle, make_watch, data):
    """Up to the last row."""
    done: list[int] = []
    replay(bundle.forest, make_watch(), data, done.append)

    assert done == [1000, 2000, 3000]


def test_file_shorter_than_a_window_is_refused(bundle, make_watch, data):
    """No statistic could be computed."""
    short = Dataset(data.names, data.rows[:9], data.path, data.sha256, data.columns)

    with pytest.raises(BadData, match=r"stream.csv has 9 rows, but a window has 10; replay a longer"):
        replay(bundle.forest, make_watch(), short)


def test_table_has_a_line_for_each_detector(replayed):
    """With alarms, events and where the first one was; a dash where there was none."""
    header, *lines = tabulate_replay(replayed).splitlines()

    assert header.startswith("detector")
    assert [line.split()[0] for line in lines] == list(replayed.detectors)
    mmd = replayed.detectors["mmd"]
    [(first, last)] = mmd.drifts
    n_alarms = sum(finding.kind is Kind.ALARM for finding in mmd.findings)
    assert lines[0].split() == [
        *("mmd", f"{mmd.ratios.max():.2f}", f"{n_alarms}", f"{mmd.expected_signals:.1f}"),
        *("1", f"{first:,}", f"{last - first + 1:,}"),
    ]


def test_page_shows_each_detector_and_lists_what_it_said(replayed):
    """A figure each, and the rows of all events and alarms."""
    page = compose_replay_page(replayed, "isowatch 1")

    assert "elsewhere" not in page
    assert "stream.csv: 3,000 rows, in the order of the file" in page
    assert "The detectors are those of isowatch 1." in page
    assert describe_detectors(replayed) in page
    assert page.count('role="group"') == len(replayed.detectors)
    events, alarms = page.split(">Events</h2>")[1].split(">Alarms</h2>")
    for detector in replayed.detectors.values():
        for finding in detector.findings:
            assert f"<th>{finding.row}</th>" in (events if finding.kind is Kind.EVENT else alarms)


def test_page_without_findings_says_so(bundle, make_watch, data):
    """Too short a file for any alarm."""
    short = Dataset(data.names, data.rows[:10], data.path, data.sha256, data.columns)

    page = compose_replay_page(replay(bundle.forest, make_watch(), short), "isowatch 1")

    assert page.count("<p>None.</p>") == 2
