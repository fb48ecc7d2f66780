"""The locks in requirements/ are complete, consistent with each other, and contain nothing unwanted."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
GROUPS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]

# Packages for training or load tests; in the web process they would cost memory, start-up time and security.
NOT_IN_THE_SERVICE = {"joblib", "locust", "matplotlib", "pandas", "plotly", "scikit-learn", "scipy"}

# A package that we merely use must not restrict what users may do with Isowatch.
PERMISSIVE = {
    "0BSD",
    "Apache",
    "Apache-2.0",
    "BSD",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "HPND",
    "ISC",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "PSF-2.0",
    "Python",
    "Unlicense",
    "ZPL-2.1",
    "Zlib",
}

# The Mozilla licence requires the source of changes to its own files, and we change none of them.
MOZILLA_LICENSED = {
    "bidict",  # used by the Socket.IO server of locust's web page
    "certifi",  # the certificate authorities that requests trusts
    "tqdm",  # the progress bar of training
}

# Older packages name it in words.
_WORDS = {
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT license": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}


def lock_of(group: str) -> str:
    """Return the text of a group's lock."""
    return (ROOT / "requirements" / f"{group}.txt").read_text(encoding="utf-8")


def requirements_of(group: str) -> list[tuple[Requirement, int]]:
    """Return the pinned requirements of a group's lock, each with its number of hashes."""
    entries = lock_of(group).replace("\\\n", " ").splitlines()
    return [(Requirement(entry.split(" --hash")[0]), entry.count("--hash=sha256:")) for entry in entries]


def names_in(group: str) -> set[str]:
    """Return the names of the packages in a group's lock."""
    return {canonicalize_name(requirement.name) for requirement, _ in requirements_of(group)}


def licences_of(package: metadata.Distribution) -> set[str]:
    """Return the licences that an installed package declares."""
    about = package.metadata
    if "License-Expression" in about:
        expression = about["License-Expression"]
    else:
        classifiers = about.get_all("Classifier") or []
        named = [name.split(" :: ")[-1] for name in classifiers if name.startswith("License")]
        # This field comes last, because it may hold the licence's full text.
        expression = " AND ".join(_WORDS.get(name, name) for name in named or [about["License"].strip()])
    return {
        _WORDS.get(name, name) for name in re.split(r"\s+(?:AND|OR)\s+", expression.replace("(", "").replace(")", ""))
    }


@pytest.mark.parametrize("group", GROUPS)
def test_lock_names_no_address(group):
    """Where packages come from is the business of each machine, not of the repository."""
    assert "://" not in lock_of(group)
    assert re.search(r"index|find-links|trusted-host|/", re.sub(r"sha256:\S+", "", lock_of(group))) is None


@pytest.mark.parametrize("group", GROUPS)
def test_every_package_is_pinned_with_a_hash(group):
    """Each package has one version and at least one hash, as --require-hashes needs."""
    requirements = requirements_of(group)

    assert requirements
    for requirement, hashes in requirements:
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), requirement
        assert hashes >= 1, requirement


@pytest.mark.parametrize("group", GROUPS)
def test_lock_holds_what_pyproject_asks_for(group):
    """Every dependency in pyproject.toml is locked, in a version that it allows."""
    pinned = {canonicalize_name(requirement.name): requirement for requirement, _ in requirements_of(group)}
    for wanted in map(Requirement, GROUPS[group]):
        locked = pinned.get(canonicalize_name(wanted.name))
        assert locked is not None, f"{wanted.name} is not in requirements/{group}.txt: say make lock"
        assert wanted.specifier.contains(str(locked.specifier).removeprefix("==")), (wanted, locked)


def test_locks_agree_with_each_other():
    """Groups that are installed together lock the same versions of shared packages."""
    pinned: dict[tuple[str, str], set[str]] = {}
    for group in GROUPS:
        for requirement, _ in requirements_of(group):
            key = (canonicalize_name(requirement.name), str(requirement.marker))
            pinned.setdefault(key, set()).add(str(requirement.specifier))

    assert {key: versions for key, versions in pinned.items() if len(versions) > 1} == {}


def test_every_lock_belongs_to_a_group():
    """There is no lock of a group that no longer exists."""
    assert {path.stem for path in (ROOT / "requirements").iterdir()} == set(GROUPS)


def test_service_stays_small():
    """The web process and its image contain no packages of training or load tests."""
    assert names_in("service") & NOT_IN_THE_SERVICE == set()


@pytest.mark.parametrize("group", ["service", "training", "loadtest", "dashboards"])
def test_licences_are_permissive(group):
    """Everybody may use, change and sell each package that is used beyond development."""
    for requirement, _ in requirements_of(group):
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        licences = licences_of(metadata.distribution(requirement.name))
        allowed = PERMISSIVE | ({"MPL-2.0"} if canonicalize_name(requirement.name) in MOZILLA_LICENSED else set())
        assert licences <= allowed, f"{requirement.name} is under {licences - allowed}"


def test_mozilla_list_holds_only_what_is_locked():
    """There is no exception for a package that is no longer locked."""
    assert names_in("service") | names_in("training") | names_in("loadtest") >= MOZILLA_LICENSED
