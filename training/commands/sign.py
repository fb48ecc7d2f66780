"""``sign``: sign a bundle with a private key, or make a key."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from training.commands.options import add_models_option
from training.errors import BadArgument, refusing_output


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "sign",
        help="sign a bundle, so that services with BUNDLE_PUBLIC_KEY accept it",
        description="Sign a bundle with a private key. A service, and every command, whose BUNDLE_PUBLIC_KEY is set "
        "accepts only bundles that this key signed. Keep the private key where models are approved.",
        allow_abbrev=False,
    )
    parser.add_argument("version", metavar="VERSION", nargs="?", help="which bundle (default: the live one)")
    key = parser.add_mutually_exclusive_group(required=True)
    key.add_argument("--key", metavar="FILE", type=Path, help="file of the private key")
    key.add_argument("--new-key", metavar="FILE", type=Path, help="make a key, write it here, and print its public key")
    add_models_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make a key, or sign a bundle."""
    if options.new_key is not None:
        print(f"BUNDLE_PUBLIC_KEY={_make_key(options.new_key)}")
        return 0
    from app.model.live_model import CURRENT_LINK
    from app.model.signature import sign_bundle
    from app.model.store.store import ModelStore

    private_key = _read_key(options.key)
    folder = ModelStore(options.models).find(options.version) if options.version else options.models / CURRENT_LINK
    try:
        with refusing_output(folder):
            sign_bundle(folder, private_key)
    except ValueError:
        raise BadArgument(f"--key {options.key} holds no key; make one with --new-key.") from None
    version = folder.resolve().name
    print(f"{version} is signed; make it live with: python -m training promote {version} --models {options.models}")
    return 0


def _make_key(file: Path) -> str:
    """Write a new private key, and return its public key."""
    from app.model.signature import make_key

    private_key, public_key = make_key()
    try:
        # Never over an existing key: bundles that it signed could not be signed again.
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise BadArgument(f"--new-key {file} cannot be made ({error.strerror}); name a new file.") from None
    with os.fdopen(opened, "w", encoding="ascii") as written:
        written.write(f"{private_key}\n")
    return public_key


def _read_key(file: Path) -> str:
    """Read a private key."""
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BadArgument(f"--key {file} cannot be read ({reason}); name the file that --new-key wrote.") from None
