"""The locks in requirements/ are complete, agree with each other, and hold nothing that they should not."""

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

# They are for training or load tests; the web process would pay for them in memory, start-up time and risk.
NOT_IN_THE_SERVICE = {"joblib", "locust", "matplotlib", "pandas", "plotly", "scikit-learn", "scipy"}

# What its user may do with the whole must not depend on a package that we merely use.
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

# The Mozilla licence asks for the source of changes to its own files, and we change none of them.
MOZILLA_LICENSED = {
    "bidict",  # locust's web page talks over Socket.IO, whose server uses it
    "certifi",  # the certificate authorities that requests trusts
    "tqdm",  # the progress bar of training
}

# Older packages say it in words.
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
    """Read a group's lock."""
    return (ROOT / "requirements" / f"{group}.txt").read_text(encoding="utf-8")


def requirements_of(group: str) -> list[tuple[Requirement, int]]:
    """List what a group's lock pins, each with its number of hashes."""
    entries = lock_of(group).replace("\\\n", " ").splitlines()
    return [(Requirement(entry.split(" --hash")[0]), entry.count("--hash=sha256:")) for entry in entries]


def names_in(group: str) -> set[str]:
    """Name the packages of a group's lock."""
    return {canonicalize_name(requirement.name) for requirement, _ in requirements_of(group)}


def licences_of(package: metadata.Distribution) -> set[str]:
    """Name the licences under which an installed package comes, as it says itself."""
    about = package.metadata
    if "License-Expression" in about:
        expression = about["License-Expression"]
    else:
        classifiers = about.get_all("Classifier") or []
        named = [name.split(" :: ")[-1] for name in classifiers if name.startswith("License")]
        # The field is asked last, because it may hold the licence's whole text.
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
    """One version and at least one hash for each package, so that --require-hashes can hold."""
    requirements = requirements_of(group)

    assert requirements
    for requirement, hashes in requirements:
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), requirement
        assert hashes >= 1, requirement


@pytest.mark.parametrize("group", GROUPS)
def test_lock_holds_what_pyproject_asks_for(group):
    """A dependency that was added to pyproject.toml was also locked, in a version that it allows."""
    pinned = {canonicalize_name(requirement.name): requirement for requirement, _ in requirements_of(group)}
    for wanted in map(Requirement, GROUPS[group]):
        locked = pinned.get(canonicalize_name(wanted.name))
        assert locked is not None, f"{wanted.name} is not in requirements/{group}.txt: say make lock"
        assert wanted.specifier.contains(str(locked.specifier).removeprefix("==")), (wanted, locked)


def test_locks_agree_with_each_other():
    """Groups that are installed together hold the same version of what they share."""
    pinned: dict[tuple[str, str], set[str]] = {}
    for group in GROUPS:
        for requirement, _ in requirements_of(group):
            key = (canonicalize_name(requirement.name), str(requirement.marker))
            pinned.setdefault(key, set()).add(str(requirement.specifier))

    assert {key: versions for key, versions in pinned.items() if len(versions) > 1} == {}


def test_every_lock_belongs_to_a_group():
    """A lock whose group has gone is removed with it."""
    assert {path.stem for path in (ROOT / "requirements").iterdir()} == set(GROUPS)


def test_service_stays_small():
    """Nothing of training or load testing is in the web process or its image."""
    assert names_in("service") & NOT_IN_THE_SERVICE == set()


@pytest.mark.parametrize("group", ["service", "training", "loadtest", "dashboards"])
def test_licences_are_permissive(group):
    """Each package that is used beyond development may be used, changed and sold by everybody."""
    for requirement, _ in requirements_of(group):
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        licences = licences_of(metadata.distribution(requirement.name))
        allowed = PERMISSIVE | ({"MPL-2.0"} if canonicalize_name(requirement.name) in MOZILLA_LICENSED else set())
        assert licences <= allowed, f"{requirement.name} is under {licences - allowed}"


def test_mozilla_list_holds_only_what_is_locked():
    """An exception whose package has gone is removed with it."""
    assert names_in("service") | names_in("training") | names_in("loadtest") >= MOZILLA_LICENSED
