"""Write the result for other programs: JUnit XML for CI systems, JSON for everything else."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from loadtest.pass_criteria import CriterionResult, ExitCode, LoadResult

# The name under which CI systems group the criteria.
SUITE = "loadtest"

# The percentiles in the JSON file.
PERCENTILES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


def write_json(path: Path, result: LoadResult, **more: Any) -> None:
    """Write the result as JSON.

    Parameters
    ----------
    path
        The file, which is replaced if it exists.
    result
        The result.
    more
        Additional top-level values, such as the host.
    """
    measurements = result.measurements
    content = {
        "exit_code": int(result.exit_code),
        "verdict": result.exit_code.name.lower(),
        "sentence": result.sentence,
        "criteria": [asdict(criterion) | {"is_met": criterion.is_met} for criterion in result.criteria],
        "requests": measurements.requests,
        "failures": measurements.failures,
        "unanswered": measurements.unanswered,
        "seconds": measurements.seconds,
        "requests_per_second": measurements.rate,
        **{name: measurements.percentile(share) for name, share in PERCENTILES.items()},
        **more,
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_junit(path: Path, result: LoadResult) -> None:
    """Write the result as JUnit XML, one test case per criterion; an unreachable service is an error.

    Parameters
    ----------
    path
        The file, which is replaced if it exists.
    result
        The result.
    """
    missed = sum(not criterion.is_met for criterion in result.criteria)
    errors = int(result.exit_code is ExitCode.UNREACHABLE)
    suite = ElementTree.Element(
        "testsuite",
        name=SUITE,
        tests=str(len(result.criteria) + errors),
        failures=str(missed),
        errors=str(errors),
        time=f"{result.measurements.seconds:.3f}",
    )
    for criterion in result.criteria:
        _add_criterion(suite, criterion)
    if errors:
        case = ElementTree.SubElement(suite, "testcase", classname=SUITE, name="service answers")
        ElementTree.SubElement(case, "error", message=result.sentence)
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)


def _add_criterion(suite: ElementTree.Element, criterion: CriterionResult) -> None:
    """Add the test case for one criterion."""
    case = ElementTree.SubElement(suite, "testcase", classname=SUITE, name=criterion.name)
    if not criterion.is_met:
        bound = "at least" if criterion.is_minimum else "at most"
        unit = f" {criterion.unit}" if criterion.unit else ""
        message = f"{criterion.name} is {criterion.measured:.6g}{unit}, expected {bound} {criterion.limit:.6g}{unit}"
        ElementTree.SubElement(case, "failure", message=message)
