"""The service conforms to its OpenAPI document, whatever is sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.running_service import start_service, wait_until

# Beside three other processes, it takes two to three minutes.
pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

# Requests per operation and phase, by default and with --long.
EXAMPLES, EXAMPLES_IN_FULL = 10, 1000
FEW_EXAMPLES = 5

# All checks are enabled, except for the following.
# A generated model name would always lead to a 404. JSON Schema cannot express that data has as many numbers as its
# shape says, or which columns a data frame has, so a body that conforms to the schema may still be rejected.
# Of the rows that /predictions takes, fewer are explained at once, which the schema of a query cannot express.
# How long records are kept is a setting, so a window of many days may be rejected.
# Schemathesis does not expect too many rows (413) to be distinguished from malformed ones.
# A label of an unknown row is answered once the recorder has written all earlier rows, up to a second later, so there
# are few of them.
CONFIGURATION = """
[auth.openapi.apiKey]
api_key = "{key}"

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 413, 415, 422]

[parameters]
"path.name" = "{name}"
"path.version" = "{version}"
"path.request_id" = "{record}"
"query.window" = "24h"

[[operations]]
include-path-regex = "/(infer|invocations)$"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path = "/alarms"
checks.positive_data_acceptance.expected-statuses = ["2xx", 422]

[[operations]]
include-path = "/predictions"
checks.positive_data_acceptance.expected-statuses = ["2xx", 413]

[[operations]]
include-path = "/feedback"
generation.max-examples = {labels}
phases.coverage.enabled = {covers_labels}
parameters."body.request_id" = {{ dictionary = "records" }}
parameters."body.[*].request_id" = {{ dictionary = "records" }}

[dictionaries.records]
values = ["{record}"]
"""

KEY = "a-key-for-the-fraud-desk"


def test_live_service_keeps_its_document(tmp_path: Path, credits_models: Path, is_long: bool):
    """No undocumented response, no valid request rejected, no invalid one accepted, no 5xx."""
    (tmp_path / "keys").write_text(KEY)
    with start_service(tmp_path, credits_models, FEEDBACK_API_KEYS_FILE=str(tmp_path / "keys")) as service:
        configuration = tmp_path / "schemathesis.toml"
        model = service.get("/model_information").json()["model"]
        labels = EXAMPLES if is_long else FEW_EXAMPLES
        record = service.predict([0.56, 0.23]).headers["X-Record-ID"]
        path, key = f"/predictions/{record}", {"X-API-Key": KEY}
        wait_until(lambda: service.get(path, headers=key).status_code == 200, "the record", service)
        values = {"key": KEY, "record": record, "labels": labels, "covers_labels": str(is_long).lower()}
        configuration.write_text(CONFIGURATION.format_map(model | values))
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
            timeout=1200 if is_long else 290,
        )
        assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
        assert service.metric("model_prediction_requests_total", status="invalid") > 10
        assert service.metric("model_prediction_requests_total", status="success") > 10
        assert service.metric("model_prediction_requests_total", status="error") == 0
