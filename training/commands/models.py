"""``models``: list the versions that are there."""

from __future__ import annotations

import argparse

from training.commands.options import add_models_option


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("models", help="list all versions, the live one marked", allow_abbrev=False)
    add_models_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the table."""
    from training.store.store import ModelStore
    from training.store.versions import tabulate_versions

    print(tabulate_versions(ModelStore(options.models)))
    return 0
