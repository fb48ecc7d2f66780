"""The page that shows a replay of a file through the drift detectors."""

from __future__ import annotations

import pandas as pd

from app.drift.calibration import COUNTS, CVM, MMD, OUTLIER_RATE, SCORE
from app.drift.detector import Kind
from training.drift.replay import Replay, count, describe_detectors, first_event_row, rows_in_drift
from training.figures.statistic import statistic_figure
from training.pages.page import SelfContainedPage

REPLAY_FILE = "drift_replay.html"

_MONITORS = {
    MMD: "all features together",
    CVM: "each feature by itself",
    SCORE: "the anomaly score",
    OUTLIER_RATE: "the share of outliers",
    COUNTS: "small changes of a feature or the score, over thousands of rows",
}

# Nobody reads a longer list.
_MAX_FINDINGS = 1000


def compose_replay_page(replay: Replay, model: str) -> str:
    """Render the page.

    Parameters
    ----------
    replay
        The result of the replay.
    model
        Name and version of the model whose detectors they are.

    Returns
    -------
    HTML.
    """
    page = SelfContainedPage(f"Drift replay of {replay.data.path.name}")
    page.begin_section("Results")
    page.add_paragraph(
        f"{replay.data.path.name}: {len(replay.data):,} rows, in the order of the file; sha256 {replay.data.sha256}. "
        f"The detectors are those of {model}."
    )
    page.add_paragraph(describe_detectors(replay))
    page.add_table(_tabulate(replay))
    page.begin_section("Statistic against threshold")
    page.add_paragraph(
        "The statistic at a row is that of the window that ends there. Above the dashed line, the detector signals, "
        "unless it is confirming an earlier signal or a drift is going on. A drift is shaded, from its event until "
        "windows are below the threshold again. Of many rows, the lowest and the highest statistic of each stretch "
        "are drawn."
    )
    first_row = replay.watch.window
    page.add_figures(
        [statistic_figure(name, _MONITORS[name], detector, first_row) for name, detector in replay.detectors.items()],
        wide=True,
    )
    _add_findings(page, replay)
    return page.render()


def _tabulate(replay: Replay) -> pd.DataFrame:
    """Tabulate one line per detector."""
    detectors = replay.detectors
    firsts = [first_event_row(detector) for detector in detectors.values()]
    return pd.DataFrame(
        {
            "monitors": [_MONITORS[name] for name in detectors],
            "largest ratio": [float(detector.ratios.max()) for detector in detectors.values()],
            "signals": [count(detector, Kind.ALARM) for detector in detectors.values()],
            "signals by chance": [detector.expected_signals for detector in detectors.values()],
            "events": [count(detector, Kind.EVENT) for detector in detectors.values()],
            "first event at row": ["none" if first is None else f"{first:,}" for first in firsts],
            "rows in drift": [rows_in_drift(detector) for detector in detectors.values()],
        },
        index=pd.Index(detectors, name="detector"),
    )


def _add_findings(page: SelfContainedPage, replay: Replay) -> None:
    """Add the events, then the signals."""
    for kind, heading in ((Kind.EVENT, "Events"), (Kind.ALARM, "Signals")):
        page.begin_section(heading)
        findings = [
            finding for detector in replay.detectors.values() for finding in detector.findings if finding.kind is kind
        ]
        if not findings:
            page.add_paragraph("None.")
            continue
        if len(findings) > _MAX_FINDINGS:
            page.add_paragraph(f"The first {_MAX_FINDINGS:,} of {len(findings):,}.")
        shown = sorted(findings, key=lambda finding: finding.row)[:_MAX_FINDINGS]
        page.add_table(
            pd.DataFrame(
                {
                    "detector": [finding.detector for finding in shown],
                    "farthest feature": [finding.feature for finding in shown],
                },
                index=pd.Index([finding.row for finding in shown], name="row"),
            )
        )
