"""The service's description of its model, requested before a run to build requests that fit any model."""

from __future__ import annotations

import json
import math
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

# The same timeout as for simulated users.
TIMEOUT_SECONDS = 10.0


class ServiceUnreachable(Exception):
    """The host does not answer; the message names it and says what to do."""


class UnusableDescription(Exception):
    """The service answers, but does not describe its model; the message says what is wrong."""


@dataclass(frozen=True)
class ModelDescription:
    """What a load test needs to know about the live model.

    Parameters
    ----------
    name
        The model's name in the Open Inference Protocol.
    feature_names
        One name per number in a row, in order.
    feature_ranges
        Smallest and largest value of each feature in the training data, finite.
    threshold
        Rows with a lower anomaly score are outliers.
    """

    name: str
    feature_names: tuple[str, ...]
    feature_ranges: tuple[tuple[float, float], ...]
    threshold: float


def request_model_description(host: str) -> ModelDescription:
    """Request ``GET /model_information`` and return the model's description.

    Parameters
    ----------
    host
        The service's base URL, such as ``http://127.0.0.1:8000``.

    Raises
    ------
    ServiceUnreachable
        If there is no HTTP response.
    UnusableDescription
        If the response is not a 200 with a complete description.
    """
    url = f"{host.rstrip('/')}/model_information"
    try:
        with _opener().open(url, timeout=TIMEOUT_SECONDS) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            raise UnusableDescription(
                f"{url} answers with status {error.code}: see the service's log for the reason."
            ) from None
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise ServiceUnreachable(
            f"{host} does not answer ({reason}): start the service, or give another address with --host URL."
        ) from None
    return read_description(url, body)


def read_description(url: str, body: bytes) -> ModelDescription:
    """Parse a response body; ``url`` is only used in error messages.

    Raises
    ------
    UnusableDescription
        If a part of the description is missing or has the wrong type.
    """
    try:
        model = json.loads(body)["model"]
        return ModelDescription(
            _text(model["name"]),
            tuple(_text(name) for name in model["feature_names"]),
            tuple((_finite(low), _finite(high)) for low, high in model["feature_ranges"]),
            _finite(model["threshold"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnusableDescription(
            f"{url} does not describe a model ({type(error).__name__}: {error}): is this an Isowatch service?"
        ) from None


def _opener() -> urllib.request.OpenerDirector:
    """Create an opener that behaves like Locust's fast client: no proxy, no certificate verification."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))


def _text(value: Any) -> str:
    """Return a non-empty string unchanged."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is not a non-empty string")
    return value


def _finite(value: Any) -> float:
    """Return a finite number as a float."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a finite number")
    return number
