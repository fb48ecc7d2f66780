"""``promote``: make a version the live one."""

from __future__ import annotations

import argparse

from training.commands.options import add_models_option


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("promote", help="verify a version and make it live", allow_abbrev=False)
    parser.add_argument("version", metavar="VERSION", help="one that `models` lists")
    add_models_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Verify, move the link, say so."""
    from training.store.store import ModelStore
    from training.store.verify import require_sound

    ModelStore(options.models).promote(options.version, require_sound)
    print(f"{options.version} is live; a running service takes it over within two seconds")
    return 0
