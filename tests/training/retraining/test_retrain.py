"""``python -m training retrain``: train a candidate from records, and promote it only if it is better."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.model.bundle import find_problems, read_bundle, read_manifest
from app.model.schema import Features
from app.model.store.store import ModelStore
from app.records.reading import Period, RecordReader
from tests.model.format_1 import rewrite_as_format_1
from training.__main__ import main
from training.console import NOT_PROMOTED
from training.retraining.split import split_rows
from training.retraining.training_records import read_training_records

# Live rows are shifted from the training rows of the live model.
MOVED = 2.5

N_ROWS = 8000


def retrain(service, *options: str) -> int:
    """Run the command, without drift detectors, whose calibration takes seconds."""
    files = ["--database", service.address, "--models", str(service.models)]
    return main(["retrain", *files, "--no-drift", *options])


def candidate_of(service, before: set[str]) -> Path:
    """Return the version that a retraining has added."""
    store = ModelStore(service.models)
    [version] = set(store.versions()) - before
    return store.find(version)


def read_records(service, limit: int = 10**6, exclude: bool = False):
    """Read training rows as the command does."""
    period = Period(service.now - 30 * 86_400, service.now + 60)
    names = ("mean", "sd")
    with RecordReader(service.address) as reader:
        versions = reader.find_versions(names)
        labelled = reader.read_labelled(period, versions, 2)
        pages = reader.read_rows(period, versions, 2)
        return read_training_records(pages, labelled, Features.of_names(names), period, limit, exclude)


@pytest.fixture
def moved(make_service, make_rows):
    """Return a service whose live model flags a third of all rows, nearly all of them wrongly."""
    service = make_service(centre=MOVED)
    service.serve(*make_rows(N_ROWS, seed=2))
    return service


def test_better_candidate_is_promoted(moved, tmp_path, capsys):
    """The result is printed, stored next to the bundle and written for scripts; the manifest covers every file."""
    live = moved.live
    outcome_file = tmp_path / "outcome.json"

    assert retrain(moved, "--promote-if-better", "--json", str(outcome_file)) == 0

    candidate = moved.live
    outcome = json.loads(outcome_file.read_text())
    shown = capsys.readouterr().out
    assert candidate.version != live.version
    assert (outcome["promoted"], outcome["candidate"], outcome["doubts"]) == (True, candidate.version, [])
    assert outcome["quality"]["difference"]["f1"]["low"] > 0.3
    assert outcome["latest"]["outlier_share_live"] > 0.3 > 0.05 > outcome["latest"]["outlier_share_candidate"]
    assert f"{candidate.version} was promoted" in shown
    assert "The candidate is significantly better than the live model." in shown
    folder = moved.models / candidate.version
    assert find_problems(folder) == []
    assert "comparison.html" in candidate.manifest["files"]
    assert candidate.manifest["parameters"] == live.manifest["parameters"]
    assert candidate.manifest["training"]["records"]["shaping"] == candidate.manifest["training"]["rows"]
    for file in ("report.html", "model_card.md"):
        assert "requests that a running service answered between" in (folder / file).read_text()
        assert "comma-separated" not in (folder / file).read_text()
    assert ModelStore(moved.models).rollback(lambda folder: None) == live.version


def test_candidate_is_not_promoted_without_the_option(moved, capsys):
    """Although it is better; the status is 0, and the output has the command that promotes it."""
    before, live = set(ModelStore(moved.models).versions()), moved.live.version

    assert retrain(moved) == 0

    folder = candidate_of(moved, before)
    assert moved.live.version == live
    assert find_problems(folder) == []
    assert f"python -m training promote {folder.name} --models {moved.models}" in capsys.readouterr().out
    assert main(["promote", folder.name, "--models", str(moved.models)]) == 0


def test_equal_candidate_is_not_promoted(make_service, make_rows, tmp_path, capsys):
    """The status is 3, and the output has the interval, which includes 0."""
    service = make_service()
    service.serve(*make_rows(N_ROWS, seed=2))
    live = service.live.version

    assert retrain(service, "--promote-if-better", "--json", str(tmp_path / "outcome.json")) == NOT_PROMOTED

    outcome = json.loads((tmp_path / "outcome.json").read_text())
    assert service.live.version == live
    assert not outcome["promoted"]
    assert outcome["quality"]["difference"]["f1"]["low"] <= 0 <= outcome["quality"]["difference"]["f1"]["high"]
    assert "was not promoted: the 95 % interval of F1's difference, " in capsys.readouterr().out


def test_candidate_does_not_replace_another_promotion(moved, monkeypatch, capsys):
    """If somebody promotes a version meanwhile, the comparison with the earlier one no longer counts."""
    first = moved.live.version
    assert retrain(moved) == 0
    [other] = set(ModelStore(moved.models).versions()) - {first}
    store_promote = ModelStore.promote

    def promote_other_first(store, version, check):
        monkeypatch.undo()
        store_promote(store, other, lambda folder: None)
        store_promote(store, version, check)

    monkeypatch.setattr(ModelStore, "promote", promote_other_first)

    assert retrain(moved, "--promote-if-better", "--seed", "3") == NOT_PROMOTED

    assert moved.live.version == other
    assert f"{other} went live in the meantime" in capsys.readouterr().out


def test_holdout_rows_are_never_trained_on(make_service, make_rows):
    """All training rows are in the train set and all evaluation rows in the holdout set, labelled or not."""
    service = make_service()
    rows, is_outlier = make_rows(4000, seed=3)
    ids = service.serve(rows, is_outlier)
    is_holdout, _ = split_rows(ids, [0] * len(ids))

    assert retrain(service, "--exclude-labelled-outliers") == 0
    trained = read_records(service).data.rows

    of_holdout = {row.tobytes() for row in rows[is_holdout].astype(float)}
    assert len(trained) == (~is_holdout).sum()
    assert not of_holdout & {row.tobytes() for row in trained}


def test_sampled_records_are_thinned_to_equal_probabilities(make_service, make_rows):
    """If a fifth of the inliers and all outliers were recorded, the training rows have the shares of the traffic."""
    service = make_service()
    rows, is_outlier = make_rows(40_000, seed=4, n_outliers=4000)
    recorded = is_outlier | (np.random.default_rng(6).random(len(rows)) < 0.2)
    service.record(rows[recorded], is_outlier[recorded], np.where(is_outlier, 1.0, 0.2)[recorded])

    records = read_records(service)

    counts = records.counts
    far_out = np.hypot(*records.data.rows.T) > 5.9
    assert is_outlier[recorded].mean() > 0.3
    assert far_out.mean() == pytest.approx(0.1, abs=0.02)
    assert counts.chance == 0.2
    assert counts.kept == pytest.approx(0.2 * 0.5 * len(rows), rel=0.05)


def test_excluded_outliers_affect_the_threshold_only(make_service, make_rows):
    """No tree is grown on them; the contamination still is the share of all rows that is flagged."""
    service = make_service()
    rows, is_outlier = make_rows(6000, seed=7, n_outliers=240)
    ids = service.record(rows, is_outlier)
    service.label([ids[place] for place in np.flatnonzero(is_outlier)], is_outlier[is_outlier])
    before = set(ModelStore(service.models).versions())

    assert retrain(service, "--exclude-labelled-outliers", "--contamination", "0.04", "--max-samples", "2000") == 0

    folder = candidate_of(service, before)
    bundle = read_bundle(folder)
    records = bundle.manifest["training"]["records"]
    assert records["excluded_outliers"] == records["labelled_outliers"] > 90
    assert bundle.manifest["training"]["rows"] == records["kept"]
    assert bundle.manifest["training"]["flagged_share"] == pytest.approx(0.04, abs=0.002)
    # Out-of-bag scores are of the rows that the trees were grown from, except the few that all trees drew.
    n_fitted = records["kept"] - records["excluded_outliers"]
    assert n_fitted - 10 < bundle.out_of_bag.counts.sum() <= n_fitted
    # Trees grown on central rows only have no splits outside them.
    thresholds = np.load(folder / "forest.npz")["threshold"]
    assert np.abs(thresholds).max() < 4.6


def test_model_of_format_1_is_retrained_and_rolled_back_to(make_service, make_rows):
    """The candidate has format 2; versions of both formats go live."""
    service = make_service()
    old, version = service.live, service.live.version
    rewrite_as_format_1(service.models / version)
    rows, is_outlier = make_rows(2400, seed=7)
    service.record(rows, is_outlier)

    assert retrain(service) == 0

    candidate = candidate_of(service, {version})
    assert [read_manifest(service.models / each)["format_version"] for each in (version, candidate)] == [1, 2]
    assert main(["promote", candidate.name, "--models", str(service.models)]) == 0
    assert service.live.version == candidate.name
    assert main(["rollback", "--models", str(service.models)]) == 0
    assert service.live.version == version
    for answers in zip(old.forest.score_and_label(rows), service.live.forest.score_and_label(rows), strict=True):
        assert np.array_equal(*answers)


def test_records_without_features_are_refused(make_service, make_rows, capsys):
    """The message names the setting that stores features, and nothing is written."""
    service = make_service()
    service.record(None, make_rows(2000, seed=1)[1])
    entries = sorted(service.models.iterdir())

    assert retrain(service) == 2

    message = capsys.readouterr().err.splitlines()[-1]
    assert "2,000 of the 2,000 recorded rows since" in message
    assert "set RECORD_FEATURES=true" in message
    assert sorted(service.models.iterdir()) == entries


def test_records_of_other_features_are_left_out_and_counted(make_service, make_rows, capsys):
    """Records of older versions with the same features are used."""
    service = make_service()
    rows, is_outlier = make_rows(3000, seed=1)
    service.add_version("older")
    service.add_version("other", ("mean", "sd", "visits"))
    service.record(rows[:2500], is_outlier[:2500], version="older")
    service.record(np.zeros((500, 3)), is_outlier[2500:], version="other")
    before = set(ModelStore(service.models).versions())

    assert retrain(service) == 0

    records = read_manifest(candidate_of(service, before))["training"]["records"]
    assert (records["read"], records["other_features"]) == (3000, 500)
    assert records["shaping"] + records["judging"] == 2500

    service.record(np.zeros((4000, 3)), np.zeros(4000, bool), version="other")
    assert retrain(service, "--since", "5d") == 2
    assert "have other features than the live model" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--since", "1h"], 2, "There are no records since"),
        (["--since", "2999-01-01"], 2, "--since is in the future"),
        (["--max-rows", "999"], 2, "--max-rows 999 is too few to train on; use at least 1,000"),
        (["--contamination", "0.7"], 2, "--contamination 0.7 is out of range"),
        (["--database", "sqlite:///nowhere.db"], 1, "nowhere.db"),
    ],
)
def test_invalid_input_is_refused(make_service, make_rows, capsys, options, status, message):
    """In one line, and the store is unchanged."""
    service = make_service()
    service.now -= 86_400
    service.record(*make_rows(3000, seed=1), days=2)
    entries = sorted(service.models.iterdir())

    assert retrain(service, *options) == status

    assert message in capsys.readouterr().err.splitlines()[-1]
    assert sorted(service.models.iterdir()) == entries


def test_many_records_are_thinned_to_the_limit(make_service, make_rows):
    """The sample is evenly spread over the whole period."""
    service = make_service()
    rows, is_outlier = make_rows(10_000, seed=1)
    rows[:, 0] = np.arange(len(rows))
    service.record(rows, is_outlier)

    records = read_records(service, limit=1000)

    assert records.counts.kept == 1000
    assert records.counts.chance == pytest.approx(1000 / records.counts.shaping, rel=0.15)
    assert (np.diff(records.data.rows[:, 0]) > 0).all()
    assert records.data.rows[:, 0].mean() == pytest.approx(5000, abs=500)


def test_interrupted_retraining_leaves_nothing(moved, monkeypatch):
    """Ctrl-C while the page is written, when the store is open, leaves no version and no part of one."""
    entries = sorted(moved.models.iterdir())

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("training.retraining.retrain.write_page", interrupt)

    assert retrain(moved, "--promote-if-better") == 130
    assert sorted(moved.models.iterdir()) == entries
