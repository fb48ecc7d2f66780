"""``GET /try``: a form that sends a row to the live model, and shows the answer."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from datetime import UTC
from operator import itemgetter
from typing import Any

import numpy as np
from flask import request

from app.api.service import service
from app.model.bundle import Bundle
from app.model.schema import LARGEST_NUMBER
from app.server.client_address import TrustedProxies
from app.web.hosts import public_root

# With more inputs, the list scrolls in a frame of its own, so that the answer stays visible.
_MAX_INPUTS_WITHOUT_SCROLLING = 12


@dataclass(frozen=True)
class ExampleRow:
    """A training row that a button of the form fills in."""

    title: str
    values: list[Any]


def describe_form() -> dict[str, Any]:
    """Return what the template needs: the live model, examples, and whether predictions need a key."""
    parts = service()
    described = _describe(parts.model.get()) if parts.model.features else {}
    return {"needs_key": parts.keys.predictions_need_a_key(), **described}


def choose_examples(golden: dict[str, Any], threshold: float) -> list[ExampleRow]:
    """Choose rows that show what the model does.

    Parameters
    ----------
    golden
        Training rows and their scores, as in the manifest: ``rows`` and ``anomaly_score``.
    threshold
        The score below which a row is an outlier.

    Returns
    -------
    The row with the highest score, the one nearest to the threshold and the one with the lowest score; a missing value
    is None.

    Examples
    --------
    >>> golden = {"rows": [[9.0], [0.1], [4.0], [None]], "anomaly_score": [-0.8, -0.4, -0.52, -0.9]}
    >>> [(row.title, row.values) for row in choose_examples(golden, -0.5)]
    [('Typical row', [0.1]), ('Near the threshold', [4.0]), ('Unusual row', [None])]
    """
    scored = list(zip(golden["anomaly_score"], golden["rows"], strict=True))
    _, typical = max(scored, key=itemgetter(0))
    _, nearest = min(scored, key=lambda pair: abs(pair[0] - threshold))
    _, unusual = min(scored, key=itemgetter(0))
    titles, rows = ("Typical row", "Near the threshold", "Unusual row"), (typical, nearest, unusual)
    return [ExampleRow(title, list(map(_shorten, row))) for title, row in zip(titles, rows, strict=True)]


def _describe(bundle: Bundle) -> dict[str, Any]:
    """Return what the template needs to show a live model."""
    examples = [
        ExampleRow(example.title, [_to_value(bundle, place, number) for place, number in enumerate(example.values)])
        for example in choose_examples(bundle.manifest["golden"], bundle.forest.offset)
    ]
    can_explain = bundle.forest.arrays.weighted_n_node_samples is not None
    explain = {"explain": True} if can_explain else {}
    proxies = TrustedProxies(service().settings.trusted_proxies)
    root = public_root(request.environ, request.url_root, proxies)
    return {
        "bundle": bundle,
        "trained_at": f"{bundle.trained_at.astimezone(UTC):%d %B %Y, %H:%M} UTC",
        "examples": examples,
        "can_explain": can_explain,
        "scrolls": len(bundle.features) > _MAX_INPUTS_WITHOUT_SCROLLING,
        # A shell would interpret the brackets of an IPv6 address, or characters in a proxy's prefix.
        "address": shlex.quote(f"{root}prediction"),
        "body": json.dumps({"feature_vector": examples[0].values, "score": True} | explain),
    }


def _to_value(bundle: Bundle, place: int, number: float | None) -> Any:
    """Return the value that a number in a golden row stands for; None if it is missing."""
    levels = bundle.features.levels[place] if bundle.features.levels else None
    return number if levels is None or number is None else levels[int(number)]


def _shorten(number: float | None) -> float | None:
    """Write a number with as few digits as a float32 needs: the forest compares no more, so the score stays."""
    if number is None:
        return None
    # The shortest decimal for the largest float32 is a little larger than it, and would be refused.
    return max(-LARGEST_NUMBER, min(LARGEST_NUMBER, float(str(np.float32(number)))))
