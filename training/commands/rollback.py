"""``rollback``: make the version live again that was live before."""

from __future__ import annotations

import argparse

from training.commands.options import add_models_option


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "rollback",
        help="go back to the version that was live before",
        description="Verify the version that was live before the present one and make it live again. Said twice, "
        "it goes back two versions; promote VERSION goes forward again.",
        allow_abbrev=False,
    )
    add_models_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Verify, move the link, say where it leads now."""
    from training.store.store import ModelStore
    from training.store.verify import require_sound

    store = ModelStore(options.models)
    version = store.rollback(require_sound)
    print(f"{version} is live again; a running service takes it over within two seconds")
    return 0
