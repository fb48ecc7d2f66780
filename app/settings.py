"""All settings of the service, each with its default, unit and description.

A setting's environment variable is its name in capitals. This file has no ``from __future__ import annotations``,
because the annotated types parse the values.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from ipaddress import ip_network
from types import MappingProxyType
from typing import Any, TextIO

from app.errors import InvalidSetting

# How people write booleans in environment files.
_BOOLEANS = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(("0", "false", "no", "off"), False)

# A name, which may start with `*.`, or an address; IPv6 in brackets. The port is optional.
_NAME = r"(?:(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_HOST = re.compile(rf"\*|{_NAME}")
_PAGE = r"(/|https?://)\S+"
_ORIGIN = re.compile(rf"[A-Za-z][A-Za-z0-9+.-]*://(?!\*){_NAME}")

# A year has 32 million seconds; numbers beyond this would overflow in clocks and sockets.
_MAX_NUMBER = 2**31 - 1

# Words for the ends of a share, where they are clearer than numbers.
_ALL_OR_OFF = {"all": 1.0, "off": 0.0}

# Set by gunicorn.conf.py for the workers, so that they know whether Gunicorn has read it.
CONFIGURED_VARIABLE = "ISOWATCH_GUNICORN_CONFIGURED"


def _setting(
    default: Any,
    unit: str,
    description: str,
    minimum: float | None = None,
    maximum: float = 1.0,
    choices: tuple[str, ...] = (),
    words: Mapping[str, float] = MappingProxyType({}),
    check_item: Callable[[str], object] | None = None,
) -> Any:
    """Declare one setting; ``docs/settings.md`` is generated from this."""
    metadata = {"unit": unit, "help": description, "minimum": minimum, "choices": choices, "words": words}
    return field(default=default, metadata=metadata | {"check_item": check_item, "maximum": maximum})


def _matches(pattern: str | re.Pattern[str]) -> Callable[[str], None]:
    """Return a check that raises ValueError unless the whole text matches."""

    def check(text: str) -> None:
        if not re.fullmatch(pattern, text):
            raise ValueError(text)

    return check


@dataclass(frozen=True)
class Settings:
    """The settings of the service.

    Examples
    --------
    >>> Settings.from_environ({"BIND": "0.0.0.0:80"}).bind
    '0.0.0.0:80'
    >>> Settings.from_environ({"KEEPALIVE": "x"})
    Traceback (most recent call last):
    app.errors.InvalidSetting: KEEPALIVE='x' is not a valid int (seconds): give a whole number from 0 to 2147483647.
    """

    model_dir: str = _setting("models", "folder", "Folder of model bundles; the link `current` in it is the live one.")
    bundle_public_key: str = _setting(
        "",
        "key",
        "Only bundles that this key signed are accepted; see `training sign`.",
        check_item=_matches(r"[A-Za-z0-9+/]{43}="),  # 32 bytes as base64
    )
    bind: str = _setting("127.0.0.1:8000", "host:port", "Address that Gunicorn listens on.")
    web_concurrency: int = _setting(0, "processes", "Number of worker processes; 0: one per CPU of the cgroup.", 0)
    # Usual predictions need no thread. Threads share one interpreter lock, so more of them add no speed; they let a
    # worker answer while one waits for the database of records.
    worker_threads: int = _setting(
        4, "threads", "Threads per worker, for requests that are not answered in its event loop.", 1
    )
    # Below the 60 s after which most load balancers time out, above the duration of any request.
    worker_timeout: int = _setting(30, "seconds", "A worker that is silent for longer is replaced.", 1)
    graceful_timeout: int = _setting(30, "seconds", "Time to finish requests after SIGTERM.", 1)
    # Longer than the 60 s for which proxies commonly keep an idle connection, so that the proxy closes it first:
    # otherwise the proxy may send a request into a connection that is being closed.
    keepalive: int = _setting(75, "seconds", "How long an idle connection stays open.", 0)
    # As long as web servers commonly wait; a head is a few hundred bytes.
    head_timeout: int = _setting(10, "seconds", "Time in which the head of a request must arrive.", 1)
    body_timeout: int = _setting(
        30, "seconds", "Time in which a body must arrive; each byte adds 1 / `MIN_BODY_BYTES_PER_SECOND`.", 1
    )
    min_body_bytes_per_second: int = _setting(
        1024, "bytes", "A body that arrives faster may take longer than `BODY_TIMEOUT`.", 1
    )
    write_timeout: int = _setting(
        10, "seconds", "A client that reads nothing of its answer for so long is disconnected.", 1
    )
    # Each takes about 10 KB while it waits.
    max_connections: int = _setting(
        4096, "connections", "Open connections per worker; if there are more, the one next to time out is closed.", 1
    )
    max_connections_per_address: int = _setting(
        256, "connections", "Open connections per worker and address; 0: any number, as for loopback and proxies.", 0
    )
    max_requests: int = _setting(0, "requests", "Replace a worker after about this many requests; 0 means never.", 0)
    # Heartbeats are written once a second: on a disk that stalls, healthy workers would look dead.
    worker_tmp_dir: str = _setting("/dev/shm", "folder", "Folder of the workers' heartbeat files, in memory.")
    prometheus_multiproc_dir: str = _setting(
        "", "folder", "Folder of the workers' metrics; empty means a new folder in memory."
    )
    # One row of 256 features with 17 digits each takes 6 KB, so this is enough for any reasonable client.
    max_body_bytes: int = _setting(1_048_576, "bytes", "Maximum length of a request body.", 1)
    # A thousand rows take about a millisecond; ten thousand are still fast by the dashboard's standards.
    max_batch_rows: int = _setting(10_000, "rows", "Maximum number of rows in one request to /predictions or /v2.", 1)
    # Ten thousand rows of 40 features with 17 digits.
    max_batch_body_bytes: int = _setting(
        8_388_608, "bytes", "Maximum length of the body of a request with many rows or labels.", 1
    )
    # A thousandth of what one core can score, so that the detectors never take more than a few percent of it. Detection
    # takes a number of rows, not of seconds, so a lower rate means later signals.
    drift_rows_per_second: int = _setting(
        100, "rows", "Maximum number of rows per second, sampled uniformly, that the drift detectors see.", 1
    )
    drift_false_alarm_days: int = _setting(
        30, "days", "At most one false drift event in this many days, on average over all detectors together.", 1
    )
    state_dir: str = _setting(
        "state",
        "folder",
        "Folder of drift state, the session secret and slow answers; if not writable, they stay in memory.",
    )
    database_url: str = _setting(
        "sqlite:///records/records.db",
        "address",
        "Database of records: an SQLite file, or `postgresql://user:password@host/database`.",
    )
    record_predictions: float = _setting(
        1.0,
        "share",
        "Which answers are recorded: `all`, a share of the inliers such as 0.1 (outliers always are), or `off`.",
        words=_ALL_OR_OFF,
    )
    record_features: bool = _setting(True, "", "Also record feature values; retraining needs them.")
    record_retention_days: int = _setting(30, "days", "Records that are older are purged, with their labels.", 1)
    # Of a million answers a day, an analyst can review one in a thousand within a week.
    audit_share: float = _setting(0.001, "share", "Share of inlier answers drawn at random for `POST /audit/next`.")
    # People can still read this many series on a dashboard and rows on a page.
    max_segments: int = _setting(50, "segments", "Maximum number of distinct segments; later ones count as other.", 1)
    allowed_hosts: tuple[str, ...] = _setting(
        (),
        "names",
        "Host names under which the service answers, besides loopback names and the address in `BIND`; `*` means all.",
        check_item=_matches(_HOST),
    )
    cors_origins: tuple[str, ...] = _setting(
        (),
        "origins",
        "Origins whose pages may use the service from a browser, such as `https://console.example.org`.",
        check_item=_matches(_ORIGIN),
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (),
        "addresses",
        "Addresses or networks of proxies whose `X-Forwarded-` headers are believed.",
        check_item=lambda text: ip_network(text, strict=False),
    )
    api_keys_file: str = _setting(
        "",
        "file",
        "File of API keys, each line `name roles key`; roles: predict, viewer, labeller, admin, with commas between.",
    )
    feedback_api_keys_file: str = _setting(
        "",
        "file",
        "File of API keys without names, one per line, each with the role labeller. Without either file, only this "
        "host has access to records.",
    )
    console: bool = _setting(True, "", "Serve the console; off leaves a page of links.")
    runbook_url: str = _setting("", "address", "Runbook that the console links to.", check_item=_matches(_PAGE))
    session_secret_file: str = _setting("", "file", "What signs sessions, at least 32 bytes, for several replicas.")
    # A working day: who labels in the morning need not sign in again after lunch.
    session_hours: int = _setting(12, "hours", "How long a browser stays signed in.", 1)
    quality_window_days: int = _setting(7, "days", "Window of the quality metrics.", 1)
    label_maturity_hours: int = _setting(0, "hours", "Age from which rows count for quality; 0 estimates it.", 0)
    # From one half on, labels would say the opposite of what they mean.
    label_noise: float = _setting(0.0, "share", "Share of wrong labels of audited inliers, to 0.49.", maximum=0.49)
    model_max_age_days: int = _setting(90, "days", "A model that is older is due for retraining.", 1)
    # More than any machine costs, in any currency.
    replica_monthly_cost: float = _setting(0.0, "money", "What a replica costs a month; 0: unknown.", maximum=1e9)
    currency: str = _setting("USD", "code such as EUR", "Its currency.", check_item=_matches("[A-Z]{3}"))
    log_format: str = _setting(
        "auto", "", "`json`, `text`, or `auto`: text if standard error is a terminal.", choices=("auto", "json", "text")
    )
    log_level: str = _setting(
        "info", "", "Least severe level that is logged.", choices=("debug", "info", "warning", "error")
    )
    log_requests: bool = _setting(True, "", "Log one line per request.")

    def logs_as_text(self, stream: TextIO) -> bool:
        """Return whether log lines for ``stream`` are text for people instead of JSON."""
        return self.log_format == "text" or (self.log_format == "auto" and stream.isatty())

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings.

        Parameters
        ----------
        environ
            Environment variables; by default those of this process. An empty value means the default.

        Raises
        ------
        InvalidSetting
            If a value cannot be parsed; the message has the variable, its value and what is expected.
        """
        environ = os.environ if environ is None else environ
        given = {setting: environ.get(setting.name.upper(), "").strip() for setting in fields(cls)}
        return cls(**{setting.name: _parse(setting, text) for setting, text in given.items() if text})


def _parse(setting: "Field[Any]", text: str) -> Any:
    """Return the text of a variable as the type of its setting."""
    minimum, choices, unit = (setting.metadata[key] for key in ("minimum", "choices", "unit"))
    words, maximum = setting.metadata["words"], setting.metadata["maximum"]
    expected: dict[object, str] = {
        bool: "true or false",
        float: " or ".join([*words, f"a number from 0 to {maximum:.10g}"]),
        int: f"a whole number from {minimum} to {_MAX_NUMBER}",
        str: " or ".join(choices) or f"a {unit}",
        tuple[str, ...]: f"{unit} with commas between them",
    }
    kind = "list" if setting.type == tuple[str, ...] else getattr(setting.type, "__name__", setting.type)
    refusal = InvalidSetting(
        f"{setting.name.upper()}={text!r} is not a valid {kind}"
        f"{f' ({unit})' if unit else ''}: give {expected[setting.type]}."
    )
    if setting.type is bool:
        if text.lower() not in _BOOLEANS:
            raise refusal
        return _BOOLEANS[text.lower()]
    if setting.type is int:
        value = int(text) if re.fullmatch(r"[+-]?[0-9]{1,10}", text) else -1  # Python would take 1_000 as well
        if not minimum <= value <= _MAX_NUMBER:
            raise refusal
        return value
    if setting.type is float:
        try:
            share = words[text.lower()] if text.lower() in words else float(text)
        except ValueError:
            raise refusal from None
        if not 0 <= share <= maximum:  # also true for NaN
            raise refusal
        return share
    is_list = setting.type == tuple[str, ...]
    # Compose joins variables that may be empty, so empty items are left out.
    items = tuple(item.strip().lower() for item in text.split(",") if item.strip()) if is_list else (text,)
    try:
        for item in items if setting.metadata["check_item"] else ():
            setting.metadata["check_item"](item)
    except ValueError:
        raise refusal from None
    if choices and text not in choices:
        raise refusal
    return items if is_list else text


def _default(setting: "Field[Any]") -> object:
    """Return the default as people would write it."""
    return {share: word for word, share in setting.metadata["words"].items()}.get(setting.default, setting.default)


def settings_page() -> str:
    """Return `docs/settings.md`: a table of all settings.

    Examples
    --------
    >>> print(settings_page().splitlines()[6])
    | `MODEL_DIR` | `models` | folder | Folder of model bundles; the link `current` in it is the live one. |
    """
    rows = [
        f"| `{setting.name.upper()}` | {f'`{_default(setting)}`' if setting.default not in ('', ()) else ''} "
        f"| {setting.metadata['unit']} | {setting.metadata['help']} |"
        for setting in fields(Settings)
    ]
    introduction = "Environment variables, read once at start. Gunicorn's options are in [gunicorn.md](gunicorn.md)."
    head = ["# Settings", "", introduction, "", "| variable | default | unit | meaning |", "|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


if __name__ == "__main__":
    print(settings_page(), end="")
