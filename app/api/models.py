"""``/models``: the versions in the model store, their reports, and which one is live; an admin may change that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request
from marshmallow import Schema, fields
from werkzeug.exceptions import Conflict, NotFound

from app.api.operation import HTML_MEDIA_TYPE, Operation
from app.api.service import service
from app.errors import InvalidBundle, InvalidChoice, ModelsNotWritable, NotPromoted
from app.model.bundle import read_manifest
from app.model.store.promotion_rules import (
    describe_change,
    find_doubts,
    list_differences,
    read_live_manifest,
    require_consent,
    require_sound,
    threshold_of,
)
from app.model.store.store import ModelStore
from app.server.regular_file import read_regular
from app.web.auth import caller_in
from app.web.codecs import answer_json, load_body, read_json
from app.web.fields import StrictBoolean
from app.web.key_file import ADMIN, VIEWER

_REPORT_FILE = "report.html"

# A report is a megabyte of pictures.
_MAX_REPORT_BYTES = 32 * 2**20

# The report was written by training, perhaps on another machine: it may show itself, and nothing else.
_REPORT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"

# Nobody chooses among more; `python -m training models` lists all.
_MAX_VERSIONS = 100

models = Blueprint("models", __name__)


class StoredVersion(Schema):
    """A version in the model store."""

    version = fields.String(required=True)
    is_live = fields.Boolean(required=True)
    problem = fields.String(required=True, metadata={"description": "Why it cannot be read; empty if it can."})
    name = fields.String(metadata={"description": "Like all that follow, only if it can be read."})
    trained_at = fields.String()
    training_rows = fields.Integer(allow_none=True)
    columns = fields.Integer()
    threshold = fields.Float()
    training_outlier_share = fields.Float()
    moved_from = fields.String(
        metadata={"description": "The version whose threshold was moved; empty if it was trained with it."}
    )
    has_report = fields.Boolean()
    differences = fields.List(
        fields.String(), metadata={"description": "How callers would notice if it replaced the live version."}
    )
    doubts = fields.List(fields.String(), metadata={"description": "Why it is probably of no use."})


class StoredVersions(Schema):
    """The versions in the model store, the newest first."""

    live = fields.String(required=True, allow_none=True)
    versions = fields.List(fields.Nested(StoredVersion), required=True)


class Promotion(Schema):
    """What a person consents to."""

    replace = StrictBoolean(
        load_default=False, metadata={"description": "That its columns or its name differ from those of the live one."}
    )
    force = StrictBoolean(
        load_default=False, metadata={"description": "That it goes live although it is probably of no use."}
    )


class Promoted(Schema):
    """The version that goes live."""

    version = fields.String(required=True)
    change = fields.String(required=True, metadata={"description": "What changes, in words; empty if nothing does."})


_PROMOTION = Promotion()


@contextmanager
def refusing_changes(command: str) -> Iterator[None]:
    """Answer 409 if the store cannot be changed, with the command that a person can run instead."""
    try:
        yield
    except ModelsNotWritable as error:
        raise Conflict(f"The service may not change the models: run {command}. {error}") from error
    except NotPromoted as error:
        options = " ".join(error.options)
        consent = f" To do it nevertheless, send {', '.join(o[2:] for o in error.options)}: true." if options else ""
        raise Conflict(f"{error}{consent}") from error
    except (InvalidBundle, InvalidChoice) as error:
        raise Conflict(str(error)) from error


@models.get("/models")
@Operation(
    summary="The versions in the model store.",
    description=f"The newest {_MAX_VERSIONS}, and which one is live.",
    tag="model",
    answer=StoredVersions,
    page="models",
)
def list_versions() -> Response:
    """Return the versions."""
    store = ModelStore(Path(service().settings.model_dir))
    live, manifest = store.live_version(), read_live_manifest(store.folder)
    newest = store.versions()[: -_MAX_VERSIONS - 1 : -1]
    described = [_describe(store.folder / version, live, manifest) for version in newest]
    return answer_json({"live": live, "versions": described})


@models.get("/models/<version>/report")
@Operation(
    summary="The report of a training.",
    description="The page that training wrote into the bundle.",
    tag="pages",
    media_type=HTML_MEDIA_TYPE,
    refusals=(404,),
    role=VIEWER,
)
def show_report(version: str) -> Response:
    """Return the report of a version, which cannot run scripts or load anything."""
    store = _store_with(version)
    try:
        page = read_regular(store.folder / version / _REPORT_FILE, _MAX_REPORT_BYTES)
    except (OSError, ValueError):
        raise NotFound(f"{version} has no report.") from None
    headers = {"Content-Security-Policy": _REPORT_POLICY, "X-Content-Type-Options": "nosniff"}
    return Response(page, mimetype=HTML_MEDIA_TYPE, headers=headers)


@models.post("/models/<version>/promote")
@Operation(
    summary="Make a version live.",
    description="All workers use it within two seconds. 409 says why it cannot go live, and what to do: a version "
    "that differs needs consent, and a store that the service cannot write needs the command line. Naming the version "
    "that was live before is a rollback.",
    tag="model",
    request=Promotion,
    needs_body=False,
    answer=Promoted,
    refusals=(400, 404, 409, 413, 415, 422),
    role=ADMIN,
)
def promote(version: str) -> Response:
    """Verify a version and make it live."""
    consent = load_body(read_json(request), _PROMOTION) if request.get_data() else {"replace": False, "force": False}
    change = promote_version(version, consent)
    return answer_json({"version": version, "change": change})


def promote_version(version: str, consent: dict[str, bool]) -> str:
    """Make a version live for the caller of the current request.

    Returns
    -------
    What changes, in words.
    """
    store = _store_with(version)
    changes: list[str] = []

    def check(folder: Path) -> None:
        require_sound(folder)
        new, live = read_manifest(folder), read_live_manifest(store.folder)
        require_consent(store.folder, new, **consent)
        if live and live["version"] != version:
            changes.append(describe_change(live, new))

    with refusing_changes(f"`python -m training promote {version}`"):
        store.promote(version, check, who=caller_in(request.environ))
    return "".join(changes)


def _store_with(version: str) -> ModelStore:
    """Return the model store; 404 if it lacks the version."""
    store = ModelStore(Path(service().settings.model_dir))
    if version not in store.versions():
        raise NotFound(f"There is no version {version}: see /models.")
    return store


def _describe(folder: Path, live_version: str | None, live: dict[str, Any] | None) -> dict[str, Any]:
    """Describe one version."""
    described: dict[str, Any] = {"version": folder.name, "is_live": folder.name == live_version, "problem": ""}
    try:
        manifest = read_manifest(folder)
        training = manifest["training"]
        return described | {
            "name": manifest["name"],
            "trained_at": manifest["trained_at"],
            "training_rows": training.get("rows"),
            "columns": len(manifest.get("columns") or manifest["features"]),
            "threshold": threshold_of(manifest),
            "training_outlier_share": training["flagged_share"],
            "moved_from": manifest.get("moved_threshold", {}).get("from_version", ""),
            "has_report": (folder / _REPORT_FILE).is_file(),
            "differences": list_differences(live, manifest) if live else [],
            "doubts": find_doubts(manifest),
        }
    except InvalidBundle as error:
        return described | {"problem": str(error)}
    # The manifest of another program may have other values.
    except (LookupError, TypeError, ValueError) as error:
        return described | {"problem": f"its manifest cannot be shown ({type(error).__name__}: {error})"}
