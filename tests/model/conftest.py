"""The compiled kernels for all tests of the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.model.build_kernel import build, find_compiler


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kernels, compiled from the current source."""
    return _compile(tmp_path_factory)


@pytest.fixture(scope="session")
def narrow_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kernels as a processor without AVX2 runs them."""
    return _compile(tmp_path_factory, "-DONLY_NARROW_LANES")


def _compile(tmp_path_factory: pytest.TempPathFactory, *flags: str) -> Path:
    """Compile the kernels into a new folder."""
    compiler = find_compiler()
    if compiler is None:
        pytest.skip("no C compiler (cc, gcc or clang) is installed on this machine")
    library = tmp_path_factory.mktemp("kernel") / "forest_kernel.so"
    build(compiler, library, flags)
    return library
