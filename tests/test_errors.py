"""The tree in the docstring of ``app.errors`` matches the classes."""

from __future__ import annotations

import re

from app import errors


def _drawn() -> dict[str, tuple[str, int]]:
    """Return the name of each class in the tree, with its parent and its status."""
    drawn: dict[str, tuple[str, int]] = {}
    parents = ["Exception"]
    for indent, name, status in re.findall(r"^( *)\* (\w+) +(\d{3}) ", errors.__doc__ or "", re.MULTILINE):
        depth = len(indent) // 2
        parents[depth + 1 :] = [name]
        drawn[name] = (parents[depth], int(status))
    return drawn


def test_tree_shows_every_class_with_its_parent_and_status():
    """The tree in the docstring is up to date."""
    classes = {name: value for name, value in vars(errors).items() if isinstance(value, type)}
    actual = {
        name: (value.__bases__[0].__name__, value.status)
        for name, value in classes.items()
        if issubclass(value, errors.IsowatchError)
    }

    assert _drawn() == actual
