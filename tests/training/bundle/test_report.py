"""The report is self-contained and complete, and column names cannot break it."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from app.model.bundle import read_bundle
from training.bundle import facts as module
from training.bundle.report import write_report
from training.bundle.write import TrainedModel, write_bundle
from training.data.labels import Labels
from training.fitting.explain import Importance

pytestmark = pytest.mark.usefixtures("real_pictures")

# Elements without an end tag.
VOID = {"br", "img", "meta"}


class Page(HTMLParser):
    """Parses a page and checks that its elements are closed in the right order."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed((folder / "report.html").read_text(encoding="utf-8"))
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def make_page(models: Path, model: TrainedModel) -> tuple[Page, Path]:
    """Write a bundle, and return its page and its folder."""
    folder = write_bundle(models, model).folder
    return Page(folder), folder


def test_page_embeds_the_pictures(tmp_path, small_model):
    """Each picture of the bundle, byte for byte, with an alternative text."""
    page, folder = make_page(tmp_path, replace(small_model, test=small_model.training))

    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    shown = [base64.b64decode(picture["src"].removeprefix("data:image/png;base64,")) for picture in pictures]
    assert sorted(shown) == sorted(file.read_bytes() for file in folder.glob("*.png"))
    assert len(shown) == 7
    assert all(picture["alt"] for picture in pictures)


def test_page_is_self_contained(tmp_path, small_model):
    """It has no address and no script, and its policy forbids both."""
    page, folder = make_page(tmp_path, small_model)

    assert not {"script", "link", "a", "iframe"} & {tag for tag, _ in page.tags}
    assert not re.search(r"https?://|@import|url\(", (folder / "report.html").read_text(encoding="utf-8"))
    policies = [attributes["content"] for _, attributes in page.tags if "http-equiv" in attributes]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_page_describes_the_data(tmp_path, small_model):
    """File, rows, digest, dropped columns and labels."""
    training = replace(
        small_model.training,
        columns=("id", "mean", "fraud", "sd"),
        labels=Labels("fraud", small_model.training.rows[:, 0] > 2),
    )

    text = make_page(tmp_path, replace(small_model, training=training))[0].text

    assert f"rows.csv, 300 rows, sha256 {'0' * 64}." in text
    assert "with 4 columns" in text
    assert "Left-out columns: id. Labels: column fraud, never used for fitting." in text


def test_page_has_the_figures_of_the_manifest(tmp_path, small_model):
    """Flagged rows for each contamination and both sets, and label figures, also if a set has one class only."""
    labelled = replace(small_model.training, labels=Labels("fraud", small_model.training.rows[:, 0] > 99))

    text = make_page(tmp_path, replace(small_model, test=labelled))[0].text

    assert "30 of 300 training rows (10.000%), with contamination 0.1." in text
    assert re.search(r"Two independent halves of the trees agree on \d+% of the rows that either flags", text)
    assert re.search(r"auto-0\.5000\d+ \(\d+\.\d{3}%\)\d+ \(\d+\.\d{3}%\)", text)
    assert "ROC AUCneeds outliers and inliers" in text
    positive = replace(small_model.training, labels=Labels("fraud", small_model.training.rows[:, 0] > 2))
    text = make_page(tmp_path, replace(small_model, test=positive))[0].text
    assert re.search(r"0\.05-0\.\d{4}15 \(5\.000%\)15 \(5\.000%\); precision 0\.\d{3}; recall [01]\.\d{3}", text)


@pytest.mark.parametrize("synthetic", [True, False])
def test_page_marks_synthetic_data_at_the_top(tmp_path, small_model, monkeypatch, synthetic):
    """Before any figure."""
    monkeypatch.setattr(module, "is_synthetic", lambda data: synthetic)

    page, _ = make_page(tmp_path, small_model)

    assert ("The data are synthetic" in page.text.partition("What the model learnt")[0]) == synthetic


def test_page_explains_the_model_and_the_most_abnormal_rows(tmp_path, small_model):
    """The importance is the mean of contributions; the first row is scikit-learn's most abnormal one."""
    most_abnormal = small_model.estimator.score_samples(small_model.training.rows).argmin()
    rows = np.concatenate([small_model.training.rows, small_model.training.rows[[most_abnormal] * 2]])
    training = replace(small_model.training, rows=rows)

    page, folder = make_page(tmp_path, replace(small_model, training=training))

    bundle = read_bundle(folder)
    contributions = np.abs(bundle.explainer.contributions(rows.astype(np.float32)))
    is_outlier = small_model.estimator.predict(rows) == -1
    for name, few, every in zip(("mean", "sd"), contributions[is_outlier].mean(0), contributions.mean(0), strict=True):
        assert f"{name}{few:.4f}{every:.4f}" in page.text
    row, score = rows[most_abnormal], small_model.estimator.score_samples(rows).min()
    first = page.text.partition("p-valuereasons")[2].strip()
    explained = bundle.explainer.explain(row.tolist(), score)
    reasons = "; ".join(explained.reasons)
    assert first.startswith(f"{most_abnormal + 1}3{score:.4f}{explained.p_value:.3g}{reasons}")
    card = (folder / "model_card.md").read_text()
    assert "is higher than" not in card


def test_names_are_escaped(tmp_path, small_model):
    """A tag in the name of a column or file or in a parameter is shown as text."""
    name = "<script>alert(1)</script>"
    training = replace(small_model.training, names=(name, "sd"), path=Path("<b>.csv"), columns=(name, "sd", "<i>"))

    written = write_bundle(tmp_path, replace(small_model, training=training))
    importance = Importance((name, "sd"), (0.2, 0.1), (0.1, 0.1))
    write_report(tmp_path, written.manifest | {"parameters": {"contamination": "<u>"}}, {}, importance, [])
    page = Page(tmp_path)

    assert not {"script", "b", "i", "u"} & {tag for tag, _ in page.tags}
    assert name in page.text
