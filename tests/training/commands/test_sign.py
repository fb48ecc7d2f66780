"""``python -m training sign``, and what the other commands do when ``BUNDLE_PUBLIC_KEY`` is set."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from app.model.store.store import ModelStore
from training.__main__ import main
from training.bundle.write import write_bundle

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command on the models."""

    def run_command(*arguments: str) -> tuple[int, str, str]:
        status = main([*arguments, "--models", str(tmp_path / "models")])
        return status, *capsys.readouterr()

    return run_command


@pytest.fixture
def key(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a new private key, whose public key is required."""
    file = tmp_path / "private.key"
    status, shown, _ = run("sign", "--new-key", str(file))
    assert status == 0
    monkeypatch.setenv(*shown.strip().split("=", 1))
    return file


def test_key_is_private_and_never_replaced(key: Path, run: Run):
    """Bundles that it signed could not be signed again."""
    content = key.read_text()

    status, _, refusal = run("sign", "--new-key", str(key))

    assert (status, refusal) == (2, f"training: --new-key {key} cannot be made (File exists); name a new file.\n")
    assert key.read_text() == content
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_training_is_live_only_after_it_is_signed(small_model, key: Path, tmp_path: Path, run: Run, write_csv):
    """Until then every command that uses it refuses it; the training says what to do."""
    store = ModelStore(tmp_path / "models")
    source = write_csv("mean,sd\n0,0\n")
    version = write_bundle(store.folder, small_model).folder.name
    score = ("score", "--in", str(source), "--out", str(tmp_path / "scored.csv"))
    assert store.live_version() is None
    for command in (("promote", version), ("verify", version)):
        status, _, refusal = run(*command)
        assert (status, store.live_version()) == (1, None)
        assert "it is not signed, and BUNDLE_PUBLIC_KEY requires it" in refusal
    (store.folder / "current").symlink_to(version)
    assert run(*score)[0] == 1

    status, shown, _ = run("sign", version, "--key", str(key))

    assert (status, shown) == (
        0,
        f"{version} is signed; make it live with: python -m training promote {version} --models {store.folder}\n",
    )
    assert [run(*again)[0] for again in (("promote", version), ("verify", version), score)] == [0, 0, 0]


def test_train_says_how_to_make_its_model_live(key: Path, tmp_path: Path, run: Run, write_csv):
    """With the commands to run."""
    rows = "".join(f"{number % 7},{number % 17}\n" for number in range(119))

    status, shown, _ = run("train", "--train", str(write_csv(f"mean,sd\n{rows}")), "--no-drift", "--estimators", "5")

    [version] = ModelStore(tmp_path / "models").versions()
    assert status == 0
    assert "This model is not live: BUNDLE_PUBLIC_KEY requires a signature." in shown
    assert f"python -m training sign {version} --key FILE --models {tmp_path / 'models'}\n" in shown


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read (No such file or directory)"), (b"\xff", "it is not text"), (b"short", "holds no key")],
)
def test_what_is_no_key_is_refused(small_model, tmp_path: Path, run: Run, content: bytes | None, message: str):
    """The bundle stays unsigned."""
    folder = write_bundle(tmp_path / "models", small_model).folder
    before = (folder / "manifest.json").read_bytes()
    file = tmp_path / "private.key"
    if content is not None:
        file.write_bytes(content)

    status, _, refusal = run("sign", "--key", str(file))

    assert (status, refusal.count("\n")) == (2, 1)
    assert f"--key {file}" in refusal
    assert message in refusal
    assert (folder / "manifest.json").read_bytes() == before
