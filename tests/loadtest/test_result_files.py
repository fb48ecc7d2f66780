"""Result files contain the same result as the printed output."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from loadtest.measurements import Measurements
from loadtest.pass_criteria import Limits, evaluate, unreachable_result
from loadtest.result_files import write_json, write_junit


def one_failure():
    """Return the result of two requests, one of them failed."""
    measurements = Measurements()
    measurements.record(10.0, at_second=1.0)
    measurements.record(10.0, at_second=2.0, failed=True)
    return evaluate(measurements, Limits(p95_ms=50))


def test_json_contains_criteria_and_measurements(tmp_path):
    """The file contains every criterion with its value and limit, the measurements, and additional values."""
    write_json(tmp_path / "result.json", one_failure(), host="http://h")
    content = json.loads((tmp_path / "result.json").read_text())

    assert (content["exit_code"], content["verdict"], content["host"]) == (1, "missed", "http://h")
    assert {criterion["name"]: criterion["is_met"] for criterion in content["criteria"]} == {
        "requests": True,
        "fail ratio": False,
        "p95": True,
    }
    assert (content["requests"], content["failures"], content["requests_per_second"]) == (2, 1, 1.0)
    assert 10 <= content["p95_ms"] <= 10.1


def test_junit_has_a_test_case_per_criterion(tmp_path):
    """A missed criterion is a failure with its measured value and limit."""
    write_junit(tmp_path / "result.xml", one_failure())
    suite = ElementTree.parse(tmp_path / "result.xml").getroot().find("testsuite")

    assert [case.get("name") for case in suite.findall("testcase")] == ["requests", "fail ratio", "p95"]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "0")
    [failure] = suite.iter("failure")
    assert failure.get("message") == "fail ratio is 0.5, expected at most 0"


def test_junit_of_an_unreachable_service_is_an_error(tmp_path):
    """CI systems distinguish errors from failures."""
    write_junit(tmp_path / "result.xml", unreachable_result("http://h does not answer."))
    suite = ElementTree.parse(tmp_path / "result.xml").getroot().find("testsuite")

    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "0", "1")
    assert next(suite.iter("error")).get("message") == "http://h does not answer."
