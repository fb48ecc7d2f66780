"""How likely it was that a labelled row of the audit queue got its label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def labelling_probabilities(
    probabilities: NDArray[np.float64], was_labelled_before: NDArray[np.bool_], is_labelled: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Compute the chance with which each labelled row was drawn for the queue and has its label.

    The queue passes rows that somebody has labelled already, without asking. Misses are more often among them, since
    misses are complained about, and every one of them has a label, while some that are asked for get none. Taken alike,
    they would make misses look more frequent than they are. So an answered row also stands for those that were asked
    for in vain, and a row that was labelled before only for itself.

    Parameters
    ----------
    probabilities
        Shape (n,), in (0, 1]: the chance with which each row was drawn; one for each row that the queue has come to,
        whether handed out or passed.
    was_labelled_before
        Shape (n,): whether a row had a label when the queue came to it.
    is_labelled
        Shape (n,): whether it has one now.

    Returns
    -------
    One for each labelled row, in their order, in (0, 1]; they are ``audit_probabilities`` of
    :class:`~app.quality.labelled_answers.LabelledAnswers`.

    References
    ----------
    D. Holt and D. Elliot, "Methods of weighting for unit non-response", 1991 (weighting classes).

    Examples
    --------
    One row had a label. Of four others that were handed out, two were answered.

    >>> before, now = np.array([True, False, False, False, False]), np.array([True, True, False, True, False])
    >>> labelling_probabilities(np.full(5, 0.001), before, now)
    array([0.001 , 0.0005, 0.0005])
    """
    is_answered = is_labelled & ~was_labelled_before
    n_asked = int((~was_labelled_before).sum())
    answered_share = int(is_answered.sum()) / n_asked if n_asked else 1.0
    chances: NDArray[np.float64] = np.where(was_labelled_before, probabilities, probabilities * answered_share)
    return chances[is_labelled | was_labelled_before]
