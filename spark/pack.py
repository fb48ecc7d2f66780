"""The pack: one zip file with the code, the compiled kernel and the bundle that score on a machine without Isowatch.

In it are ``app/`` and ``spark/`` as in this repository, the files of the bundle that a service reads in ``bundle/``,
and ``pack.json``. Equal contents make equal files.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import InvalidBundle
from app.model.bundle import DRIFT_FILE, FILES_OF_THE_SERVICE, MANIFEST_FILE, read_manifest
from app.model.kernels import LIBRARY

ROOT = Path(__file__).resolve().parents[1]

PACK_FILE, BUNDLE_FOLDER = "pack.json", "bundle"

# What scoring imports, and the C sources, whose digest tells whether the kernel is theirs.
_CODE = ("app/__init__.py", "app/errors.py", "app/model/**/*", "app/server/*.py", "spark/*.py")

# A zip file cannot hold an earlier time. All are equal, so that the digest depends on the contents only.
_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Pack:
    """A pack, as the program that starts a Spark job knows it.

    Parameters
    ----------
    file
        The zip file.
    name
        Under which Spark unpacks it: different packs have different names.
    manifest
        The manifest of its bundle.
    """

    file: Path
    name: str
    manifest: dict[str, Any]


def pack_bundle(bundle: Path) -> bytes:
    """Return a pack, some hundred kilobytes more than the bundle.

    Parameters
    ----------
    bundle
        The folder of a verified bundle.

    Raises
    ------
    InvalidBundle
        If there is no compiled kernel to pack.
    """
    if not LIBRARY.exists():
        raise InvalidBundle(f"{LIBRARY} does not exist, and clusters do not score by NumPy: run `make kernel` first.")
    code = {
        file.relative_to(ROOT).as_posix(): file.read_bytes()
        for pattern in _CODE
        for file in sorted(ROOT.glob(pattern))
        if file.suffix in (".py", ".c", ".h", ".so")
    }
    manifest = read_manifest(bundle)
    files = {MANIFEST_FILE, *({*FILES_OF_THE_SERVICE, DRIFT_FILE} & set(manifest["files"]))}
    about = {
        "version": manifest["version"],
        "machine": describe_machine(),
        "code_sha256": _digest(code),
    }
    content = {PACK_FILE: json.dumps(about, indent=1).encode() + b"\n", **code}
    content |= {f"{BUNDLE_FOLDER}/{name}": (bundle / name).read_bytes() for name in sorted(files)}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, written in content.items():
            entry = zipfile.ZipInfo(name, _TIME)
            # Without a mode, some programs unpack files that nobody may read.
            entry.external_attr, entry.compress_type = 0o100644 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(entry, written)
    return target.getvalue()


def read_pack(file: Path) -> Pack:
    """Read which model a pack holds.

    Raises
    ------
    InvalidBundle
        If it cannot be read, or is no pack.
    """
    try:
        with zipfile.ZipFile(file) as archive, tempfile.TemporaryDirectory() as folder:
            archive.getinfo(PACK_FILE)
            extracted = Path(folder, MANIFEST_FILE)
            extracted.write_bytes(archive.read(f"{BUNDLE_FOLDER}/{MANIFEST_FILE}"))
            manifest = read_manifest(extracted.parent)
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise InvalidBundle(
            f"{file} is not a pack ({error}): make one with `python -m training pack VERSION --out {file.name}`."
        ) from None
    return Pack(file, f"isowatch-{digest[:12]}", manifest)


def read_about(root: Path) -> dict[str, str]:
    """Read ``pack.json`` of an unpacked pack."""
    return dict(json.loads((root / PACK_FILE).read_text(encoding="utf-8")))


def describe_machine() -> str:
    """Return for which machines the kernel is, such as ``Linux x86_64``."""
    return f"{platform.system()} {platform.machine()}"


def _digest(code: dict[str, bytes]) -> str:
    """Return one sha256 over names and contents."""
    digests = [f"{name} {hashlib.sha256(content).hexdigest()}\n" for name, content in code.items()]
    return hashlib.sha256("".join(digests).encode()).hexdigest()
