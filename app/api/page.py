"""``GET /``: a page for people, with what runs here, where to go, and a form that sends a row."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import numpy as np
from flask import Blueprint, Response, make_response, render_template, request

from app.api.service import service
from app.model.bundle import Bundle
from app.model.schema import LARGEST_NUMBER
from app.web.operations import OPERATIONS, Operation

# With more inputs than this, they scroll in a frame of their own, so that the answer stays in sight.
_MOST_INPUTS_IN_FULL = 12

page = Blueprint("page", __name__)


@dataclass(frozen=True)
class ExampleRow:
    """A training row that a button of the form fills in."""

    title: str
    numbers: list[float]


@page.get("/")
def show_page() -> Response:
    """Show the page; without a model it tells the reason, and what to do."""
    model = service().model
    described = _describe(model.get()) if model.features else {"bundle": None}
    response = make_response(render_template("page.html", problem=model.problem, places=_places(), **described))
    # Another model may be live the next time.
    response.headers["Cache-Control"] = "no-cache"
    return response


def choose_examples(golden: dict[str, Any], threshold: float) -> list[ExampleRow]:
    """Choose rows that show what the model does.

    Parameters
    ----------
    golden
        Training rows and their scores, as the manifest has them: ``rows`` and ``anomaly_score``.
    threshold
        The score below which a row is an outlier.

    Returns
    -------
    The row with the highest score, the one nearest to the threshold and the one with the lowest, in this order.

    Examples
    --------
    >>> golden = {"rows": [[9.0], [0.1], [4.0]], "anomaly_score": [-0.8, -0.4, -0.52]}
    >>> [(row.title, row.numbers) for row in choose_examples(golden, -0.5)]
    [('Typical row', [0.1]), ('Near the threshold', [4.0]), ('Unusual row', [9.0])]
    """
    scored = list(zip(golden["anomaly_score"], golden["rows"], strict=True))
    _, typical = max(scored)
    _, nearest = min(scored, key=lambda pair: abs(pair[0] - threshold))
    _, unusual = min(scored)
    titles = ("Typical row", "Near the threshold", "Unusual row")
    return [ExampleRow(title, _shorten(row)) for title, row in zip(titles, (typical, nearest, unusual), strict=True)]


def _describe(bundle: Bundle) -> dict[str, Any]:
    """Collect what the page says of a live model."""
    examples = choose_examples(bundle.manifest["golden"], bundle.forest.offset)
    return {
        "bundle": bundle,
        "trained_at": f"{bundle.trained_at.astimezone(UTC):%d %B %Y, %H:%M} UTC",
        "examples": examples,
        "scrolls": len(bundle.features) > _MOST_INPUTS_IN_FULL,
        # A shell would take the brackets of an IPv6 address, or a proxy's prefix, for something else.
        "address": shlex.quote(f"{request.url_root}prediction"),
        "body": json.dumps({"feature_vector": examples[0].numbers, "score": True}),
    }


def _shorten(row: list[float]) -> list[float]:
    """Write numbers with as few digits as a float32 needs: the forest compares no more, so the score stays."""
    shortened = [float(str(np.float32(number))) for number in row]
    # The shortest name of the largest float32 is a little larger than it, and would be refused.
    return [max(-LARGEST_NUMBER, min(LARGEST_NUMBER, number)) for number in shortened]


def _places() -> list[Operation]:
    """List what a browser can open, apart from the pages, which the template names itself."""
    return [
        operation
        for operation in OPERATIONS
        if operation.method == "get" and operation.tag != "pages" and "{" not in operation.path
    ]
