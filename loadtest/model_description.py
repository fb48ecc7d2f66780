"""What the service says of its model: asked once before a run, to make requests that fit any model."""

from __future__ import annotations

import json
import math
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

# As long as a user waits for any answer: a service that needs longer is as good as gone.
TIMEOUT_SECONDS = 10.0


class ServiceUnreachable(Exception):
    """Nobody answers at the host; the message says who was asked and what to do."""


class UnusableDescription(Exception):
    """The service answers, but does not say what its model takes; the message says what was wrong."""


@dataclass(frozen=True)
class ModelDescription:
    """What a load needs to know of the live model.

    Parameters
    ----------
    name
        Under which the Open Inference Protocol knows the model.
    feature_names
        One for each number of a row, in their order.
    feature_ranges
        Smallest and largest value of each feature in training, finite.
    threshold
        Rows with a lower anomaly score are outliers.
    """

    name: str
    feature_names: tuple[str, ...]
    feature_ranges: tuple[tuple[float, float], ...]
    threshold: float


def ask_for_model(host: str) -> ModelDescription:
    """Ask ``GET /model_information`` of a service.

    Parameters
    ----------
    host
        The address that Locust was given, such as ``http://127.0.0.1:8000``.

    Raises
    ------
    ServiceUnreachable
        If there is no HTTP answer.
    UnusableDescription
        If the answer is not a 200 with everything that a description holds.
    """
    url = f"{host.rstrip('/')}/model_information"
    try:
        with _opener().open(url, timeout=TIMEOUT_SECONDS) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            raise UnusableDescription(
                f"{url} answers with status {error.code}: see why in the service's log."
            ) from None
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise ServiceUnreachable(
            f"{host} does not answer ({reason}): start the service, or name another with --host URL."
        ) from None
    return read_description(url, body)


def read_description(url: str, body: bytes) -> ModelDescription:
    """Read the body of an answer; ``url`` is only named in errors.

    Raises
    ------
    UnusableDescription
        If something that a description holds is missing or of another kind.
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
    """Ask as Locust's fast client does: of no proxy, and without doubting a certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))


def _text(value: Any) -> str:
    """Return a text as it is."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is not a name")
    return value


def _finite(value: Any) -> float:
    """Return a number that rows can be made with."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a finite number")
    return number
