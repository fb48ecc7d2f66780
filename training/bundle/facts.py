"""What the model card and the report both say of a model, as tables and sentences without any markup."""

from __future__ import annotations

from typing import Any, TypeAlias

from training.fitting.evaluate import FIGURE_TITLES

SET_TITLES = {"train": "training", "test": "test"}

PURPOSE = (
    "Tells rows that resemble the training rows (inliers) from rows that do not (outliers). It is an Isolation Forest, "
    "made to raise a person's attention, not to decide."
)

LIMITS = (
    "A score is no probability. It says how quickly random cuts isolate a row from the training rows, in [-1, 0]; the "
    'lower, the more abnormal. A score of -0.8 is not "80 % abnormal".',
    "Outlier means unlike the training rows, not wrong, fraudulent or worth less. A person should look before anybody "
    "is treated differently for it.",
    "The contamination is the share of training rows that is flagged; live traffic is flagged as often only as long as "
    "it resembles them. Rows with equal scores are flagged together or not at all, so the share is met only roughly.",
    "The cuts are parallel to the axes: a row whose single values are all common, in an uncommon combination, may "
    "pass.",
    "Beyond the range of the training rows all values look alike: no tree cuts there.",
)

LICENCE = (
    "Isowatch, which wrote this bundle, is under the Apache License 2.0. The model is under whatever licence its "
    "training data allow; whoever publishes it has to say which."
)


# Rows of cells; the first row is the head.
Table: TypeAlias = tuple[tuple[str, ...], ...]


def describe_origin(training: dict[str, Any]) -> str:
    """Say whose data these are, from the manifest's part about the training data."""
    if training["synthetic"]:
        return (
            "The data are synthetic: made by training.data.synthetic to resemble the credits that customers spend. "
            "No person stands behind a row, and the figures say nothing about real customers."
        )
    if records := training.get("records"):
        return (
            f"The rows are requests that a running service answered between {records['since']} and {records['until']}. "
            "Whether the people behind them agreed to this use is not recorded here."
        )
    return "Where the rows come from, and whether people agreed to this use, is not recorded here."


def describe_reading(data: dict[str, Any], features: list[str]) -> str:
    """Say how a file was read, from the manifest's part about it and the names of the features."""
    if records := data.get("records"):
        return _describe_records(records)
    label = data["label_column"]
    left_out = [column for column in data["columns"] if column not in (*features, label)]
    return (
        f"A comma-separated file in UTF-8 with {_count(len(data['columns']), 'column')}. Every cell of a feature is a "
        "finite number; a file with any other is refused, nothing is filled in or left out. "
        f"Left-out columns: {', '.join(left_out) or 'none'}. "
        f"Labels: {f'column {label}, never used for fitting' if label else 'none'}."
    )


def tabulate_features(manifest: dict[str, Any]) -> Table:
    """List the features with their training ranges."""
    features = ((each["name"], f"{each['low']:g}", f"{each['high']:g}") for each in manifest["features"])
    return (("feature", "smallest", "largest"), *features)


def tabulate_parameters(manifest: dict[str, Any]) -> Table:
    """List what ``get_params()`` says."""
    parameters = ((name, str(value)) for name, value in manifest["parameters"].items())
    return (("parameter", "value"), *parameters)


def tabulate_figures(evaluation: dict[str, Any]) -> Table:
    """Put the figures of each set of rows beside each other."""
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
    """Put the rows that each contamination would flag beside each other, with their share."""
    sets = list(evaluation.values())
    choices = zip(*(figures["flagged_by_contamination"] for figures in sets), strict=True)
    return (
        ("contamination", "threshold", *(f"{SET_TITLES[name]} rows flagged" for name in evaluation)),
        *(
            (
                str(choice[0]["contamination"]),
                f"{choice[0]['threshold']:.4f}",
                *(
                    f"{each['flagged_rows']:,} ({each['flagged_rows'] / figures['rows']:.3%})"
                    for each, figures in zip(choice, sets, strict=True)
                ),
            )
            for choice in choices
        ),
    )


def tabulate_label_figures(evaluation: dict[str, Any]) -> Table | None:
    """Put how well each set of rows agrees with its known labels beside each other; None without labels."""
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
    """List what the model was trained with."""
    versions = manifest["versions"]
    called = {"python": "Python", "numpy": "NumPy", "scikit_learn": "scikit-learn"}
    return (("package", "version"), *((called[name], versions[name]) for name in called))


def _describe_records(records: dict[str, Any]) -> str:
    """Say how the training rows were drawn from records."""
    return (
        f"Of {records['read']:,} recorded rows, {records['other_features'] + records['without_features']:,} have other "
        f"features or none, {records['judging']:,} were dealt to the half that judges, and of the "
        f"{records['shaping']:,} others these were drawn, each answered row with the chance {records['chance']:.3g}. "
        + (
            f"{records['labelled_outliers']:,} of them were labelled outliers, and "
            + ("shaped no tree." if records["excluded_outliers"] else "were trained on like all others.")
            if records["labelled_outliers"]
            else "None of them was labelled an outlier."
        )
    )


def _show_figure(figure: float | int | None) -> str:
    """Write a figure of a comparison with labels."""
    if figure is None:
        return "needs both kinds"
    return f"{figure:,}" if isinstance(figure, int) else f"{figure:.4f}"


def _count(number: int, what: str) -> str:
    """Say how many there are."""
    return f"{number} {what}{'' if number == 1 else 's'}"
