"""Which labels count, with which weight, and from which age on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.quality.estimate import estimate_quality
from app.quality.maturity import estimate_maturity
from app.quality.reviewed_rows import ReviewedRows, reach_of, select_answers

HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture
def make_rows():
    """Return a function that makes alarms: outliers or not, labelled after a delay, by the queue or without it."""

    def make(is_outlier, delays, *, answered_at=0.0, handed_at=np.nan, probability=np.nan, is_alarm=True):
        n = len(is_outlier)
        answered, handed = np.broadcast_to(answered_at, n) + 0.0, np.broadcast_to(handed_at, n) + 0.0
        since = np.where(np.isnan(handed), answered, handed)
        labelled_at = since + delays
        return ReviewedRows(
            answered_at=answered,
            model_versions=np.full(n, "v1"),
            segments=np.full(n, ""),
            scores=np.full(n, -0.6),
            is_alarm=np.full(n, is_alarm),
            is_labelled=~np.isnan(labelled_at),
            is_outlier=np.asarray(is_outlier) & ~np.isnan(labelled_at),
            probabilities=np.broadcast_to(probability, n) + 0.0,
            handed_at=handed,
            labelled_at=labelled_at,
        )

    return make


@pytest.fixture
def join():
    """Return a function that joins rows."""

    def joined(*parts):
        return ReviewedRows(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])})

    return joined


def test_labels_apart_from_the_queue_do_not_count_beside_it(make_rows, join):
    """Somebody labelled a hundred true alarms; of those that the queue handed out, half are true."""
    chosen = make_rows(np.ones(100, bool), np.full(100, HOUR))
    queued = make_rows(np.arange(40) < 20, np.full(40, HOUR), handed_at=DAY, probability=0.5)
    before = make_rows(np.ones(10, bool), np.full(10, -HOUR), handed_at=DAY, probability=0.5)

    answers = select_answers(join(chosen, queued, before), 1000, 0)
    without_queue = select_answers(chosen, 1000, 0)

    assert estimate_quality(answers)["precision"].value == pytest.approx(30 / 50)
    assert answers.alarm_weights.sum() == pytest.approx(1000)
    assert estimate_quality(without_queue)["precision"].value == 1
    assert without_queue.alarm_probabilities is None
    assert select_answers(join(chosen, queued.take(np.arange(40) < 19)), 1000, 0).alarm_probabilities is None


def test_alarms_that_were_less_likely_reached_weigh_more(make_rows, join):
    """True alarms were reached with a tenth of the probability of false ones; the interval follows the weights."""
    true = make_rows(np.ones(20, bool), np.full(20, HOUR), handed_at=DAY, probability=0.1)
    false = make_rows(np.zeros(200, bool), np.full(200, HOUR), handed_at=DAY, probability=1.0)

    answers = select_answers(join(true, false), 400, 0)
    precision = estimate_quality(answers)["precision"]

    assert precision.value == pytest.approx(0.5)
    # 73 labels of equal weight are worth as much as these 220.
    assert answers.alarm_hits[1] == pytest.approx(400**2 / (20 * 10**2 + 200))
    assert 0.37 < precision.low < 0.4
    assert 0.6 < precision.high < 0.63


def test_queue_reaches_old_rows_with_a_higher_probability():
    """Simulated: rows that come while the queue is worked on stand, with their weights, for all rows of their time."""
    generator = np.random.default_rng(0)
    arrived, position = 10 * np.sqrt(generator.random(20_000)), generator.random(20_000)
    is_handed, rounds, reaches = np.zeros(20_000, bool), np.arange(1.0, 11), []
    for at in rounds:
        [pending] = np.nonzero((arrived < at) & ~is_handed)
        in_order = pending[np.argsort(position[pending])]
        reaches.append(position[in_order[250]] if len(in_order) > 250 else 1.0)
        is_handed[in_order[:250]] = True

    weights = 1 / reach_of(arrived[is_handed], rounds, np.array(reaches))

    assert weights.sum() == pytest.approx(20_000, rel=0.05)
    assert np.average(arrived[is_handed], weights=weights) == pytest.approx(20 / 3, abs=0.15)
    assert arrived[is_handed].mean() < 6


def test_slower_labels_determine_the_age_from_which_rows_count(make_rows, join):
    """Of both kinds, also if one is rare; a queue's delays begin when it hands out."""
    quick = make_rows(np.zeros(1000, bool), np.linspace(0, HOUR, 1000))
    slow = make_rows(np.ones(40, bool), np.linspace(60, DAY, 40), handed_at=2 * DAY, probability=1.0)

    found = estimate_maturity(join(quick, slow), 0, 7 * DAY)

    assert (found.source, found.is_capped) == ("estimated", False)
    assert found.seconds == pytest.approx(0.95 * DAY, rel=0.04)
    assert estimate_maturity(quick, 0, 7 * DAY).seconds == pytest.approx(0.95 * HOUR, rel=0.01)


def test_young_rows_do_not_make_labels_look_quick(make_rows, join):
    """Their slow labels have not arrived."""
    generator = np.random.default_rng(1)
    answered, delays = generator.uniform(0, 7 * DAY, 4000), generator.exponential(DAY, 4000)
    delays[answered + delays > 7 * DAY] = np.nan

    found = estimate_maturity(make_rows(np.ones(4000, bool), delays, answered_at=answered), 0, 7 * DAY)

    assert found.seconds == pytest.approx(DAY * np.log(20), rel=0.15)


def test_age_is_unknown_with_few_labels_and_limited_by_the_window(make_rows):
    """Half of the window is the longest age that can be seen."""
    few = make_rows(np.ones(19, bool), np.full(19, HOUR))
    late = make_rows(np.ones(30, bool), np.full(30, 6 * DAY))

    assert estimate_maturity(few, 0, 7 * DAY).source == "unknown"
    assert estimate_maturity(few, 0, 7 * DAY).seconds == 0
    assert estimate_maturity(late, 0, 7 * DAY).is_capped
    assert estimate_maturity(late, 0, 7 * DAY).seconds == 3.5 * DAY


def test_rows_that_are_too_young_do_not_count(make_rows, join):
    """Neither do those that the queue handed out too late for an answer."""
    old = make_rows(np.ones(1, bool), np.full(1, HOUR), handed_at=DAY, probability=1.0)
    late = make_rows(np.ones(1, bool), np.full(1, HOUR), handed_at=3 * DAY, probability=1.0)
    young = make_rows(np.ones(1, bool), np.full(1, HOUR), answered_at=2.5 * DAY)

    counted = join(old, late, young).as_of(2 * DAY)

    assert counted.is_reached.tolist() == [True, False]


@pytest.mark.parametrize("noise", [0.001, 0.02])
def test_recall_is_corrected_for_wrong_labels(answers, noise):
    """Of 1,000 audited inliers 20 are labelled outlier, some of which are none; the more, the higher is recall."""
    hundred = replace(answers, audit_is_outlier=np.arange(1000) < 100)
    as_labelled, corrected = (estimate_quality(hundred, noise=share) for share in (0.0, noise))

    missed = 100_000 * (0.1 - noise) / (1 - 2 * noise)
    assert corrected["recall"].value == pytest.approx(60 / (60 + missed))
    assert corrected["recall"].low > as_labelled["recall"].low
    assert corrected["precision"] == as_labelled["precision"]
    assert estimate_quality(answers, noise=0.9)["recall"].low >= 0
