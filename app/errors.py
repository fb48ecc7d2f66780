"""Everything that Isowatch refuses, and the HTTP status of each refusal.

* IsowatchError                500  never raised itself
  * InvalidSetting             500  a variable of the environment cannot be used
  * InvalidTimestamp              500  a moment that an operator names lies where nothing can be
  * InvalidBundle              503  a model bundle is missing a part, was changed, or is of another format
  * InvalidForest              500  an estimator cannot be served
  * MetricsFolderTaken         500  another live service owns the metrics folder
  * UnreadableMessage          500  a worker handed something to the recorder that it does not know
  * RefusedRequest             400  never raised itself
    * NotJSON                  400  the body is not strict JSON
    * InvalidInferenceRequest  400  a body that the Open Inference Protocol does not describe, or not for this model
    * UnknownKey               401  no key, or one that nobody was given
    * CallerNotAllowed         403  there are no keys, and the caller is not on this host
    * UnknownModel             404  another model, or another version, than the live one was asked for
    * UnknownPrediction        404  no answer is recorded under the id
    * NotAnAcceptableMediaType 406  the caller accepts no form in which we could answer
    * BodyTooLarge             413  the body is longer than the limit, or holds too many rows
    * NotAJSONMediaType        415  the Content-Type is not application/json
    * NotARowsMediaType        415  the Content-Type is none in which rows can be sent
    * CompressedBody           415  the Content-Encoding is not identity
    * InvalidFields            422  never raised itself
      * InvalidPredictionRequest 422  well-formed JSON that does not describe a row the model can score
      * InvalidFeedback        422  well-formed JSON that does not describe labels
      * InvalidQuery           422  what stands behind the path of an address cannot be used
    * ModelUnavailable         503  no verified model is loaded
    * DriftUnknown             503  the recorder has not reported anything about drift
    * KeysUnavailable          503  the file with the keys cannot be read, or holds none
    * RecordsUnavailable       503  records are off, or their database cannot be used
      * RecordsBusy            503  their database is locked or away for the moment
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, TypedDict


class FieldError(TypedDict, total=False):
    """What is wrong with one part of a request: ``field`` names it, ``row`` counts from 0 in a batch."""

    field: str
    row: int
    message: str


class IsowatchError(Exception):
    """The root of every refusal; ``status`` is the HTTP status that answers it."""

    status: ClassVar[int] = 500


class InvalidSetting(IsowatchError):
    """A variable of the environment cannot be used."""


class InvalidTimestamp(IsowatchError):
    """A moment of a command that does not fit the others."""


class InvalidBundle(IsowatchError):
    """A model bundle is missing a part, was changed after it was written, or is of another format."""

    status = 503


class InvalidForest(IsowatchError):
    """An estimator cannot be served: it is not a fitted Isolation Forest, or not one of numbers."""


class MetricsFolderTaken(IsowatchError):
    """Another live service owns the metrics folder."""


class UnreadableMessage(IsowatchError):
    """A worker handed something to the recorder that it does not know."""


class RefusedRequest(IsowatchError):
    """A request that cannot be answered as asked; its message is shown to the caller, its headers are sent."""

    status = 400
    headers: ClassVar[Mapping[str, str]] = MappingProxyType({})


class NotJSON(RefusedRequest):
    """The body is not strict JSON."""


class InvalidInferenceRequest(RefusedRequest):
    """A body that the Open Inference Protocol does not describe, or that does not fit the live model."""


class UnknownKey(RefusedRequest):
    """No key, or one that nobody was given."""

    status = 401
    # RFC 9110 wants the scheme named; a key in a header of its own has no registered one.
    headers = MappingProxyType({"WWW-Authenticate": "X-API-Key"})


class CallerNotAllowed(RefusedRequest):
    """There are no keys, and the caller is not on this host."""

    status = 403


class UnknownModel(RefusedRequest):
    """Another model, or another version, than the live one was asked for."""

    status = 404


class UnknownPrediction(RefusedRequest):
    """No answer is recorded under the id: it was never given, was not chosen for recording, or was purged."""

    status = 404


class NotAnAcceptableMediaType(RefusedRequest):
    """The caller accepts no form in which we could answer."""

    status = 406


class BodyTooLarge(RefusedRequest):
    """The body is longer than the limit, or holds too many rows."""

    status = 413


class NotAJSONMediaType(RefusedRequest):
    """The Content-Type is not ``application/json``."""

    status = 415


class CompressedBody(RefusedRequest):
    """The body is compressed, and nothing here unpacks it."""

    status = 415


class NotARowsMediaType(RefusedRequest):
    """The Content-Type is none in which rows can be sent."""

    status = 415


class InvalidFields(RefusedRequest):
    """A request that can be read, but whose parts do not say what they should; ``errors`` names each."""

    status = 422

    def __init__(self, message: str, errors: list[FieldError]) -> None:
        super().__init__(message)
        self.errors = errors


class InvalidPredictionRequest(InvalidFields):
    """Well-formed JSON that does not describe a row which the model can score."""


class InvalidFeedback(InvalidFields):
    """Well-formed JSON that does not describe labels."""


class InvalidQuery(InvalidFields):
    """What stands behind the path of an address cannot be used."""


class ModelUnavailable(RefusedRequest):
    """No verified model is loaded."""

    status = 503


class DriftUnknown(RefusedRequest):
    """The recorder has not reported anything about drift."""

    status = 503


class KeysUnavailable(RefusedRequest):
    """The file with the keys cannot be read, or holds none."""

    status = 503


class RecordsUnavailable(RefusedRequest):
    """Records are off, or their database cannot be used."""

    status = 503


class RecordsBusy(RecordsUnavailable):
    """The database of records is locked or away for the moment."""

    # As long as the recorder's own pauses between two tries: whoever holds a lock for longer holds it for minutes.
    headers = MappingProxyType({"Retry-After": "1"})


def explain_missing_package(error: ModuleNotFoundError) -> str:
    """Explain in one sentence which package is missing, and how to get it.

    Returns
    -------
    The sentence, for a program to exit with.

    Raises
    ------
    ModuleNotFoundError
        The same error, if the missing module is ours: that is a bug, and the traceback tells where.

    Examples
    --------
    >>> explain_missing_package(ModuleNotFoundError(name="numpy.linalg")).partition(" for ")[0]
    'the package numpy is not installed'
    """
    package = (error.name or "").partition(".")[0]
    if package in ("", "app", "training"):
        raise error
    return (
        f"the package {package} is not installed for {sys.executable}: run `make install`, then "
        "`source .venv/bin/activate`."
    )
