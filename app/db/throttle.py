"""How hard the recorder works: it leaves the core to requests between small pieces, unless rows pile up."""

from __future__ import annotations

import time
from collections.abc import Callable

# Half a millisecond of work, on the machine of decision 12: so long a request waits for a core that is shared. A batch
# at once would be four milliseconds; half as many rows a piece helped no more, and cost more statements.
PIECE_ROWS = 100

# Long enough for the kernel to let somebody else run; it adds some 2 ms to a batch, which nobody waits for.
_REST_SECONDS = 0.0001

# A tenth of what may wait, and one second at 5,000 rows a second: from here on, losing none comes first.
_BEHIND_ROWS = 5_000


class Throttle:
    """Rests a moment after every ``PIECE_ROWS`` rows.

    Parameters
    ----------
    n_waiting
        Tells how many rows are not written yet; from 5,000 on there is no rest.

    Examples
    --------
    >>> pace = Throttle(lambda: 0)
    >>> pace.step(PIECE_ROWS)
    """

    def __init__(self, n_waiting: Callable[[], int]) -> None:
        self._n_waiting = n_waiting
        self._n_since_rest = 0

    def step(self, n_rows: int = 1) -> None:
        """Note that something was done with so many rows; this is where it rests."""
        self._n_since_rest += n_rows
        if self._n_since_rest < PIECE_ROWS:
            return
        self._n_since_rest = 0
        if self._n_waiting() < _BEHIND_ROWS:
            time.sleep(_REST_SECONDS)
