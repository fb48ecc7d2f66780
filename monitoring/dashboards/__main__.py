"""Generate the Grafana dashboards: ``python -m monitoring.dashboards``; ``--check`` only compares."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitoring.dashboards.catalogue import DASHBOARDS

FOLDER = Path(__file__).resolve().parents[1] / "grafana" / "dashboards"

# The SDK puts every link and every annotation switch into a menu, and has no option for another place.
_HIDDEN_IN_MENU = ("placement", "inControlsMenu")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the files; return 1 if ``--check`` found a difference."""
    parser = argparse.ArgumentParser(prog="python -m monitoring.dashboards", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file differs")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="DIR", help="folder (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.check:
        differences = find_differences(options.out)
        for name in differences:
            print(f"{options.out / name} differs from its source; run make dashboards.", file=sys.stderr)
        return 1 if differences else 0
    options.out.mkdir(parents=True, exist_ok=True)
    for name, text in generate().items():
        (options.out / name).write_text(text, encoding="utf-8")
        print(options.out / name)
    return 0


def generate() -> dict[str, str]:
    """Return the JSON of every dashboard, by file name.

    Examples
    --------
    >>> sorted(generate())[0]
    'at_a_glance.json'
    """
    return {f"{name}.json": to_json(build()) for name, build in DASHBOARDS.items()}


def find_differences(folder: Path) -> list[str]:
    """List the files in a folder that are missing, differ from the generated ones, or belong to no dashboard."""
    generated = generate()
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in generated.keys() | found.keys() if generated.get(name) != found.get(name))


def to_json(dashboard: Dashboard) -> str:
    """Serialize a dashboard; the same dashboard always results in the same bytes.

    Examples
    --------
    >>> '"refresh": "5s"' in to_json(Dashboard("Example").refresh("5s"))
    True
    """
    built = json.loads(JSONEncoder().encode(dashboard.build()))
    # Sorted keys keep diffs small: they show only what changed in the source.
    return json.dumps(_remove_hiding(built), sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def _remove_hiding(value: Any) -> Any:
    """Remove the setting that hides links and annotations in a menu, at any depth."""
    if isinstance(value, dict):
        return {key: _remove_hiding(inner) for key, inner in value.items() if (key, inner) != _HIDDEN_IN_MENU}
    return [_remove_hiding(inner) for inner in value] if isinstance(value, list) else value


if __name__ == "__main__":
    sys.exit(main())
