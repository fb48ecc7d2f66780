"""What came of comparing two files, in words and as a table of plain text."""

from __future__ import annotations

from training.drift_comparison import SIGNIFICANCE, DriftComparison, FeatureChange
from training.kernel_comparison import N_PERMUTATIONS, KernelComparison

# More would fill a terminal; the table below has them all.
_MOST_NAMES = 5

_HEADER = ("feature", "KS distance", "p", "p (Holm)", "PSI", "PSI threshold", "shift", "changed")


def conclude(comparison: DriftComparison) -> list[str]:
    """Say in sentences what was found, the most important first."""
    sentences = [_describe_features(comparison), _describe_whole_rows(comparison.whole_rows)]
    if (visible := comparison.smallest_visible_distance) > comparison.min_effect:
        sentences.append(
            f"At these numbers of rows a KS distance below about {visible:.2g} cannot be told from chance: compare "
            f"more rows, if a change of {comparison.min_effect:g} matters."
        )
    return sentences


def judge(change: FeatureChange, min_effect: float) -> str:
    """Say in a word or two whether a feature has changed."""
    if not change.is_significant:
        return "no"
    return "yes" if change.distance > min_effect else "little"


def tabulate_comparison(comparison: DriftComparison) -> str:
    """Lay out one line a feature, the farthest first, as aligned plain text."""
    lines = [_HEADER, *(_to_cells(change, comparison.min_effect) for change in comparison.features)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:-1]), verdict]).rstrip()
        for name, *numbers, verdict in lines
    )


def format_p_value(p_value: float) -> str:
    """Write a chance so that a very small one is not taken for none.

    Examples
    --------
    >>> format_p_value(0.01234), format_p_value(1.2e-20), format_p_value(0.0)
    ('0.012', '1.2e-20', '<1e-300')
    """
    return f"{p_value:.2g}" if p_value > 0 else "<1e-300"


def _describe_features(comparison: DriftComparison) -> str:
    """Name the features that have changed."""
    changed, least = comparison.changed, f"a KS distance of {comparison.min_effect:g}"
    if changed:
        named = ", ".join(f"{change.name} ({change.distance:.2g})" for change in changed[:_MOST_NAMES])
        others = f" and {len(changed) - _MOST_NAMES} more" if len(changed) > _MOST_NAMES else ""
        return f"{len(changed)} of {_count(len(comparison.features))} changed by more than {least}: {named}{others}."
    little = sum(change.is_significant for change in comparison.features)
    return f"No feature changed by more than {least}" + (f"; {little} changed by less." if little else ".")


def _describe_whole_rows(whole_rows: KernelComparison) -> str:
    """Say whether all features together have changed."""
    differ = "differ from" if whole_rows.p_value < SIGNIFICANCE else "show no difference from"
    return (
        f"Whole rows {differ} the reference: MMD {whole_rows.effect:.2g} beyond chance, p = {whole_rows.p_value:.2g} "
        f"({N_PERMUTATIONS} permutations of {whole_rows.n_reference:,} and {whole_rows.n_current:,} rows)."
    )


def _to_cells(change: FeatureChange, min_effect: float) -> tuple[str, ...]:
    """Write a line."""
    return (
        change.name,
        f"{change.distance:.3f}",
        format_p_value(change.p_value),
        format_p_value(change.corrected_p_value),
        f"{change.stability.index:.3g}",
        f"{change.stability.threshold:.3g}",
        f"{change.shift:+.2g}",
        judge(change, min_effect),
    )


def _count(n_features: int) -> str:
    """Say a number of features."""
    return "1 feature" if n_features == 1 else f"{n_features} features"
