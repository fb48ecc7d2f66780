"""Every setting of the service: its name, default, unit and meaning, in one frozen table.

A setting's environment variable is its name in capitals. The types in this file are real objects, not strings
(there is no ``from __future__ import annotations``), because they parse the values.
"""

import os
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from types import MappingProxyType
from typing import Any, TextIO

from app.errors import InvalidSetting

# What people write for a boolean in an environment file.
_BOOLEANS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


# A share has words for its ends where they mean more than a number.
_ALL_OR_OFF = {"all": 1.0, "off": 0.0}


def _setting(
    default: Any,
    unit: str,
    meaning: str,
    minimum: float | None = None,
    choices: tuple[str, ...] = (),
    words: Mapping[str, float] = MappingProxyType({}),
) -> Any:
    """Declare one setting; ``docs/settings.md`` is printed from this."""
    said = {"unit": unit, "help": meaning, "minimum": minimum, "choices": choices, "words": words}
    return field(default=default, metadata=said)


@dataclass(frozen=True)
class Settings:
    """Every setting of the service.

    Examples
    --------
    >>> Settings.from_environ({"BIND": "0.0.0.0:80"}).bind
    '0.0.0.0:80'
    >>> Settings.from_environ({"WORKER_THREADS": "many"})
    Traceback (most recent call last):
    app.errors.InvalidSetting: WORKER_THREADS='many' is not a valid int (threads): give a whole number of at least 1.
    """

    model_dir: str = _setting("models", "folder", "Where model bundles lie; `current` in it is the live one.")
    bind: str = _setting("127.0.0.1:8000", "host:port", "The address that Gunicorn listens on.")
    web_concurrency: int = _setting(0, "processes", "Worker processes; 0 means one per CPU that the cgroup allows.", 0)
    # A worker's threads share one interpreter lock, so they add no speed; they keep a worker answering while a client
    # sends slowly. Two answer 99 % of requests within 6 ms where eight need 22 ms (8 connections, one core): take more
    # only where slow clients connect without a proxy in between.
    worker_threads: int = _setting(2, "threads", "Threads of each worker, so that a slow client holds up nobody.", 1)
    # Below the 60 s after which most load balancers give up, above any answer of this service.
    worker_timeout: int = _setting(30, "seconds", "A worker silent for longer than this is replaced.", 1)
    graceful_timeout: int = _setting(30, "seconds", "Time for begun requests to be answered after SIGTERM.", 1)
    # Longer than the 60 s for which proxies commonly keep an idle connection, so that the proxy closes first:
    # the other way round it sends a request into a connection that is just being closed.
    keepalive: int = _setting(75, "seconds", "How long an idle connection stays open.", 0)
    max_requests: int = _setting(0, "requests", "Replace a worker after about this many requests; 0 means never.", 0)
    # Heartbeats are written once a second: on a disk that stalls they make healthy workers look dead.
    worker_tmp_dir: str = _setting("/dev/shm", "folder", "Where workers keep their heartbeat file, in memory.")
    prometheus_multiproc_dir: str = _setting(
        "", "folder", "Where workers keep their metrics; empty means a folder in memory made at start."
    )
    # One row of 256 features with 17 digits each takes 6 KB: this leaves room for any sane client.
    max_body_bytes: int = _setting(1_048_576, "bytes", "Longest body of a prediction request.", 1)
    # A thousand rows take about a millisecond; ten thousand still answer within what a dashboard calls fast.
    max_batch_rows: int = _setting(10_000, "rows", "Most rows in one request to /predictions or /v2.", 1)
    # Ten thousand rows of 40 features with 17 digits.
    max_batch_body_bytes: int = _setting(8_388_608, "bytes", "Longest body of a request with many rows.", 1)
    # A thousandth of what one core does, so that the detectors never take more than a few percent of it; alarms come
    # after rows, not after seconds, so less means later.
    drift_rows_per_second: int = _setting(
        100, "rows", "Most rows a second, chosen evenly at random, that the drift detectors look at.", 1
    )
    drift_false_alarm_days: int = _setting(
        30, "days", "At most one false drift event in so many days, on average, all detectors together.", 1
    )
    state_dir: str = _setting(
        "state",
        "folder",
        "Where the drift detectors' state outlives a restart; where it cannot be written, state is kept in memory.",
    )
    database_url: str = _setting(
        "sqlite:///records/records.db",
        "address",
        "Where records are kept: an SQLite file, or `postgresql://user:password@host/database`.",
    )
    record_predictions: float = _setting(
        1.0,
        "share",
        "Which answers are recorded: `all`, a share of the inliers such as 0.1 (outliers always are), or `off`.",
        words=_ALL_OR_OFF,
    )
    record_features: bool = _setting(
        True, "", "Record the rows' feature values as well; without them nothing retrains."
    )
    record_retention_days: int = _setting(30, "days", "Records older than this are purged, with their labels.", 1)
    # One in a thousand of a million answers a day is what an analyst can look through in a week.
    audit_share: float = _setting(0.001, "share", "Inlier answers drawn at random for `GET /audit/next`.")
    # As many series and rows a page as a person still reads.
    max_segments: int = _setting(
        50, "segments", "Kinds of `segment` that are told apart; later ones count as other.", 1
    )
    feedback_api_keys_file: str = _setting(
        "",
        "file",
        "Keys for feedback, recorded answers and the audit queue, one a line; without it only this host is let in.",
    )
    quality_window_days: int = _setting(7, "days", "The time that the quality metrics look back.", 1)
    model_max_age_days: int = _setting(90, "days", "A model older than this is due for retraining.", 1)
    log_format: str = _setting(
        "auto",
        "",
        "`json`, `text`, or `auto`: text when standard error is a terminal.",
        choices=("auto", "json", "text"),
    )
    log_level: str = _setting(
        "info", "", "Least severe messages that are logged.", choices=("debug", "info", "warning", "error")
    )
    log_requests: bool = _setting(True, "", "Log one line a request.")

    def logs_as_text(self, stream: TextIO) -> bool:
        """Tell whether log lines for ``stream`` are text for people instead of JSON."""
        return self.log_format == "text" or (self.log_format == "auto" and stream.isatty())

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings.

        Parameters
        ----------
        environ
            Variables and their values; by default those of this process. An empty value means the default.

        Raises
        ------
        InvalidSetting
            If a value cannot be parsed; the message names the variable, the value and what was expected.
        """
        environ = os.environ if environ is None else environ
        given = {setting: environ.get(setting.name.upper(), "").strip() for setting in fields(cls)}
        return cls(**{setting.name: _parse(setting, text) for setting, text in given.items() if text})


def _parse(setting: "Field[Any]", text: str) -> Any:
    """Turn the text of a variable into the type of its setting."""
    minimum, choices, unit = (setting.metadata[key] for key in ("minimum", "choices", "unit"))
    words = setting.metadata["words"]
    expected: dict[object, str] = {
        bool: "true or false",
        float: " or ".join([*words, "a number from 0 to 1"]),
        int: f"a whole number of at least {minimum}",
        str: " or ".join(choices),
    }
    refusal = InvalidSetting(
        f"{setting.name.upper()}={text!r} is not a valid {getattr(setting.type, '__name__', setting.type)}"
        f"{f' ({unit})' if unit else ''}: give {expected[setting.type]}."
    )
    if setting.type is bool:
        if text.lower() not in _BOOLEANS:
            raise refusal
        return _BOOLEANS[text.lower()]
    if setting.type is int:
        try:
            value = int(text)
        except ValueError:
            raise refusal from None
        if minimum is not None and value < minimum:
            raise refusal
        return value
    if setting.type is float:
        try:
            share = words[text.lower()] if text.lower() in words else float(text)
        except ValueError:
            raise refusal from None
        if not 0 <= share <= 1:  # neither is NaN
            raise refusal
        return share
    if choices and text not in choices:
        raise refusal
    return text


def _default(setting: "Field[Any]") -> object:
    """Give the default as one would write it."""
    words = {share: word for word, share in setting.metadata["words"].items()}
    return words.get(setting.default, setting.default)


def settings_page() -> str:
    """Write `docs/settings.md`: a table of every setting.

    Examples
    --------
    >>> print(settings_page().splitlines()[6])
    | `MODEL_DIR` | `models` | folder | Where model bundles lie; `current` in it is the live one. |
    """
    rows = [
        f"| `{setting.name.upper()}` | {f'`{_default(setting)}`' if setting.default != '' else ''} "
        f"| {setting.metadata['unit']} | {setting.metadata['help']} |"
        for setting in fields(Settings)
    ]
    head = ["# Settings", "", "Environment variables of the service, read once at start.", ""]
    return "\n".join([*head, "| variable | default | unit | meaning |", "|---|---|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    print(settings_page(), end="")
