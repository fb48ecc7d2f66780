"""The model card says what a person has to know, and cannot be broken by a column's name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from training.bundle import write as module
from training.bundle.write import TrainedModel, write_bundle
from training.data.labels import Labels


def read_card(models: Path, model: TrainedModel) -> str:
    """Write a bundle and read its card."""
    return (write_bundle(models, model).folder / "model_card.md").read_text(encoding="utf-8")


def test_card_has_all_parts(tmp_path, small_model):
    """Purpose, data, parameters, figures, limits, licence, versions."""
    card = read_card(tmp_path, replace(small_model, test=small_model.training))

    headings = [line for line in card.splitlines() if line.startswith("## ")]
    assert headings == [
        f"## {part}" for part in ("Purpose", "Data", "Training parameters", "Figures", "Limits", "Licence", "Versions")
    ]
    assert f"sha256 `{'0' * 64}`" in card
    assert "| contamination | 0.1 |" in card
    assert "|  | training | test |" in card
    assert "A score is not a probability" in card


@pytest.mark.parametrize("synthetic", [True, False])
def test_card_says_whether_the_data_are_synthetic(tmp_path, small_model, monkeypatch, synthetic):
    """Plainly, and only if they are."""
    monkeypatch.setattr(module, "is_synthetic", lambda data: synthetic)

    assert ("The data are synthetic" in read_card(tmp_path, small_model)) == synthetic


def test_feature_names_stay_in_their_cells(tmp_path, small_model):
    """A bar or a tag in a name does not break the table or the page that shows it."""
    names = ("a|b", "<script>")

    card = read_card(tmp_path, replace(small_model, training=replace(small_model.training, names=names)))

    assert r"| a\|b |" in card
    assert r"\<script\>" in card
    assert " <script>" not in card


def test_known_labels_are_compared_or_said_to_be_missing(tmp_path, small_model):
    """A reader learns whether anybody has checked the outliers."""
    labelled = replace(small_model.training, labels=Labels("fraud", small_model.training.rows[:, 0] > 2))

    without = read_card(tmp_path, small_model)
    card = read_card(tmp_path, replace(small_model, training=labelled))

    assert "No labels were known" in without
    assert "Labels: column fraud, never used for fitting." in card
    assert "| ROC AUC | 0." in card
