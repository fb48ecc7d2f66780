"""The service keeps what its own OpenAPI document promises, whatever is sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.running_service import start_service, wait_until

pytestmark = pytest.mark.system

# Requests per operation and phase: shortened, and in full.
EXAMPLES, EXAMPLES_IN_FULL = 50, 1000
FEW_EXAMPLES = 5

# All checks are on, unless something here or on the command line says otherwise.
# A made-up model name would only ever meet a 404. That data has as many numbers as shape says is more than a JSON
# Schema can ask for, so a body of tensors that keeps its schema may still be refused.
# How long records are kept is a setting, so a window of many days may be refused.
# Schemathesis does not expect that too many rows are told apart from malformed ones.
# A label of an unknown row is answered when the recorder has come far enough, up to a second later: so a few will do.
CONFIGURATION = """
[auth.openapi.feedbackKey]
api_key = "{key}"

[checks.negative_data_rejection]
expected-statuses = [400, 404, 405, 406, 413, 415, 422]

[parameters]
"path.name" = "{name}"
"path.version" = "{version}"
"query.window" = "24h"

[[operations]]
include-path-regex = "/infer$"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path = "/feedback"
generation.max-examples = {labels}
"""

KEY = "a-key-for-the-fraud-desk"


def test_live_service_keeps_its_document(tmp_path: Path, credits_models: Path, is_long: bool):
    """No answer that the document does not describe, no good request refused, no bad one taken, no 5xx."""
    (tmp_path / "keys").write_text(KEY)
    with start_service(tmp_path, credits_models, FEEDBACK_API_KEYS_FILE=str(tmp_path / "keys")) as service:
        configuration = tmp_path / "schemathesis.toml"
        model = service.get("/model_information").json()["model"]
        labels = EXAMPLES if is_long else FEW_EXAMPLES
        configuration.write_text(CONFIGURATION.format_map(model | {"key": KEY, "labels": labels}))
        queue = {"path": "/audit/next", "headers": {"X-API-Key": KEY}}
        wait_until(lambda: service.get(**queue).status_code == 200, "the database", service)
        run = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration)),
                *("run", f"{service.address}/openapi.json"),
                *("--max-examples", str(EXAMPLES_IN_FULL if is_long else EXAMPLES)),
                *("--seed", "16", "--no-color"),
                *("--report", "junit", "--report-dir", str(tmp_path)),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=1200 if is_long else 170,
        )
        assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
        assert service.metric("model_prediction_requests_total", status="invalid") > 10
        assert service.metric("model_prediction_requests_total", status="success") > 10
        assert service.metric("model_prediction_requests_total", status="error") == 0
