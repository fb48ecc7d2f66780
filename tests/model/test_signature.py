"""With ``BUNDLE_PUBLIC_KEY``, nothing opens a bundle that this key did not sign."""

from __future__ import annotations

import json
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import InvalidBundle, InvalidSetting
from app.model.bundle import MANIFEST_FILE, find_problems, read_bundle, to_bytes, write_manifest
from app.model.live_model import LiveModel
from app.model.signature import make_key, problem_of, sign, sign_bundle
from app.settings import Settings

# RFC 8032, section 7.1, test 1: a public key that belongs to the private key of 32 bytes below.
_RFC_PRIVATE, _RFC_PUBLIC = (
    "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=",
    "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
)


@pytest.fixture(scope="module")
def keys() -> tuple[str, str]:
    """Return a private and a public key."""
    return make_key()


@pytest.fixture
def bundle(credits_models: Path, tmp_path: Path) -> Path:
    """Return a copy of a bundle, which is not signed."""
    return Path(shutil.copytree(credits_models / "current", tmp_path / "20261129T000000Z-0123abcd"))


def _write_signature(bundle: Path, signature: object) -> None:
    """Write any signature, as a stranger can."""
    manifest = json.loads((bundle / MANIFEST_FILE).read_bytes())
    (bundle / MANIFEST_FILE).write_bytes(to_bytes(manifest | {"signature": signature}))


def test_signed_bundle_is_read_with_and_without_the_key(bundle: Path, keys, monkeypatch):
    """Its other content stays, and signing again with another key replaces the signature."""
    before = json.loads((bundle / MANIFEST_FILE).read_bytes())
    sign_bundle(bundle, make_key()[0])
    sign_bundle(bundle, keys[0])

    signed = json.loads((bundle / MANIFEST_FILE).read_bytes())
    assert signed.pop("signature")
    assert signed == before
    assert (read_bundle(bundle).version, find_problems(bundle)) == (before["version"], [])
    monkeypatch.setenv("BUNDLE_PUBLIC_KEY", f" {keys[1]} ")
    assert (read_bundle(bundle).version, find_problems(bundle)) == (before["version"], [])


@pytest.mark.parametrize("read", [read_bundle, find_problems])
def test_bundle_without_the_right_signature_is_refused(bundle: Path, keys, monkeypatch, read: Callable[[Path], object]):
    """Not signed, signed by a stranger, or with the signature of another bundle."""
    monkeypatch.setenv("BUNDLE_PUBLIC_KEY", keys[1])
    with pytest.raises(InvalidBundle, match="it is not signed, and BUNDLE_PUBLIC_KEY requires it"):
        read(bundle)
    for signature in (
        sign("0" * 64, keys[0]),
        sign(json.loads((bundle / MANIFEST_FILE).read_bytes())["manifest_sha256"], make_key()[0]),
        "",
        "no base64",
        17,
        None,
    ):
        _write_signature(bundle, signature)
        with pytest.raises(InvalidBundle, match=r"manifest\.json is refused: it is not signed"):
            read(bundle)


def test_changed_file_is_refused_though_the_digests_are_right(bundle: Path, keys, monkeypatch):
    """The signature covers the manifest, and so every file."""
    sign_bundle(bundle, keys[0])
    monkeypatch.setenv("BUNDLE_PUBLIC_KEY", keys[1])
    signed = json.loads((bundle / MANIFEST_FILE).read_bytes())
    write_manifest(bundle, signed | {"name": "another"})

    with pytest.raises(InvalidBundle, match="it is not signed by the key in BUNDLE_PUBLIC_KEY"):
        read_bundle(bundle)


def test_changed_bundle_is_not_signed(bundle: Path, keys):
    """Whoever signs must not vouch for a file that was changed after training."""
    (bundle / "model_card.md").write_text("changed")

    with pytest.raises(InvalidBundle, match=r"model_card\.md was changed after it was written"):
        sign_bundle(bundle, keys[0])


def test_service_keeps_its_model_when_the_next_is_not_signed(bundle: Path, keys, monkeypatch):
    """The live model of a worker and of the recorder; signing and promoting again is enough."""
    sign_bundle(bundle, keys[0])
    monkeypatch.setenv("BUNDLE_PUBLIC_KEY", keys[1])
    link = bundle.parent / "current"
    link.symlink_to(bundle.name)
    other = shutil.copytree(bundle, bundle.parent / "20261129T000001Z-0123abcd")
    _write_signature(other, None)
    refused: list[str] = []
    model = LiveModel(bundle.parent, lambda before, now: None, lambda: refused.append("refused"))
    model.refresh()
    assert model.get().folder == bundle

    for sign_again in (False, True):
        if sign_again:
            sign_bundle(other, keys[0])
        link.unlink()
        link.symlink_to(other.name)
        model.refresh()
        assert (model.get().folder == other) is sign_again

    assert refused == ["refused"]


def test_signature_is_that_of_rfc_8032(tmp_path: Path, require_program):
    """OpenSSL accepts it."""
    openssl = require_program("openssl")
    signature = sign("ab12", _RFC_PRIVATE)
    assert problem_of("ab12", signature, _RFC_PUBLIC) == ""
    # The head of an Ed25519 key in RFC 8410.
    (tmp_path / "key.der").write_bytes(bytes.fromhex("302a300506032b6570032100") + b64decode(_RFC_PUBLIC))
    (tmp_path / "message").write_bytes(b"isowatch bundle ab12")
    (tmp_path / "signature").write_bytes(b64decode(signature))

    files = ["-inkey", "key.der", "-keyform", "DER", "-in", "message", "-sigfile", "signature"]
    verified = subprocess.run(
        [openssl, "pkeyutl", "-verify", "-pubin", "-rawin", *files], cwd=tmp_path, capture_output=True, text=True
    )

    assert (verified.returncode, verified.stdout) == (0, "Signature Verified Successfully\n")


@pytest.mark.parametrize("key", ["short", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", "/etc/key.pub"])
def test_what_is_no_key_is_refused_at_start(bundle: Path, monkeypatch, key: str):
    """By the service, and by the commands when they open a bundle."""
    with pytest.raises(InvalidSetting, match=r"BUNDLE_PUBLIC_KEY=.* is not a valid str"):
        Settings.from_environ({"BUNDLE_PUBLIC_KEY": key})
    monkeypatch.setenv("BUNDLE_PUBLIC_KEY", key)
    with pytest.raises(InvalidSetting, match="is not a key: give what"):
        read_bundle(bundle)
