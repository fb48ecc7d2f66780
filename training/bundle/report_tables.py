"""The tables of a bundle's report and model card, as rows of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from training.fitting.evaluate import FIGURE_TITLES
from training.fitting.explain import AbnormalRow, Importance

# Rows of cells; the first row is the head.
Table: TypeAlias = tuple[tuple[str, ...], ...]

SET_TITLES = {"train": "training", "test": "test"}


def tabulate_features(manifest: dict[str, Any]) -> Table:
    """Tabulate the features with their training ranges."""
    features = ((each["name"], f"{each['low']:g}", f"{each['high']:g}") for each in manifest["features"])
    return (("feature", "smallest", "largest"), *features)


def tabulate_importance(importance: Importance) -> Table:
    """Tabulate how much each column matters."""
    figures = zip(importance.names, importance.of_outliers, importance.of_all, strict=True)
    return (("column", "outliers", "all rows"), *((name, f"{few:.4f}", f"{every:.4f}") for name, few, every in figures))


def tabulate_rows(rows: Sequence[AbnormalRow]) -> Table:
    """Tabulate the most abnormal rows with their reasons."""
    return (
        ("row", "copies", "score", "p-value", "reasons"),
        *(
            (
                f"{row.number:,}",
                f"{row.copies:,}",
                f"{row.score:.4f}",
                "unknown" if row.fields["p_value"] is None else f"{row.fields['p_value']:.3g}",
                "; ".join(row.fields["reasons"]),
            )
            for row in rows
        ),
    )


def tabulate_parameters(manifest: dict[str, Any]) -> Table:
    """Tabulate the result of ``get_params()``."""
    parameters = ((name, str(value)) for name, value in manifest["parameters"].items())
    return (("parameter", "value"), *parameters)


def tabulate_figures(evaluation: dict[str, Any]) -> Table:
    """Tabulate the figures of each set of rows side by side."""
    sets = list(evaluation.values())
    quantiles = (
        (f"score, quantile {quantile}", *(f"{figures['score_quantiles'][quantile]:.4f}" for figures in sets))
        for quantile in sets[0]["score_quantiles"]
    )
    return (
        ("", *(SET_TITLES[name] for name in evaluation)),
        ("rows", *(f"{figures['rows']:,}" for figures in sets)),
        ("outliers", *(f"{figures['flagged_rows']:,}" for figures in sets)),
        ("inliers", *(f"{figures['inlier_share']:.3%}" for figures in sets)),
        *quantiles,
    )


def tabulate_contaminations(evaluation: dict[str, Any]) -> Table:
    """Tabulate how many rows of each set each contamination would flag, with their share."""
    sets = list(evaluation.values())
    choices = zip(*(figures["flagged_by_contamination"] for figures in sets), strict=True)
    return (
        ("contamination", "threshold", *(f"{SET_TITLES[name]} rows flagged" for name in evaluation)),
        *(
            (
                str(choice[0]["contamination"]),
                f"{choice[0]['threshold']:.4f}",
                *(
                    f"{each['flagged_rows']:,} ({each['flagged_rows'] / figures['rows']:.3%}){_show_quality(each)}"
                    for each, figures in zip(choice, sets, strict=True)
                ),
            )
            for choice in choices
        ),
    )


def _show_quality(choice: dict[str, Any]) -> str:
    """Format precision and recall of a contamination, if the rows have labels."""
    figures = [(title, choice[title]) for title in ("precision", "recall") if choice.get(title) is not None]
    return "".join(f"; {title} {figure:.3f}" for title, figure in figures)


def tabulate_label_figures(evaluation: dict[str, Any]) -> Table | None:
    """Tabulate how well each set of rows agrees with its true labels; None without labels."""
    labelled = {name: figures["labels"] for name, figures in evaluation.items() if "labels" in figures}
    if not labelled:
        return None
    return (
        ("", *(SET_TITLES[name] for name in labelled)),
        *(
            (title, *(_show_figure(figures[key]) for figures in labelled.values()))
            for key, title in FIGURE_TITLES.items()
        ),
    )


def tabulate_versions(manifest: dict[str, Any]) -> Table:
    """Tabulate the versions that the model was trained with."""
    versions = manifest["versions"]
    called = {"python": "Python", "numpy": "NumPy", "scikit_learn": "scikit-learn"}
    return (("package", "version"), *((called[name], versions[name]) for name in called))


def _show_figure(figure: float | int | None) -> str:
    """Format a figure of a comparison with labels."""
    if figure is None:
        return "needs outliers and inliers"
    return f"{figure:,}" if isinstance(figure, int) else f"{figure:.4f}"
