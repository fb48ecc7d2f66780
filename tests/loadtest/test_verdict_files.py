"""Other programs read the same verdict as people."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from loadtest.figures import Figures
from loadtest.pass_criteria import Limits, judge, unreachable
from loadtest.verdict_files import write_json, write_junit


def one_failure():
    """Give the verdict on two requests of which one failed."""
    figures = Figures()
    figures.record(10.0, at_second=1.0)
    figures.record(10.0, at_second=2.0, has_failed=True)
    return judge(figures, Limits(p95_ms=50))


def test_json_holds_criteria_and_figures(tmp_path):
    """Every criterion with its value and limit, the figures, and what the caller adds."""
    write_json(tmp_path / "verdict.json", one_failure(), host="http://h")
    content = json.loads((tmp_path / "verdict.json").read_text())

    assert (content["exit_code"], content["verdict"], content["host"]) == (1, "missed", "http://h")
    assert {judged["name"]: judged["is_met"] for judged in content["criteria"]} == {
        "requests": True,
        "fail ratio": False,
        "p95": True,
    }
    assert (content["requests"], content["failures"], content["requests_per_second"]) == (2, 1, 1.0)
    assert 10 <= content["p95_ms"] <= 10.1


def test_junit_has_a_case_for_each_criterion(tmp_path):
    """A missed criterion is a failure that says what was measured and allowed."""
    write_junit(tmp_path / "verdict.xml", one_failure())
    suite = ElementTree.parse(tmp_path / "verdict.xml").getroot().find("testsuite")

    assert [case.get("name") for case in suite.findall("testcase")] == ["requests", "fail ratio", "p95"]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "0")
    [failure] = suite.iter("failure")
    assert failure.get("message") == "fail ratio is 0.5, allowed is at most 0"


def test_junit_of_a_service_that_was_not_there_is_an_error(tmp_path):
    """CI systems tell an error from a failure, and so do we."""
    write_junit(tmp_path / "verdict.xml", unreachable("http://h does not answer."))
    suite = ElementTree.parse(tmp_path / "verdict.xml").getroot().find("testsuite")

    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "0", "1")
    assert next(suite.iter("error")).get("message") == "http://h does not answer."
