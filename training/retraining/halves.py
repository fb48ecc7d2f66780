"""Dealing recorded rows: one half shapes the next model, the other one judges it.

What decides is a hash of what names a row, so a row is in the same half each time it is read, and whether it has been
labelled has no say. That matters: if labelled rows alone were kept from training, outliers, which are labelled most,
would be missing among the training rows, and a model that has to flag a share of these would flag too many of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

# Two numbers of 64 bits: one deals, one draws.
_DIGEST_BYTES = 16

# What a double holds exactly.
_DRAWN_BITS = 53


def deal(record_ids: Sequence[str], rows: Sequence[int]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Deal rows into halves, and draw a number for each.

    Parameters
    ----------
    record_ids, rows
        What names each row.

    Returns
    -------
    Whether each row judges, shape ``(n_rows,)``, and a number in [0, 1) that is as good as random and has nothing to do
    with the half, same shape.

    Examples
    --------
    >>> judges, drawn = deal(["a request"] * 1000, range(1000))
    >>> round(float(judges.mean()), 1), round(float(drawn.mean()), 1)
    (0.5, 0.5)
    """
    hashed = b"".join(
        blake2b(f"{record_id} {row}".encode(), digest_size=_DIGEST_BYTES).digest()
        for record_id, row in zip(record_ids, rows, strict=True)
    )
    numbers = np.frombuffer(hashed, "<u8").reshape(-1, 2)
    return numbers[:, 0] % 2 == 1, (numbers[:, 1] >> np.uint64(64 - _DRAWN_BITS)) / 2.0**_DRAWN_BITS
