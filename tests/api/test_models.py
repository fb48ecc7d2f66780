"""``/models`` and ``POST /thresholds``: which versions there are, and how an admin changes the live one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.api.service import service_of
from app.model.bundle import read_manifest
from app.model.version_log import read_changes
from tests.api.recorded_service import RecordedService, start_recorded_service

BOSS, EVE = {"X-API-Key": "key-of-the-boss"}, {"X-API-Key": "key-of-eve"}


@pytest.fixture
def steered(tmp_path: Path, credits_models: Path) -> Iterator[RecordedService]:
    """A service with a model store of its own."""
    shutil.copytree(credits_models, tmp_path / "models", symlinks=True)
    (tmp_path / "keys").write_text("boss admin key-of-the-boss\neve labeller key-of-eve\n")
    with start_recorded_service(
        tmp_path, api_keys_file=str(tmp_path / "keys"), state_dir=str(tmp_path / "state")
    ) as service:
        yield service


def move(service: RecordedService, threshold: float, **changes: object) -> tuple[int, dict[str, object]]:
    """Move the threshold."""
    body = {"threshold": threshold, "model_version": service_of(service.app).model.get().version} | changes
    answer = service.client.post("/thresholds", json=body, headers=BOSS)
    return answer.status_code, answer.json


def test_threshold_is_moved_and_moved_back(steered: RecordedService, tmp_path: Path):
    """Callers get the new labels; the audit trail says who did it; promoting the old version is the way back."""
    parts = service_of(steered.app)
    before = parts.model.get().version
    status, answer = move(steered, -0.6)
    assert status == 200, answer
    parts.model.refresh()
    assert steered.client.get("/model_information").json["model"]["threshold"] == -0.6
    assert [(change.who, change.what) for change in read_changes(tmp_path / "models")[-2:]] == [
        ("boss", "threshold"),
        ("boss", "promotion"),
    ]

    listed = steered.client.get("/models").json
    steered.check(listed, "StoredVersions")
    assert [(one["version"], one["is_live"], one["moved_from"]) for one in listed["versions"]] == [
        (answer["version"], True, before),
        (before, False, ""),
    ]
    back = steered.client.post(f"/models/{before}/promote", headers=BOSS)
    assert back.json["change"].startswith(f"{before} (threshold -0.5")
    parts.model.refresh()
    assert parts.model.get().version == before


def test_only_admins_steer(steered: RecordedService):
    """Labellers do not."""
    assert steered.client.post("/thresholds", json={}, headers=EVE).status_code == 403
    assert steered.client.post("/models/x/promote", headers=EVE).status_code == 403


def test_a_choice_for_another_version_is_refused(steered: RecordedService):
    """Somebody may have promoted one since the curves were drawn."""
    status, answer = move(steered, -0.6, model_version="an older one")
    assert (status, "by now" in str(answer["detail"])) == (409, True)
    assert move(steered, 0.5)[0] == 422


def test_useless_threshold_needs_consent(steered: RecordedService):
    """One that flags nothing is not stored until somebody insists."""
    before = steered.client.get("/models").json
    status, answer = move(steered, -1.0)
    assert (status, "force: true" in str(answer["detail"])) == (409, True)
    assert steered.client.get("/models").json == before
    assert move(steered, -1.0, force=True)[0] == 200


def test_unknown_version_is_refused(steered: RecordedService):
    """By name, and with where to find those that exist."""
    refused = steered.client.post("/models/x/promote", headers=BOSS)
    assert (refused.status_code, refused.json["detail"]) == (404, "There is no version x: see /models.")


def test_read_only_store_answers_with_the_command(steered: RecordedService, monkeypatch: pytest.MonkeyPatch):
    """Which a person can run who may write there."""
    monkeypatch.setattr("filelock.FileLock.acquire", _refuse)
    version = service_of(steered.app).model.get().version
    refused = steered.client.post(f"/models/{version}/promote", headers=BOSS)
    assert refused.status_code == 409
    assert f"`python -m training promote {version}`" in refused.json["detail"]
    assert f"threshold {version} --score -0.6 --promote" in str(move(steered, -0.6)[1]["detail"])


def _refuse(*_: object, **__: object) -> None:
    raise PermissionError(30, "Read-only file system")


def test_reports_can_do_nothing(steered: RecordedService):
    """They are pages that somebody else may have written: no scripts, nothing from elsewhere."""
    version = service_of(steered.app).model.get().version
    report = steered.client.get(f"/models/{version}/report", headers=EVE)
    assert (report.status_code, report.mimetype) == (200, "text/html")
    assert report.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    for name in ("..", "current", "x"):
        assert steered.client.get(f"/models/{name}/report", headers=EVE).status_code == 404


def test_broken_versions_are_listed_with_the_reason(steered: RecordedService, tmp_path: Path):
    """Beside those that can be read."""
    folder = tmp_path / "models" / "20300101T000000Z-aaaaaaaa"
    folder.mkdir()
    listed = steered.client.get("/models").json["versions"]
    assert [bool(one["problem"]) for one in listed] == [True, False]
    assert read_manifest(tmp_path / "models" / "current")["version"] == listed[1]["version"]
