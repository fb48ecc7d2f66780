"""The measured servers: how to start each, how to send a request, and how to read its answer.

A server lives in ``servers/<folder>/``: ``start.sh``, its code, and its locked packages. ``start.sh`` runs in that
folder with these environment variables: ``BIN`` (programs of the server's virtual environment), ``PORT``,
``SPARE_PORT`` and ``SECOND_SPARE_PORT`` (free ones), ``MODEL_JOBLIB`` (the fitted estimator), ``MODEL_DIR`` (the same
model as a bundle) and ``WORK_DIR`` (a folder for its files).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SERVERS = Path(__file__).with_name("servers")
SERVICE_LOCK = ROOT / "requirements" / "service.txt"
PARSER_LOCK = ROOT / "requirements" / "parser.txt"

# Label and score of a row; None for what a server does not return.
Answer = tuple[int | None, float | None]


@dataclass(frozen=True)
class Interface:
    """The HTTP interface of a server for one row.

    Parameters
    ----------
    path
        Path of the requests.
    body
        Converts a row to the JSON of a request.
    read
        Extracts label and score from the JSON of an answer; None for what is missing.
    gives
        Content of an answer, in words.
    """

    path: str
    body: Callable[[list[float]], dict[str, Any]]
    read: Callable[[Any], Answer]
    gives: str


@dataclass(frozen=True)
class Contestant:
    """One row of a table of results.

    Parameters
    ----------
    name
        For ``--servers``.
    title
        For people.
    folder
        Under ``servers/``.
    interface
        Its HTTP interface.
    package
        Package whose version is printed with the results.
    arguments
        For ``start.sh``.
    environment
        Environment variables besides those of every server.
    locks
        Lock files of its packages.
    venv
        The virtual environment that it shares with others; by default one of its own.
    """

    name: str
    title: str
    folder: str
    interface: Interface
    package: str
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    locks: tuple[Path, ...] = ()
    venv: str = ""


def _own_json(row: list[float]) -> dict[str, Any]:
    """Make a request to the service."""
    return {"feature_vector": row, "score": True}


def _read_own_json(answer: Any) -> Answer:
    """Read an answer of the service."""
    return answer["is_inlier"], answer["anomaly_score"]


_OWN = Interface("/prediction", _own_json, _read_own_json, "label and score")
_CONSTANT = Interface("/prediction", _own_json, lambda answer: (None, None), "a constant")
_OPEN_INFERENCE = Interface(
    "/v2/models/forest/infer",
    lambda row: {"inputs": [{"name": "row", "shape": [1, len(row)], "datatype": "FP64", "data": row}]},
    lambda answer: (answer["outputs"][0]["data"][0], None),
    "label only",
)
_MLFLOW = Interface(
    "/invocations", lambda row: {"inputs": [row]}, lambda answer: (answer["predictions"][0], None), "label only"
)


def _ours(name: str, title: str, *arguments: str, **environment: str) -> Contestant:
    """Describe a variant of the service."""
    locks = (SERVICE_LOCK, PARSER_LOCK, SERVERS / "ours" / "requirements.txt")
    return Contestant(name, title, "ours", _OWN, "gunicorn", arguments, environment, locks, venv="ours")


def _rival(name: str, title: str, interface: Interface, package: str, *arguments: str, folder: str = "") -> Contestant:
    """Describe a server with its own packages."""
    folder = folder or name
    return Contestant(
        name, title, folder, interface, package, arguments, {}, (SERVERS / folder / "requirements.txt",), folder
    )


OURS = _ours("ours", "Isowatch, as shipped")

PEERS = (
    OURS,
    Contestant(
        "ours_bare_route",
        "a bare Flask route under Gunicorn's gthread",
        "ours_bare_route",
        _CONSTANT,
        "flask",
        locks=OURS.locks,
        venv=OURS.venv,
    ),
    _rival(
        "fastapi_compiled",
        "FastAPI, uvloop, our forest, Prometheus; no log",
        _OWN,
        "fastapi",
        "--no-access-log",
    ),
    _rival(
        "fastapi_compiled_logged",
        "the same with uvicorn's access log",
        _OWN,
        "fastapi",
        folder="fastapi_compiled",
    ),
    _rival("fastapi_course", "FastAPI, scikit-learn for each request", _OWN, "fastapi"),
    _rival("mlserver", "MLServer, its scikit-learn runtime", _OPEN_INFERENCE, "mlserver"),
    _rival("mlflow", "MLflow models serve", _MLFLOW, "mlflow"),
    _rival("bentoml", "BentoML, scikit-learn for each request", _OWN, "bentoml"),
)

WORKER_CLASSES = (
    _ours("python_parser", "ours, with Gunicorn's parser in Python", "--http-parser", "python"),
    _ours("gthread_2", "gthread, 2 threads", "--worker-class", "gthread", "--threads", "2"),
    _ours("gthread_8", "gthread, 8 threads", "--worker-class", "gthread", "--threads", "8"),
    _ours("sync", "sync (a connection per request)", "--worker-class", "sync", "--threads", "1"),
    _ours("gevent", "gevent", "--worker-class", "gevent", "--threads", "1"),
)


def choose(names: str) -> tuple[Contestant, ...]:
    """Find contestants by name.

    Parameters
    ----------
    names
        Separated by commas; empty for all.

    Raises
    ------
    ValueError
        If there is no such server; the message lists all.

    Examples
    --------
    >>> [contestant.title for contestant in choose("mlflow,gevent")]
    ['MLflow models serve', 'gevent']
    """
    known = {contestant.name: contestant for contestant in (*PEERS, *WORKER_CLASSES)}
    wanted = [name.strip() for name in names.split(",") if name.strip()] or list(known)
    for name in wanted:
        if name not in known:
            raise ValueError(f"there is no server {name!r}: choose from {', '.join(known)}")
    return tuple(known[name] for name in dict.fromkeys(wanted))


def body_lines(interface: Interface, rows: list[list[float]]) -> str:
    """Return the requests for ``rows``, one per line."""
    return "".join(json.dumps(interface.body(row)) + "\n" for row in rows)
