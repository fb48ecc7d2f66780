"""``models``, ``promote``, ``rollback``, ``prune`` and ``verify``: the commands for versions in the model store."""

from __future__ import annotations

import argparse
from pathlib import Path

from app.errors import count_of
from app.model.live_model import CURRENT_LINK
from training.commands.options import add_consent_options, add_models_option


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands and their options."""
    models = commands.add_parser("models", help="list all versions and mark the live one", allow_abbrev=False)
    models.set_defaults(run=list_versions)
    promote_ = commands.add_parser("promote", help="verify a version and make it live", allow_abbrev=False)
    promote_.add_argument("version", metavar="VERSION", help="one of those that `models` lists")
    add_consent_options(promote_, None)
    promote_.set_defaults(run=promote)
    rollback_ = commands.add_parser(
        "rollback",
        help="go back to the version that was live before",
        description="Verify the version of the same name that was live before and make it live again. Run it again to "
        "go back further; promote VERSION goes forward again.",
        allow_abbrev=False,
    )
    rollback_.set_defaults(run=rollback)
    prune_ = commands.add_parser(
        "prune",
        help="remove all versions but the newest and the live one",
        description="Remove all versions but the newest N. The live version stays even if it is older.",
        allow_abbrev=False,
    )
    prune_.add_argument("--keep", metavar="N", type=_count, required=True, help="how many of the newest versions stay")
    prune_.set_defaults(run=prune)
    verify_ = commands.add_parser("verify", help="check every file of a bundle", allow_abbrev=False)
    verify_.add_argument("version", metavar="VERSION", nargs="?", help="which bundle (default: the live one)")
    verify_.set_defaults(run=verify)
    for parser in (models, promote_, rollback_, prune_, verify_):
        add_models_option(parser)


def list_versions(options: argparse.Namespace) -> int:
    """Print the table of versions."""
    from app.model.store.store import ModelStore
    from training.bundle.version_table import tabulate_versions

    print(tabulate_versions(ModelStore(options.models)))
    return 0


def promote(options: argparse.Namespace) -> int:
    """Verify a version and make it live, unless it needs a consent that was not given."""
    from app.model.bundle import read_manifest
    from app.model.store.promotion_rules import describe_change, read_live_manifest, require_consent, require_sound
    from app.model.store.store import ModelStore

    change = ""

    def check(folder: Path) -> None:
        nonlocal change
        require_sound(folder)
        new, live = read_manifest(folder), read_live_manifest(options.models)
        require_consent(options.models, new, replace=options.replace, force=options.force)
        if live and live["version"] != options.version:
            change = f"{describe_change(live, new)}\n"

    ModelStore(options.models).promote(options.version, check)
    print(f"{change}{options.version} is live; a running service loads it within two seconds")
    return 0


def rollback(options: argparse.Namespace) -> int:
    """Verify the previous version and make it live again."""
    from app.model.store.promotion_rules import require_sound
    from app.model.store.store import ModelStore

    version = ModelStore(options.models).rollback(require_sound)
    print(f"{version} is live again; a running service loads it within two seconds")
    return 0


def prune(options: argparse.Namespace) -> int:
    """Remove old versions, and print each as soon as it is removed."""
    from app.model.store.store import ModelStore

    store = ModelStore(options.models)
    before = store.versions()
    try:
        for version in store.prune(options.keep):
            print(f"removed {version}", flush=True)
    except KeyboardInterrupt:
        n_removed = len(set(before) - set(store.versions()))
        raise KeyboardInterrupt(f"interrupted after removing {count_of(n_removed, 'version')}.") from None
    print(f"{options.models} has {count_of(len(store.versions()), 'version')} left")
    return 0


def verify(options: argparse.Namespace) -> int:
    """Print every problem of a bundle, or that it has none."""
    from app.model.bundle import find_problems, read_bundle
    from app.model.store.store import ModelStore

    folder = ModelStore(options.models).find(options.version) if options.version else options.models / CURRENT_LINK
    problems = find_problems(folder)
    for problem in problems:
        print(problem)
    if problems:
        return 1
    bundle = read_bundle(folder)
    print(f"{folder}: {bundle.name} {bundle.version}, every file is as it was written and scores as in training")
    return 0


def _count(text: str) -> int:
    """Parse a number of versions."""
    if (count := int(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number of versions; use 0 or more.")
    return count


# argparse names the type in its message.
_count.__name__ = "whole number"
