"""The ``Accept`` header of RFC 9110, section 12.5.1, read as leniently as clients write it."""

from __future__ import annotations

from collections.abc import Sequence

# How precisely a range names a media type; the most precise one decides.
_ANY, _ANY_SUBTYPE, _EXACT = range(3)


def choose_media_type(accept: str | None, offered: Sequence[str]) -> str | None:
    """Return the media type that a caller prefers.

    Parameters
    ----------
    accept
        The header; absent and empty ones accept everything. Parameters such as ``charset=utf-8`` are ignored, because
        each media type has one form here. A lone ``*``, which old Java clients send, means ``*/*``.
    offered
        What can be sent; the first of equals wins.

    Returns
    -------
    One of ``offered``, or None if none is accepted.

    Examples
    --------
    >>> offered = ["application/json", "text/csv"]
    >>> choose_media_type("text/csv;charset=utf-8, application/json;q=0.9", offered)
    'text/csv'
    >>> choose_media_type("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", offered)
    'application/json'
    >>> choose_media_type("application/json;q=0, */*", offered), choose_media_type("image/png", offered)
    ('text/csv', None)
    """
    if accept is None or not accept.strip(" \t,"):
        return offered[0]
    ranges = [_read_range(part) for part in accept.split(",") if part.strip()]
    weights = {media_type: _weigh(media_type, ranges) for media_type in offered}
    best = max(offered, key=weights.__getitem__)
    return best if weights[best] > 0 else None


def _read_range(text: str) -> tuple[str, float]:
    """Return a media range in lower case, and its weight, which is 1 unless a valid one is given."""
    media_range, *parameters = (part.strip().lower() for part in text.split(";"))
    weight = 1.0
    for name, _, value in (parameter.partition("=") for parameter in parameters):
        if name.strip() == "q":
            weight = _read_weight(value.strip())
    return ("*/*" if media_range == "*" else media_range), weight


def _read_weight(text: str) -> float:
    """Return a weight, at most 1; a malformed one is no reason to refuse a request."""
    digits = text.replace(".", "", 1)
    return min(1.0, float(text)) if digits.isascii() and digits.isdigit() else 1.0


def _weigh(media_type: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Return the weight that the most precise range gives to a media type; 0 if none includes it."""
    precision_of = {"*/*": _ANY, media_type.partition("/")[0] + "/*": _ANY_SUBTYPE, media_type: _EXACT}
    found = [(precision_of[media_range], weight) for media_range, weight in ranges if media_range in precision_of]
    return max(found)[1] if found else 0.0
