"""Generate the Grafana dashboards: ``python -m monitoring.dashboards``; ``--check`` only compares."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from monitoring.dashboards.catalogue import generate

FOLDER = Path(__file__).resolve().parents[1] / "grafana" / "dashboards"


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


def find_differences(folder: Path) -> list[str]:
    """List the files in a folder that are missing, differ from the generated ones, or belong to no dashboard."""
    generated = generate()
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in generated.keys() | found.keys() if generated.get(name) != found.get(name))


if __name__ == "__main__":
    sys.exit(main())
