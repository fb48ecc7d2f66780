"""How far the share of outliers in a window is from that in training."""

from __future__ import annotations

from collections import deque


class OutlierWindow:
    """The labels of the last rows.

    Parameters
    ----------
    training_share
        Share of the training rows that the model flagged, in [0, 1].
    size
        Rows in the window, at least 2.

    Examples
    --------
    >>> window = OutlierWindow(training_share=0.25, size=4)
    >>> [window.push(is_outlier) for is_outlier in (True, False, False, False)][-1]
    0.0
    >>> window.push(False)
    0.25
    """

    def __init__(self, training_share: float, size: int) -> None:
        self._share, self._size = training_share, size
        self._labels = deque([False] * size, maxlen=size)
        self._count = 0

    def push(self, is_outlier: bool) -> float:
        """Let a row take the place of the oldest one.

        Returns
        -------
        The difference of the shares, in [0, 1], whichever is larger; it means something once the window is full.
        """
        self._count += is_outlier - self._labels[0]
        self._labels.append(is_outlier)
        return abs(self._count / self._size - self._share)
