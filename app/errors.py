"""Every error that Isowatch raises on purpose, and the HTTP status of each.

* IsowatchError                500  never raised itself
  * InvalidSetting             500  an environment variable cannot be used
  * InvalidTimestamp           500  a time in a command does not fit the others
  * InvalidBundle              503  a model bundle is incomplete, was changed, or has another format
  * InvalidForest              500  an estimator cannot be served
  * InvalidChoice              422  a version or a threshold that a person chose does not exist or is not possible
  * NotPromoted                409  a version must not go live without a person's consent
  * ModelsNotWritable          500  a bundle or a result could not be stored
  * MetricsFolderTaken         500  another live service owns the metrics folder
  * UnreadableMessage          500  the recorder received a message that it cannot decode
  * RefusedRequest             400  never raised itself
    * NotJSON                  400  the body is not strict JSON
    * NotDecompressible        400  the body is not what its Content-Encoding says
    * InvalidInferenceRequest  400  the body does not follow the Open Inference Protocol, or does not fit the model
    * UnknownKey               401  no API key, or an unknown one
    * CallerNotAllowed         403  no API keys are configured, and the caller is not on this host
    * KeyWithoutRole           403  the API key does not have the role that the route needs
    * HostNotAllowed           403  the request was sent to a host name that is not ours
    * OtherSite                403  a browser sent the request for a page of another site
    * UnknownModel             404  the request names another model or version than the live one
    * UnknownPrediction        404  no answer is recorded under the id
    * NotAnAcceptableMediaType 406  the caller accepts no media type that we can send
    * BodyTooLarge             413  the body is too long, or holds too many rows
    * NotAJSONMediaType        415  the Content-Type is not application/json
    * NotARowsMediaType        415  the Content-Type is none in which rows can be sent
    * UnknownCoding            415  the Content-Encoding is none that we decompress
    * InvalidFields            422  never raised itself
      * InvalidPredictionRequest 422  the body is JSON but does not describe a row that the model can score
      * InvalidFeedback        422  the body is JSON but does not describe labels
      * InvalidQuery           422  a query parameter cannot be used
    * CannotExplain            422  the live model cannot explain its scores
    * TooManyWrongKeys         429  too many wrong API keys came from the caller's address
    * ModelUnavailable         503  no verified model is loaded
    * DriftUnknown             503  the recorder has not reported on drift
    * KeysUnavailable          503  a file with API keys cannot be used
    * RecordsUnavailable       503  records are off, or their database cannot be used
      * RecordsBusy            503  their database is locked or unreachable at the moment
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, TypedDict


class FieldError(TypedDict, total=False):
    """One mistake in a request: ``field`` is its path, and ``row`` the number of the row in a batch, counted from 0."""

    field: str
    row: int
    message: str


def join_errors(errors: list[FieldError]) -> str:
    """Return mistakes as one line of text.

    Examples
    --------
    >>> join_errors([{"field": "score", "message": "expected true or false"}, {"field": "", "message": "too long"}])
    'score: expected true or false; too long'
    """
    texts = (f"{error['field']}: {error['message']}" if error["field"] else error["message"] for error in errors)
    return "; ".join(texts)


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun in the singular or plural, for messages.

    Examples
    --------
    >>> count_of(1, "version"), count_of(1200, "row"), count_of(0, "label")
    ('1 version', '1,200 rows', '0 labels')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class IsowatchError(Exception):
    """The root of all errors; ``status`` is the HTTP status of the answer."""

    status: ClassVar[int] = 500


class InvalidSetting(IsowatchError):
    """An environment variable cannot be used."""


class InvalidTimestamp(IsowatchError):
    """A time in a command does not fit the others."""


class InvalidBundle(IsowatchError):
    """A model bundle is incomplete, was changed after it was written, or has another format."""

    status = 503


class InvalidForest(IsowatchError):
    """An estimator cannot be served: it is not an Isolation Forest that was fitted to numbers."""


class InvalidChoice(IsowatchError):
    """A version or a threshold that a person chose does not exist or is not possible."""

    status = 422


class NotPromoted(IsowatchError):
    """A version must not go live without a person's consent; ``options`` of the command line give it."""

    status = 409

    def __init__(self, message: str, options: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.options = tuple(options)


class ModelsNotWritable(IsowatchError):
    """A bundle or a result could not be stored."""


class MetricsFolderTaken(IsowatchError):
    """Another live service owns the metrics folder."""


class UnreadableMessage(IsowatchError):
    """The recorder received a message that it cannot decode."""


class RefusedRequest(IsowatchError):
    """A request is refused; the caller gets the message, the headers, and each mistake whose place is known."""

    status = 400
    headers: Mapping[str, str] = MappingProxyType({})
    errors: Sequence[FieldError] = ()


class NotJSON(RefusedRequest):
    """The body is not strict JSON; ``errors`` has the places if they are known."""

    def __init__(self, message: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.errors = errors


class NotDecompressible(RefusedRequest):
    """The body is not what its Content-Encoding says."""


class InvalidInferenceRequest(RefusedRequest):
    """The body does not follow the Open Inference Protocol, or does not fit the live model."""


class UnknownKey(RefusedRequest):
    """No API key, or an unknown one."""

    status = 401
    # RFC 9110 requires the scheme; there is no registered one for a key in a header of its own.
    headers = MappingProxyType({"WWW-Authenticate": "X-API-Key"})


class CallerNotAllowed(RefusedRequest):
    """No API keys are configured, and the caller is not on this host."""

    status = 403


class KeyWithoutRole(RefusedRequest):
    """The API key does not have the role that the route needs."""

    status = 403


class HostNotAllowed(RefusedRequest):
    """The request was sent to a host name that is not ours, as a page does whose name was pointed at our address."""

    status = 403


class OtherSite(RefusedRequest):
    """A browser sent the request for a page of another site."""

    status = 403


class UnknownModel(RefusedRequest):
    """The request names another model or version than the live one."""

    status = 404


class UnknownPrediction(RefusedRequest):
    """No answer is recorded under the id: it is unknown, was not sampled for recording, or was purged."""

    status = 404


class NotAnAcceptableMediaType(RefusedRequest):
    """The caller accepts no media type that we can send."""

    status = 406


class BodyTooLarge(RefusedRequest):
    """The body is too long, or holds too many rows."""

    status = 413


class NotAJSONMediaType(RefusedRequest):
    """The Content-Type is not ``application/json``."""

    status = 415


class UnknownCoding(RefusedRequest):
    """The Content-Encoding is none that we decompress."""

    status = 415
    headers = MappingProxyType({"Accept-Encoding": "gzip, zstd"})  # RFC 9110, section 12.5.3


class NotARowsMediaType(RefusedRequest):
    """The Content-Type is none in which rows can be sent."""

    status = 415


class InvalidFields(RefusedRequest):
    """The request was decoded, but has mistakes in it; ``errors`` lists each."""

    status = 422

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__(join_errors(errors))
        self.errors = errors


class InvalidPredictionRequest(InvalidFields):
    """The body is JSON but does not describe a row that the model can score."""


class InvalidFeedback(InvalidFields):
    """The body is JSON but does not describe labels."""


class InvalidQuery(InvalidFields):
    """A query parameter cannot be used."""


class CannotExplain(RefusedRequest):
    """The live model cannot explain its scores: its bundle lacks the counts of training rows."""

    status = 422


class TooManyWrongKeys(RefusedRequest):
    """Too many wrong API keys came from the caller's address; ``seconds`` later it may try again."""

    status = 429

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message)
        self.headers = MappingProxyType({"Retry-After": str(seconds)})


class ModelUnavailable(RefusedRequest):
    """No verified model is loaded."""

    status = 503


class DriftUnknown(RefusedRequest):
    """The recorder has not reported on drift."""

    status = 503


class KeysUnavailable(RefusedRequest):
    """A file with API keys cannot be read, holds none, or has a line that cannot be understood."""

    status = 503


class RecordsUnavailable(RefusedRequest):
    """Records are off, or their database cannot be used."""

    status = 503


class RecordsBusy(RecordsUnavailable):
    """The database of records is locked or unreachable at the moment."""

    # As long as the recorder's own pause between two attempts; a lock that is held for longer is held for minutes.
    headers = MappingProxyType({"Retry-After": "1"})
