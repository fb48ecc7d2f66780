"""What one process of the service has reported and the others need not report again."""

from __future__ import annotations

import hashlib
from pathlib import Path

# Files of this name lie in the folder that the workers share; they hold nothing.
MARKER_PREFIX = "reported-"


class ReportedOccasions:
    """Lets the first of several processes report what all of them notice.

    Parameters
    ----------
    folder
        A folder that the processes share; None where there is only one process.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     one, other = ReportedOccasions(Path(folder)), ReportedOccasions(Path(folder))
    ...     one.is_first("the model was refused"), other.is_first("the model was refused")
    (True, False)
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def is_first(self, occasion: str) -> bool:
        """Tell whether no process has asked about this occasion before."""
        if self._folder is None:
            return True
        digest = hashlib.sha256(occasion.encode()).hexdigest()
        try:
            # Making a file is one step: of two processes only one can have made it.
            (self._folder / f"{MARKER_PREFIX}{digest}").touch(exist_ok=False)
        except FileExistsError:
            return False
        except OSError:  # reported by each is better than by none
            return True
        return True
