"""From samples to a table: medians, spread, and ratios to the service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from benchmarks.contestants import Contestant
from benchmarks.wrk import Sample


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Write a median with the least and the greatest value.

    Examples
    --------
    >>> spread([2511.7, 2480, 2600])
    '2,512 (2,480 to 2,600)'
    >>> spread([3.14159], digits=1)
    '3.1'
    """
    middle, low, high = (f"{value:,.{digits}f}" for value in (median(values), min(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({low} to {high})"


def ratio(own: float, others: float) -> str:
    """Write how many times the first is of the second.

    Examples
    --------
    >>> ratio(2500, 58), ratio(2500, 2480)
    ('43', '1.01')
    """
    times = own / others
    # Ten and more: another digit would be noise.
    return f"{times:.0f}" if times >= 10 else f"{times:.2f}"


def results_table(
    contestants: Iterable[Contestant],
    samples: Mapping[str, Sequence[Sample]],
    failures: Mapping[str, Sequence[str]],
    reference: str,
) -> str:
    """Write the table of one number of connections in Markdown.

    Parameters
    ----------
    contestants
        One row each, in this order.
    samples
        By name, one sample a round.
    failures
        By name, why turns of a contestant gave no sample.
    reference
        The name of the contestant that the ratios are about; it needs no samples.

    Returns
    -------
    Requests per second, p50 and p99 as medians with least and greatest; how many times the requests per second of a
    contestant the reference answers (above 1, the reference is the faster); what went wrong, over all rounds.
    """
    lines = [
        "| server | answer | requests/s | p50 ms | p99 ms | times | refused, broken |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    own = [sample.requests_per_second for sample in samples.get(reference, ())]
    for contestant in contestants:
        measured = samples.get(contestant.name, ())
        if not measured:
            reason = _in_cell((failures.get(contestant.name) or ["not measured"])[-1])
            lines.append(f"| {contestant.title} | {contestant.interface.gives} | skipped: {reason} | | | | |")
            continue
        rates = [sample.requests_per_second for sample in measured]
        cells = [
            contestant.title + _lost_turns(len(failures.get(contestant.name, ()))),
            contestant.interface.gives,
            spread(rates),
            spread([sample.p50_ms for sample in measured], digits=1),
            spread([sample.p99_ms for sample in measured], digits=1),
            ratio(median(own), median(rates)) if own else "",
            f"{sum(sample.refused for sample in measured)}, {sum(sample.broken for sample in measured)}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _lost_turns(count: int) -> str:
    """Say that fewer rounds stand behind a row than behind others."""
    return f" ({count} {'turn' if count == 1 else 'turns'} lost)" if count else ""


def _in_cell(text: str) -> str:
    """Make a text fit into a cell of a table."""
    return " ".join(text.replace("|", "/").split())
