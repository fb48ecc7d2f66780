"""The addresses and the example request that `make run` prints."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "print_urls.py"


def run_print_urls(model_dir, bind="127.0.0.1:8123"):
    """Run the script as make does, and return its output."""
    environ = {**os.environ, "BIND": bind, "MODEL_DIR": str(model_dir)}
    return subprocess.run([sys.executable, SCRIPT], env=environ, capture_output=True, text=True, check=True).stdout


def test_example_request_fits_the_model(tmp_path):
    """The printed curl command sends as many numbers as the live model has features."""
    (tmp_path / "current").mkdir()
    (tmp_path / "current" / "manifest.json").write_text(json.dumps({"golden": {"rows": [[1.5, -2.0, 3.25]]}}))

    printed = run_print_urls(tmp_path)

    assert '"feature_vector": [1.5, -2.0, 3.25]' in printed


@pytest.mark.parametrize("bind", ["unix:/run/iso watch.sock", "unix:///run/iso watch.sock,fd://3"])
def test_unix_socket_is_printed(tmp_path, bind):
    """As curl takes it; no browser opens it."""
    printed = run_print_urls(tmp_path, bind)

    assert "Socket   /run/iso watch.sock\n" in printed
    assert "curl --unix-socket '/run/iso watch.sock' -H" in printed
    assert "} http://localhost/prediction\n" in printed.replace("'", "")
    assert "/docs" not in printed


def test_first_address_of_several_is_printed(tmp_path):
    """The first that a browser can open."""
    printed = run_print_urls(tmp_path, "unix:/run/isowatch.sock,[::]:8500,127.0.0.1:8600")

    assert "Page     http://[::1]:8500/\n" in printed
    assert "8600" not in printed


@pytest.mark.parametrize("manifest", ["", "[]", '{"golden": {"rows": []}}'])
def test_invalid_manifest_is_ignored(tmp_path, manifest):
    """Every address is printed; the service itself refuses the bundle."""
    (tmp_path / "current").mkdir()
    (tmp_path / "current" / "manifest.json").write_text(manifest)

    printed = run_print_urls(tmp_path)

    for address in ("8123/\n", "8123/docs", "8123/metrics", "8123/prediction"):
        assert address in printed
