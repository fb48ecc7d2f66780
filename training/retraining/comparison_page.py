"""The page that shows how a candidate compares with the live model."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd

from app.records.timestamps import SECONDS_PER_DAY, format_timestamp
from training.figures.model_comparison import daily_shares_figure, intervals_figure, score_spread_figure
from training.pages.page import SelfContainedPage
from training.retraining.comparison import METRIC_TITLES, ModelComparison, conclude, format_interval
from training.retraining.promotion_gate import ACCEPTABLE_ALARM_SHARE, MAX_ALARM_RATIO
from training.retraining.quality_comparison import METRICS, Interval
from training.retraining.traffic_comparison import SCORE_EDGES, Difference

COMPARISON_FILE = "comparison.html"

# Nobody reads a row of hundreds of numbers; the service shows the whole record.
_MAX_FEATURES = 10


def compose_comparison_page(comparison: ModelComparison, version: str) -> str:
    """Render the page.

    Parameters
    ----------
    comparison
        The results.
    version
        The candidate's version.

    Returns
    -------
    HTML.
    """
    page = SelfContainedPage(f"{version} against {comparison.live}")
    page.begin_section("Results")
    for sentence in conclude(comparison):
        page.add_paragraph(sentence)
    page.add_paragraph(
        f"Live: {comparison.live}. Candidate: {version}. To make it live: python -m training promote {version}"
    )
    _add_quality(page, comparison)
    _add_traffic(page, comparison)
    _add_differences(page, comparison)
    _add_records(page, comparison)
    _add_explanation(page)
    return page.render()


def _add_quality(page: SelfContainedPage, comparison: ModelComparison) -> None:
    """Add the comparison on labelled rows."""
    quality = comparison.quality
    page.begin_section("On labelled rows")
    if quality.reason:
        page.add_paragraph(f"No figures: {quality.reason}.")
        return
    models = {"live": quality.live, "candidate": quality.candidate, "difference": quality.difference}
    page.add_table(
        pd.DataFrame(
            {
                name: [format_interval(figures[metric], "+" if name == "difference" else "-") for metric in METRICS]
                for name, figures in models.items()
            },
            index=pd.Index([METRIC_TITLES[metric] for metric in METRICS], name="figure, 95 % interval"),
        )
    )
    drawn = {name: {METRIC_TITLES[key]: _ends(figures[key]) for key in METRICS} for name, figures in models.items()}
    page.add_figures(
        [
            intervals_figure(
                "Quality of both models",
                "95 % intervals; they may overlap even if the difference is certain",
                {name: drawn[name] for name in ("live", "candidate")},
                "figure",
            ),
            intervals_figure(
                "Difference",
                "candidate minus live model, 95 % intervals; above 0 is better",
                {"difference": drawn["difference"]},
                "difference",
            ),
        ]
    )


def _ends(interval: Interval) -> tuple[float, float, float]:
    """Return value and ends of an interval."""
    return interval.value, interval.low, interval.high


def _add_traffic(page: SelfContainedPage, comparison: ModelComparison) -> None:
    """Add the comparison on the latest traffic."""
    latest = comparison.traffic.latest
    page.begin_section("On the latest traffic")
    if not latest.n_recorded:
        page.add_paragraph(f"No row was answered since {format_timestamp(comparison.traffic.latest_since)}.")
        return
    rows = latest.counts.rows
    page.add_paragraph(
        f"Rows answered since {format_timestamp(comparison.traffic.latest_since)}: {rows.sum():,.0f}, of which "
        f"{latest.n_recorded:,} are recorded. Each is weighted by its inverse inclusion probability."
    )
    page.add_table(
        pd.DataFrame(
            {
                "candidate: inlier": [_count(rows[:, live, 0].sum(), rows.sum()) for live in (0, 1)],
                "candidate: outlier": [_count(rows[:, live, 1].sum(), rows.sum()) for live in (0, 1)],
            },
            index=pd.Index(["live: inlier", "live: outlier"], name="rows"),
        )
    )
    days = sorted(latest.days)
    counts = [latest.days[day] for day in days]
    names = [f"{datetime.fromtimestamp(day * SECONDS_PER_DAY, UTC):%d %b}" for day in days]
    shares = {name: [of_day[place] / of_day[0] for of_day in counts] for place, name in ((1, "live"), (2, "candidate"))}
    page.add_figures(
        [
            daily_shares_figure(names, shares, [of_day[0] for of_day in counts]),
            score_spread_figure(SCORE_EDGES, latest.scores, comparison.offsets),
        ]
    )


def _count(n_rows: float, of: float) -> str:
    """Format a number of rows and its share."""
    return f"{n_rows:,.0f} ({n_rows / of:.3%})"


def _add_differences(page: SelfContainedPage, comparison: ModelComparison) -> None:
    """Add the rows to which the models give different labels."""
    page.begin_section("Rows where they differ")
    page.add_paragraph(
        "Of the latest rows, those whose scores are farthest apart, each measured from its model's threshold. A "
        "service that still has the record shows all of it at /predictions/RECORD."
    )
    for candidate_flags, heading in (
        (True, "Only the candidate flags them"),
        (False, "Only the live model flags them"),
    ):
        page.add_heading(heading)
        differences = comparison.traffic.latest.differences[candidate_flags]
        if differences:
            page.add_table(_tabulate(differences, comparison.feature_names))
        else:
            page.add_paragraph("None.")


def _tabulate(differences: list[Difference], names: tuple[str, ...]) -> pd.DataFrame:
    """Tabulate the rows, one per line."""
    labels = {True: "outlier", False: "inlier", None: ""}
    table = pd.DataFrame(
        {
            "row": [difference.row for difference in differences],
            "answered": [format_timestamp(difference.answered_at) for difference in differences],
            "live score": [difference.live_score for difference in differences],
            "candidate score": [difference.candidate_score for difference in differences],
            "true label": [labels[difference.known] for difference in differences],
        },
        index=pd.Index([difference.record_id for difference in differences], name="record"),
    )
    for place, name in enumerate(names[:_MAX_FEATURES]):
        values = [float(difference.features[place]) for difference in differences]
        # A feature may have the name of another column.
        table.insert(table.shape[1], name, values, allow_duplicates=True)
    if len(names) > _MAX_FEATURES:
        table.insert(table.shape[1], f"and {len(names) - _MAX_FEATURES} more", "", allow_duplicates=True)
    return table


def _add_records(page: SelfContainedPage, comparison: ModelComparison) -> None:
    """Add what the candidate was trained on."""
    page.begin_section("What the candidate was trained on")
    titles = {
        "read": "recorded rows",
        "other_features": "left out: models with other features",
        "without_features": "left out: recorded without features",
        "judging": "left out: holdout set",
        "shaping": "train set",
        "kept": "training rows drawn from it",
        "labelled_outliers": "of these, labelled outliers",
        "excluded_outliers": "of these, left out when trees are grown",
    }
    records = comparison.records
    page.add_paragraph(
        f"Rows answered between {records['since']} and {records['until']}. Each answered row of the train set is a "
        f"training row with probability {records['chance']:.3g}, however it was recorded."
    )
    page.add_table(
        pd.DataFrame({"rows": [records[key] for key in titles]}, index=pd.Index(titles.values(), name="what"))
    )


def _add_explanation(page: SelfContainedPage) -> None:
    """Explain the figures."""
    page.begin_section("How to read it")
    for text in (
        "A hash of record id and row number splits all recorded rows, labelled or not, into a train and a holdout set "
        "of equal size. The candidate is trained on the train set; both models are compared on the labelled rows of "
        "the holdout set. The live model may have been trained on any of them.",
        "Precision: the share of flagged rows that are outliers. Recall: the share of outliers that are flagged. F1: "
        "their harmonic mean. All are estimates for all answered rows, not for those that happen to be labelled: "
        "labelled rows are grouped by the recorded answer and by the labels of both models, and each group represents "
        "all answered rows in it.",
        "Rows that were answered as inliers and labelled without being drawn for an audit are not used: somebody had a "
        "reason to look at them. Labelled alarms are assumed to be a random sample of all alarms in their group.",
        "The interval of the difference does not follow from those of the two figures: both models meet the same rows, "
        "so they share much of the uncertainty. Where no row that only one model flags is labelled, any share of "
        "outliers among these is considered possible, and the interval is wide.",
        "Certainly better: the whole 95 % interval of F1's difference is above 0, and of the latest rows the "
        f"candidate flags at most {MAX_ALARM_RATIO:g} times as many as the live model, or at most "
        f"{ACCEPTABLE_ALARM_SHARE:.1%}.",
    ):
        page.add_paragraph(text)
