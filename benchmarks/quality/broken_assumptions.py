"""Simulate windows in which people label as they like, and measure how often intervals hold and warnings appear."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.quality.estimate import Estimate, estimate_precision_and_recall
from app.quality.maturity import estimate_maturity
from app.quality.reviewed_rows import ReviewedRows, reach_of, select_answers
from app.quality.warnings import LabelNoise, SampledAlarms, find_warnings

_HOUR, _DAY = 3_600.0, 86_400.0

# The default window of GET /quality.
_WINDOW = 7 * _DAY

# A service of one answer a second, as in the simulated years, with the default threshold.
_N_ALARMS, _N_INLIERS, _AUDIT_SHARE = 4_000, 600_000, 0.005

# Share of outliers among predicted inliers: as many are missed as are caught.
_MISSED = 0.003

# Twice a day somebody labels so many alarms and so many inliers.
_HANDED_OUT, _ROUND_SECONDS = 150, _DAY / 2

# Most of them, but not all.
_ANSWERED = 0.95

_HELD = ("precision", "recall")

UNCHECKED = "Nobody has checked the labels"

_SENSITIVITY = (0.001, 0.005, 0.02)


@dataclass(frozen=True)
class Habit:
    """How people label, and how outliers come.

    Parameters
    ----------
    name
        Title in the table.
    clearest_first
        Whether alarms with the lowest scores are labelled first, apart from the queue.
    true_more_often
        How many times as often true alarms are labelled as false ones, apart from the queue.
    delays
        Mean delay of the label of an outlier, and of an inlier, in seconds.
    noise
        Share of wrong labels of audited inliers.
    rise
        How many times as many true alarms come at the end of the window as at its start.
    """

    name: str
    clearest_first: bool = False
    true_more_often: float = 1.0
    delays: tuple[float, float] = (_DAY / 4, _DAY / 4)
    noise: float = 0.0
    rise: float = 1.0


HABITS = (
    Habit("labels of any alarms"),
    Habit("the clearest alarms are labelled first", clearest_first=True),
    Habit("true alarms are labelled twice as often", true_more_often=2.0),
    Habit("labels of outliers take six times as long", delays=(1.5 * _DAY, _DAY / 4)),
    Habit("2 % of the labels of audited inliers are wrong", noise=0.02),
    Habit("four times as many outliers at the end, labels after a day", rise=4.0, delays=(_DAY, _DAY)),
)


@dataclass(frozen=True)
class Outcome:
    """What happened in one window.

    Parameters
    ----------
    precision, recall
        Whether the interval contained the true value of the answers that count; None if there was no interval.
    warnings
        The warnings.
    """

    precision: bool | None
    recall: bool | None
    warnings: tuple[str, ...]

    @property
    def is_warned(self) -> bool:
        """Whether there was a warning, apart from the one that nobody has checked the labels, which is always there."""
        return any(UNCHECKED not in each for each in self.warnings)


def tabulate_habits(n_windows: int) -> Iterator[str]:
    """Measure how often intervals contain the true value and warnings appear, with and without the queue of alarms."""
    yield "| habit | queue of alarms | `LABEL_NOISE` | precision | recall | warned | warned where an interval fails |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    for habit in HABITS:
        for has_queue in (True, False):
            for noise in sorted({0.0, habit.noise}):
                outcomes = [simulate_window(habit, has_queue, seed, noise) for seed in range(n_windows)]
                warned = [bool(each.warnings) if habit.noise and not noise else each.is_warned for each in outcomes]
                failed = [not (each.precision and each.recall) for each in outcomes]
                precision, recall = (np.mean([getattr(each, name) for each in outcomes]) for name in _HELD)
                where_failed = f"{np.mean(np.array(warned)[failed]):.3f} of {sum(failed)}" if any(failed) else ""
                yield (
                    f"| {habit.name} | {'yes' if has_queue else 'no'} | {noise:g} | **{precision:.3f}** | "
                    f"**{recall:.3f}** | {np.mean(warned):.3f} | {where_failed} |"
                )


def simulate_window(habit: Habit, has_queue: bool, seed: int, assumed_noise: float = 0.0) -> Outcome:
    """Simulate a window, and estimate its quality as the service does.

    Parameters
    ----------
    habit
        How people label.
    has_queue
        Whether they label alarms that the service hands out, besides those that they choose themselves.
    seed
        Of the random numbers.
    assumed_noise
        ``LABEL_NOISE``.
    """
    generator = np.random.default_rng(seed)
    n_drawn = generator.binomial(_N_INLIERS, _AUDIT_SHARE)
    alarms = _answer(habit, _N_ALARMS, generator, is_alarm=True)
    inliers = _answer(habit, n_drawn, generator, is_alarm=False)
    _choose_alarms(habit, alarms, generator)
    _hand_out(habit, inliers, generator, noise=habit.noise)
    if has_queue:
        _hand_out(habit, alarms, generator)
    rows = _review(alarms, inliers)
    maturity = estimate_maturity(rows, 0.0, _WINDOW)
    counted_until = float(np.ceil((_WINDOW - maturity.seconds) / _HOUR) * _HOUR)
    counted = rows.as_of(counted_until)
    old = alarms.answered_at < counted_until
    n_inliers = int(_N_INLIERS * counted_until / _WINDOW)
    answers = select_answers(counted, int(old.sum()), n_inliers)
    precision, recall = estimate_precision_and_recall(answers, noise=assumed_noise)
    sensitivity = [estimate_precision_and_recall(answers, noise=share)[1] for share in _SENSITIVITY]
    unlabelled = old & np.isnan(alarms.labelled_at) & (alarms.position < 2000 / len(old))
    sample = SampledAlarms(alarms.scores[unlabelled], alarms.answered_at[unlabelled])
    noise = LabelNoise(assumed_noise, Estimate.unknown("no row has two", 0), recall, sensitivity)
    n_caught, n_missed = alarms.is_true[old].sum(), generator.binomial(n_inliers, _MISSED)
    return Outcome(
        _holds(precision, n_caught / old.sum()),
        _holds(recall, n_caught / (n_caught + n_missed)),
        tuple(find_warnings(counted, sample, maturity, noise, is_from_queue=answers.alarm_probabilities is not None)),
    )


@dataclass
class _Answers:
    """Alarms, or drawn inliers: each field has the shape ``(n,)``; unknown times are NaN."""

    is_alarm: bool
    answered_at: NDArray[np.float64]
    scores: NDArray[np.float64]
    is_true: NDArray[np.bool_]
    position: NDArray[np.float64]
    labelled_at: NDArray[np.float64]
    labels: NDArray[np.bool_]
    handed_at: NDArray[np.float64]
    reach: NDArray[np.float64]


def _answer(habit: Habit, n: int, generator: np.random.Generator, *, is_alarm: bool) -> _Answers:
    """Simulate answers: half of the alarms are true, those with lower scores more often."""
    answered_at = np.sort(generator.uniform(0, _WINDOW, n))
    odds = habit.rise ** (answered_at / _WINDOW - 0.5)
    is_true = generator.random(n) < (odds / (1 + odds) if is_alarm else np.full(n, _MISSED))
    scores = np.where(is_true, generator.normal(-0.62, 0.05, n), generator.normal(-0.57, 0.04, n))
    nowhere = np.full(n, np.nan)
    return _Answers(
        is_alarm,
        answered_at,
        scores if is_alarm else scores + 0.15,
        is_true,
        generator.random(n),
        nowhere.copy(),
        is_true.copy(),
        nowhere.copy(),
        np.ones(n),
    )


def _choose_alarms(habit: Habit, alarms: _Answers, generator: np.random.Generator) -> None:
    """Label alarms apart from the queue: a third of them."""
    chance = np.where(alarms.is_true, habit.true_more_often, 1.0)
    if habit.clearest_first:
        chance *= np.argsort(np.argsort(-alarms.scores)) / len(chance) > 0.6
    chosen = generator.random(len(chance)) < chance * (1 / 3 / chance.mean())
    _label(habit, alarms, chosen, alarms.answered_at, generator)


def _hand_out(habit: Habit, answers: _Answers, generator: np.random.Generator, noise: float = 0.0) -> None:
    """Hand out rows in random order, twice a day, and label most of them."""
    if noise:
        answers.labels ^= generator.random(len(answers.labels)) < noise
    rounds, reaches = np.arange(_ROUND_SECONDS, _WINDOW, _ROUND_SECONDS), []
    for at in rounds:
        is_new = (answers.answered_at < at) & np.isnan(answers.handed_at)
        [pending] = np.nonzero(is_new & ~(answers.labelled_at <= at))
        in_order = pending[np.argsort(answers.position[pending])]
        reach = answers.position[in_order[_HANDED_OUT]] if len(in_order) > _HANDED_OUT else 1.0
        reached = is_new & (answers.position < reach)
        answers.handed_at[reached] = at
        requested = reached & ~(answers.labelled_at <= at)
        # Somebody may still label it apart from the queue; the first label counts.
        before = answers.labelled_at.copy()
        answered = requested & (generator.random(len(requested)) < _ANSWERED)
        _label(habit, answers, answered, np.full(len(requested), at), generator)
        answers.labelled_at = np.fmin(answers.labelled_at, before)
        reaches.append(reach)
    answers.reach = reach_of(answers.answered_at, rounds, np.array(reaches))


def _label(
    habit: Habit,
    answers: _Answers,
    chosen: NDArray[np.bool_],
    since: NDArray[np.float64],
    generator: np.random.Generator,
) -> None:
    """Label rows after a delay; labels after the end of the window are not known."""
    slow, quick = habit.delays
    at = since + generator.exponential(np.where(answers.is_true, slow, quick))
    answers.labelled_at[chosen] = at[chosen]


def _review(*parts: _Answers) -> ReviewedRows:
    """Return what the database knows at the end of the window."""
    columns = []
    for part in parts:
        part.labelled_at[part.labelled_at > _WINDOW] = np.nan
        share = part.reach if part.is_alarm else part.reach * _AUDIT_SHARE
        is_known = ~np.isnan(part.labelled_at) | ~np.isnan(part.handed_at)
        n = len(part.scores)
        columns.append(
            [
                column[is_known]
                for column in (
                    part.answered_at,
                    np.full(n, "v1"),
                    np.full(n, ""),
                    part.scores,
                    np.full(n, part.is_alarm),
                    ~np.isnan(part.labelled_at),
                    part.labels & ~np.isnan(part.labelled_at),
                    np.where(np.isnan(part.handed_at), np.nan, share),
                    part.handed_at,
                    part.labelled_at,
                )
            ]
        )
    return ReviewedRows(*(np.concatenate(column) for column in zip(*columns, strict=True)))


def _holds(estimate: Estimate, truth: float) -> bool | None:
    """Return whether an interval contains the true value."""
    if estimate.low is None or estimate.high is None:
        return None
    return bool(estimate.low <= truth <= estimate.high)
