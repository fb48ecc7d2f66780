"""Everything that Isowatch refuses, and the HTTP status of each refusal.

* IsowatchError                500  never raised itself
  * InvalidSetting             500  a variable of the environment cannot be used
  * InvalidBundle              503  a model bundle is missing a part, was changed, or is of another format
  * InvalidForest              500  an estimator cannot be served
  * MetricsFolderTaken         500  another live service owns the metrics folder
  * UnreadableMessage          500  a worker handed something to the recorder that it does not know
  * RefusedRequest             400  never raised itself
    * NotJSON                  400  the body is not strict JSON
    * InvalidInferenceRequest  400  a body that the Open Inference Protocol does not describe, or not for this model
    * UnknownModel             404  another model, or another version, than the live one was asked for
    * NotAnAcceptableMediaType 406  the caller accepts no form in which we could answer
    * BodyTooLarge             413  the body is longer than the limit, or holds too many rows
    * NotAJSONMediaType        415  the Content-Type is not application/json
    * NotARowsMediaType        415  the Content-Type is none in which rows can be sent
    * CompressedBody           415  the Content-Encoding is not identity
    * InvalidPredictionRequest 422  well-formed JSON that does not describe a row the model can score
    * ModelUnavailable         503  no verified model is loaded
    * DriftUnknown             503  the recorder has not reported anything about drift
    * RecordsUnavailable       503  records are off, or their database cannot be used
"""

from __future__ import annotations

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
    """A request that cannot be answered as asked; its message is shown to the caller."""

    status = 400


class NotJSON(RefusedRequest):
    """The body is not strict JSON."""


class InvalidInferenceRequest(RefusedRequest):
    """A body that the Open Inference Protocol does not describe, or that does not fit the live model."""


class UnknownModel(RefusedRequest):
    """Another model, or another version, than the live one was asked for."""

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


class InvalidPredictionRequest(RefusedRequest):
    """Well-formed JSON that does not describe a row which the model can score."""

    status = 422

    def __init__(self, message: str, errors: list[FieldError]) -> None:
        super().__init__(message)
        self.errors = errors


class ModelUnavailable(RefusedRequest):
    """No verified model is loaded."""

    status = 503


class DriftUnknown(RefusedRequest):
    """The recorder has not reported anything about drift."""

    status = 503


class RecordsUnavailable(RefusedRequest):
    """Records are off, or their database cannot be used."""

    status = 503
