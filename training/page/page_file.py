"""Where a page is stored."""

from __future__ import annotations

from pathlib import Path

from training.atomic_file import replacing
from training.errors import ModelsNotWritable


def write_page(file: Path, page: str) -> Path:
    """Write a page in one step.

    Parameters
    ----------
    file
        Its folder is made if it does not exist; a page that is there is replaced.
    page
        HTML.

    Returns
    -------
    The file.

    Raises
    ------
    ModelsNotWritable
        If the page cannot be stored; what was there is there still.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelsNotWritable(
            f"{file.parent} cannot be made ({error.strerror}); name another place with --out."
        ) from error
    with replacing(file) as opened:
        opened.write(page)
    return file
