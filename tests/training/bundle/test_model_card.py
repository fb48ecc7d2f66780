"""The model card has all its sections, and column names cannot break it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from training.bundle import facts as module
from training.bundle.write import TrainedModel, write_bundle
from training.data.labels import Labels


def read_card(models: Path, model: TrainedModel) -> str:
    """Write a bundle and return its model card."""
    return (write_bundle(models, model).folder / "model_card.md").read_text(encoding="utf-8")


def test_card_has_all_sections(tmp_path, small_model):
    """Purpose, data, parameters, figures, limits, licence and versions."""
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
def test_card_marks_synthetic_data(tmp_path, small_model, monkeypatch, synthetic):
    """And only synthetic data."""
    monkeypatch.setattr(module, "is_synthetic", lambda data: synthetic)

    assert ("The data are synthetic" in read_card(tmp_path, small_model)) == synthetic


def test_feature_names_stay_in_their_cells(tmp_path, small_model):
    """A pipe or a tag in a name breaks neither the table nor an HTML page that shows it."""
    names = ("a|b", "<script>")

    card = read_card(tmp_path, replace(small_model, training=replace(small_model.training, names=names)))

    assert r"| a\|b |" in card
    assert r"\<script\>" in card
    assert " <script>" not in card


def test_card_compares_true_labels_or_says_there_are_none(tmp_path, small_model):
    """Readers see whether anybody has checked the outliers."""
    labelled = replace(small_model.training, labels=Labels("fraud", small_model.training.rows[:, 0] > 2))

    without = read_card(tmp_path, small_model)
    card = read_card(tmp_path, replace(small_model, training=labelled))

    assert "No labels were known" in without
    assert "Labels: column fraud, never used for fitting." in card
    assert "| ROC AUC | 0." in card
