"""Format samples as a table: medians, spread, and ratios to the service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from benchmarks.contestants import Contestant
from benchmarks.wrk import Sample


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Format a median with minimum and maximum.

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
    """Format the ratio of two numbers.

    Examples
    --------
    >>> ratio(2500, 58), ratio(2500, 2480)
    ('43', '1.01')
    """
    times = own / others
    # From ten on, more digits would be noise.
    return f"{times:.0f}" if times >= 10 else f"{times:.2f}"


def results_table(
    contestants: Iterable[Contestant],
    samples: Mapping[str, Sequence[Sample]],
    failures: Mapping[str, Sequence[str]],
    reference: str,
) -> str:
    """Return the table for one number of connections in Markdown.

    Parameters
    ----------
    contestants
        Rows of the table, in this order.
    samples
        Samples by name, one per round.
    failures
        Reasons for missing samples by name.
    reference
        Name of the contestant that others are compared with; it needs no samples.

    Returns
    -------
    Processor time per request, requests per second, p50 and p99 as medians with minimum and maximum; processor time of
    the reference divided by that of the contestant (below 1, the reference costs less); failures over all rounds.
    """
    lines = [
        "| server | answer | CPU per request (us), all processes | times | requests/s | p50 ms | p99 ms "
        "| refused, broken |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    own = [sample.cpu_us for sample in samples.get(reference, ())]
    for contestant in contestants:
        measured = samples.get(contestant.name, ())
        if not measured:
            reason = _in_cell((failures.get(contestant.name) or ["not measured"])[-1])
            lines.append(f"| {contestant.title} | {contestant.interface.gives} | skipped: {reason} | | | | | |")
            continue
        costs = [sample.cpu_us for sample in measured]
        cells = [
            contestant.title + _lost_turns(len(failures.get(contestant.name, ()))),
            contestant.interface.gives,
            spread(costs),
            ratio(median(own), median(costs)) if own else "",
            spread([sample.requests_per_second for sample in measured]),
            spread([sample.p50_ms for sample in measured], digits=1),
            spread([sample.p99_ms for sample in measured], digits=1),
            f"{sum(sample.refused for sample in measured)}, {sum(sample.broken for sample in measured)}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _lost_turns(count: int) -> str:
    """Describe that a row has fewer rounds than others."""
    return f" ({count} {'turn' if count == 1 else 'turns'} lost)" if count else ""


def _in_cell(text: str) -> str:
    """Make a text fit into a table cell."""
    return " ".join(text.replace("|", "/").split())
