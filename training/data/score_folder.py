"""Score many tables: what a folder or a pattern names, each to a file of the same name in another folder.

A ledger in that folder says of what table, model and options each result was made, so that a run that was interrupted
goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from app.model.bundle import Bundle
from app.server.output_file import open_output
from training.data.addresses import RemoteFile, TableFile
from training.data.bad_rows import REJECTS_SUFFIX, rejects_of
from training.data.folders import find_tables
from training.data.score_columns import HowToScore
from training.data.score_file import ScoredFile, score_file
from training.data.score_writers import check_format
from training.errors import BadArgument, BadData, refusing_output

LEDGER_FILE = "scored.json"


@dataclass(frozen=True)
class Task:
    """A table and where its result is written."""

    source: TableFile
    target: Path


def plan_tasks(source: TableFile, target: TableFile) -> list[Task] | None:
    """Return the tables in a folder or that match a pattern, in the order of their names; None for a single table.

    Raises
    ------
    BadArgument
        If two tables would have one result, or one that is not written, or results would go to an address.
    BadData
        If there are none.
    """
    named = find_tables(source)
    if named is None:
        return None
    root, found = named
    found = [path for path in found if not path.name.endswith(REJECTS_SUFFIX) and path.name != LEDGER_FILE]
    if not found:
        raise BadData(f"{source}: there is no table; name a folder or a pattern that has some.")
    if isinstance(target, RemoteFile):
        raise BadArgument(
            f"--out {target}: results of many tables go to a folder of this machine; name one, or one table."
        )
    inside = target.resolve()
    if any(inside in path.resolve().parents for path in found):
        raise BadArgument(f"--out {target} has tables of --in in it; name a folder outside.")
    tasks = [Task(path, target / path.relative_to(root)) for path in found]
    for task in tasks:
        check_format(task.target)
    return tasks


def score_tasks(
    bundle: Bundle,
    tasks: list[Task],
    folder: Path,
    how: HowToScore,
    on_progress: Callable[[int, float, int], None] = lambda place, share, n_rows: None,
    *,
    resumes: bool = False,
) -> Iterator[tuple[Task, ScoredFile, bool]]:
    """Score tables one after the other; the blocks of each are scored in parallel.

    Parameters
    ----------
    bundle, how
        As of ``score_file``.
    tasks
        The tables.
    folder
        Of the results; it is made if there is none.
    on_progress
        Called with the place of the table, the share of it that is done, and its number of rows.
    resumes
        Whether results are kept that are there, whole, and made of the same table by the same model and options.

    Yields
    ------
    A table, what was found in it, and whether its result was kept.

    Raises
    ------
    As ``score_file``.
    """
    with refusing_output(folder):
        folder.mkdir(parents=True, exist_ok=True)
    ledger = _read_ledger(folder) if resumes else {}
    for place, task in enumerate(tasks):
        name = str(task.target.relative_to(folder))
        made_of = _describe(bundle, task, how)
        known = ledger.get(name)
        if known and known["made_of"] == made_of and _is_whole(task.target, known):
            found = ScoredFile(**known["found"] | {"unfamiliar_columns": set(known["found"]["unfamiliar_columns"])})
            on_progress(place, 1.0, found.n_rows)
            yield task, found, True
            continue
        with refusing_output(task.target):
            task.target.parent.mkdir(parents=True, exist_ok=True)
        found = score_file(bundle, task.source, task.target, how, partial(on_progress, place))
        counts = asdict(found) | {"unfamiliar_columns": sorted(found.unfamiliar_columns)}
        ledger[name] = {"made_of": made_of, "found": counts, "sha256": _digest(task.target)}
        with refusing_output(folder / LEDGER_FILE), open_output(folder / LEDGER_FILE) as opened:
            json.dump(ledger, opened, indent=1)
        yield task, found, False


def _describe(bundle: Bundle, task: Task, how: HowToScore) -> dict[str, Any]:
    """Return what a result depends on: the table as its size and time tell it apart, the threshold and the options."""
    status = Path(str(task.source)).stat()
    return {
        "table": [status.st_size, status.st_mtime_ns],
        "model": [bundle.name, bundle.version],
        "options": asdict(how),
    }


def _read_ledger(folder: Path) -> dict[str, Any]:
    """Read the ledger; it is empty if there is no readable one."""
    try:
        ledger = json.loads((folder / LEDGER_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return ledger if isinstance(ledger, dict) else {}


def _is_whole(target: Path, known: dict[str, Any]) -> bool:
    """Return whether a result is as it was written, and the rows that were left out are beside it."""
    if known["found"]["n_bad"] and not Path(str(rejects_of(target))).is_file():
        return False
    return target.is_file() and _digest(target) == known["sha256"]


def _digest(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
