"""``verify``: check every file of a bundle."""

from __future__ import annotations

import argparse

from app.model.live_model import CURRENT_LINK
from training.commands.options import add_models_option


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("verify", help="check every file of a bundle", allow_abbrev=False)
    parser.add_argument("version", metavar="VERSION", nargs="?", help="which bundle (default: the live one)")
    add_models_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print each problem; without any, say so."""
    from app.model.bundle import find_problems, read_bundle
    from training.store.store import ModelStore

    folder = ModelStore(options.models).find(options.version) if options.version else options.models / CURRENT_LINK
    problems = find_problems(folder)
    for problem in problems:
        print(problem)
    if problems:
        return 1
    bundle = read_bundle(folder)
    print(f"{folder}: {bundle.name} {bundle.version}, every file is as it was written and scores as in training")
    return 0
