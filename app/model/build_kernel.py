"""Compiles the kernels for a generic CPU of this architecture: ``python -m app.model.build_kernel``.

Without it, the service uses NumPy and logs a warning, so a missing compiler is no error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from app.model.kernels import EXPLAIN_SOURCE, HASH_SOURCE, LIBRARY, SOURCE, WINDOW_SOURCE, source_sha256
from app.server.atomic_file import replacing

# -O3 unrolls the eight parallel walks. Nothing that changes arithmetic (-ffast-math, fused multiply-add) and nothing
# that only some CPUs have (-march=native gained nothing): the scores must be the same everywhere.
FLAGS = ("-O3", "-std=c11", "-shared", "-fPIC", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror")


def find_compiler() -> str | None:
    """Return the path of a C compiler: the variable ``CC``, else cc, gcc or clang."""
    candidates = (os.environ.get("CC", ""), "cc", "gcc", "clang")
    return next((path for name in candidates if name and (path := shutil.which(name))), None)


def build(compiler: str, library: Path = LIBRARY, more_flags: Sequence[str] = ()) -> None:
    """Compile the kernel, and replace the library as a whole.

    Parameters
    ----------
    compiler
        Path of the compiler.
    library
        The file to write.
    more_flags
        Further options of the compiler, such as sanitizers in tests.

    Raises
    ------
    subprocess.CalledProcessError
        If the compiler refuses the source.
    """
    define = f'-DSOURCE_SHA256="{source_sha256()}"'
    with replacing(library, durable=False) as unfinished:
        sources = (str(SOURCE), str(EXPLAIN_SOURCE), str(WINDOW_SOURCE), str(HASH_SOURCE))
        subprocess.run([compiler, *FLAGS, *more_flags, define, *sources, "-o", str(unfinished)], check=True)


def main() -> int:
    """Build the kernel if there is a compiler."""
    compiler = find_compiler()
    if compiler is None:
        print("No C compiler found: scores will be computed by NumPy, more slowly.", file=sys.stderr)
        return 0
    build(compiler)
    return 0


if __name__ == "__main__":
    sys.exit(main())
