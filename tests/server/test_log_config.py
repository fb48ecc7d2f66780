"""Logs can be configured as text or as JSON."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

_PROGRAM = """
import logging.config
from app.server.log_config import log_configuration
logging.config.dictConfig(log_configuration(as_text={as_text}, level="info"))
logging.getLogger("isowatch").debug("hidden")
logging.getLogger("isowatch").info("shown")
"""


@pytest.mark.parametrize("as_text", [True, False])
def test_lines_have_the_configured_format(as_text: bool):
    """Only messages of the level or above are written to standard error."""
    program = _PROGRAM.format(as_text=as_text)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    [line] = done.stderr.splitlines()
    if as_text:
        assert line.endswith("INFO    isowatch: shown")
    else:
        assert json.loads(line) | {"time": ""} == {
            "time": "",
            "level": "info",
            "logger": "isowatch",
            "message": "shown",
        }
