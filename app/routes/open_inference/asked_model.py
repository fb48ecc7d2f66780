"""Which model a request asks for by name: the live one or none."""

from __future__ import annotations

from app.errors import UnknownModel
from app.model.bundle import Bundle


def check_model(bundle: Bundle, name: str, version: str | None) -> None:
    """Make sure that a request is about the live model.

    Parameters
    ----------
    bundle
        The live model.
    name, version
        What the request asks for; no version means any.

    Raises
    ------
    UnknownModel
        If it asks for another model, or another version of it; the message names the live one.
    """
    if name != bundle.name:
        raise UnknownModel(f"There is no model {name!r}: the live one is {bundle.name!r}.")
    if version not in (None, bundle.version):
        raise UnknownModel(f"{name!r} has no version {version!r}: the live one is {bundle.version!r}.")
