"""Explains a package that is not installed; nothing but the standard library is imported."""

from __future__ import annotations

import sys


def explain_missing_package(error: ModuleNotFoundError) -> str:
    """Explain in one sentence which package is missing, and how to get it.

    Returns
    -------
    The sentence, for a program to exit with.

    Raises
    ------
    ModuleNotFoundError
        The same error, if the missing module is ours: that is a bug, and the traceback shows where.

    Examples
    --------
    >>> explain_missing_package(ModuleNotFoundError(name="numpy.linalg")).partition(" for ")[0]
    'the package numpy is not installed'
    """
    package = (error.name or "").partition(".")[0]
    if package in ("", "app", "training", "spark"):
        raise error
    return (
        f"the package {package} is not installed for {sys.executable}: run `make install`, then "
        "`source .venv/bin/activate`."
    )
