"""``pack``: write one zip file with which Spark and other engines score by a model."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands.options import add_models_option
from training.errors import refusing_output


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "pack",
        help="write one file with code, kernel and bundle, for Spark",
        description="Write a zip file with the code, the compiled kernel and a bundle. Spark unpacks it on its "
        "executors, which need only NumPy and pyarrow (docs/spark.md). It is for machines like this one.",
        allow_abbrev=False,
    )
    parser.add_argument("version", metavar="VERSION", nargs="?", help="which bundle (default: the live one)")
    parser.add_argument(
        "--out", dest="target", metavar="FILE", type=Path, help="the file to write (default: isowatch-VERSION.zip)"
    )
    add_models_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Verify the bundle and write the file."""
    from app.model.bundle import read_bundle
    from app.model.live_model import CURRENT_LINK
    from app.model.store.store import ModelStore
    from app.server.output_file import open_output
    from spark.batches import require_compiled_kernel
    from spark.pack import pack_bundle

    folder = ModelStore(options.models).find(options.version) if options.version else options.models / CURRENT_LINK
    bundle = read_bundle(folder)
    require_compiled_kernel(bundle)
    target = options.target or Path(f"isowatch-{bundle.version}.zip")
    with refusing_output(target), open_output(target) as opened:
        opened.buffer.write(pack_bundle(folder))
    print(f"{target}: {bundle.name} {bundle.version}; see docs/spark.md for what to do with it")
    return 0
