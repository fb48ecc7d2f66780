"""``prune``: remove old versions."""

from __future__ import annotations

import argparse

from training.commands.options import add_models_option


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "prune",
        help="remove all versions but the newest and the live one",
        description="Remove all versions but the newest N. The live version stays even if it is older.",
        allow_abbrev=False,
    )
    parser.add_argument("--keep", metavar="N", type=_count, required=True, help="how many of the newest versions stay")
    add_models_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Name each version that was removed, as soon as it is."""
    from training.store.store import ModelStore

    store = ModelStore(options.models)
    before = store.versions()
    try:
        for version in store.prune(options.keep):
            print(f"removed {version}", flush=True)
    except KeyboardInterrupt:
        n_removed = len(set(before) - set(store.versions()))
        raise KeyboardInterrupt(f"interrupted; {n_removed} versions were removed, the others stay.") from None
    print(f"{len(store.versions())} versions stay in {options.models}")
    return 0


def _count(text: str) -> int:
    """Read how many to keep."""
    if (count := int(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number of versions; use 0 or more.")
    return count


# argparse names the type in its message.
_count.__name__ = "whole number"
