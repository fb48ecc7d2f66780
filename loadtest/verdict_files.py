"""The verdict for other programs: JUnit for CI systems, JSON for everything else."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from loadtest.pass_criteria import ExitCode, Judged, Verdict

# What CI systems group the criteria by.
SUITE = "loadtest"

# The percentiles of the JSON file, those that load tests usually speak of.
PERCENTILES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


def write_json(path: Path, verdict: Verdict, **more: Any) -> None:
    """Write the verdict as JSON.

    Parameters
    ----------
    path
        The file; one that is there is replaced.
    verdict
        What to write.
    more
        Further values for the top level, such as the host.
    """
    figures = verdict.figures
    content = {
        "exit_code": int(verdict.exit_code),
        "verdict": verdict.exit_code.name.lower(),
        "sentence": verdict.sentence,
        "criteria": [asdict(judged) | {"is_met": judged.is_met} for judged in verdict.criteria],
        "requests": figures.requests,
        "failures": figures.failures,
        "unanswered": figures.unanswered,
        "seconds": figures.seconds,
        "requests_per_second": figures.rate,
        **{name: figures.percentile(share) for name, share in PERCENTILES.items()},
        **more,
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_junit(path: Path, verdict: Verdict) -> None:
    """Write the verdict as JUnit's XML, one test case a criterion; a service that was not there is one error.

    Parameters
    ----------
    path
        The file; one that is there is replaced.
    verdict
        What to write.
    """
    missed = sum(not judged.is_met for judged in verdict.criteria)
    errors = int(verdict.exit_code is ExitCode.UNREACHABLE)
    suite = ElementTree.Element(
        "testsuite",
        name=SUITE,
        tests=str(len(verdict.criteria) + errors),
        failures=str(missed),
        errors=str(errors),
        time=f"{verdict.figures.seconds:.3f}",
    )
    for judged in verdict.criteria:
        _add_criterion(suite, judged)
    if errors:
        case = ElementTree.SubElement(suite, "testcase", classname=SUITE, name="service answers")
        ElementTree.SubElement(case, "error", message=verdict.sentence)
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)


def _add_criterion(suite: ElementTree.Element, judged: Judged) -> None:
    """Add the test case of one criterion."""
    case = ElementTree.SubElement(suite, "testcase", classname=SUITE, name=judged.name)
    if not judged.is_met:
        bound = "at least" if judged.is_least else "at most"
        unit = f" {judged.unit}" if judged.unit else ""
        message = f"{judged.name} is {judged.measured:.6g}{unit}, allowed is {bound} {judged.limit:.6g}{unit}"
        ElementTree.SubElement(case, "failure", message=message)
