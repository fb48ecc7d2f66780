"""The compiled kernels for all tests of the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.model.build_kernel import build, find_compiler


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kernels, compiled from the current source."""
    compiler = find_compiler()
    if compiler is None:
        pytest.skip("no C compiler (cc, gcc or clang) is installed on this machine")
    library = tmp_path_factory.mktemp("kernel") / "forest_kernel.so"
    build(compiler, library)
    return library
