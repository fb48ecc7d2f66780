"""Write the dashboards: ``python -m monitoring.dashboards``; ``--check`` only tells which files would change."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from monitoring.dashboards.as_json import as_json
from monitoring.dashboards.catalogue import DASHBOARDS

FOLDER = Path(__file__).resolve().parents[1] / "grafana" / "dashboards"


def generate() -> dict[str, str]:
    """Generate every dashboard, by the name of its file.

    Examples
    --------
    >>> sorted(generate())[0]
    'at_a_glance.json'
    """
    return {f"{name}.json": as_json(build()) for name, build in DASHBOARDS.items()}


def find_differences(folder: Path) -> list[str]:
    """Name the files in a folder that are missing, not as they are generated, or no dashboard of ours."""
    generated = generate()
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in generated.keys() | found.keys() if generated.get(name) != found.get(name))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check; return the exit status: 1 if ``--check`` found a difference."""
    parser = argparse.ArgumentParser(prog="python -m monitoring.dashboards", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not as generated")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="DIR", help="folder (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.check:
        differences = find_differences(options.out)
        for name in differences:
            print(
                f"{options.out / name} is not what monitoring/dashboards makes: say make dashboards.", file=sys.stderr
            )
        return 1 if differences else 0
    options.out.mkdir(parents=True, exist_ok=True)
    for name, text in generate().items():
        (options.out / name).write_text(text, encoding="utf-8")
        print(options.out / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
