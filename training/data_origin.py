"""Whether data are this project's own synthetic example: a model card must not pass them off as real."""

from __future__ import annotations

import numpy as np

from training.dataset import Dataset
from training.synthetic_credits import MEAN_SCALING, SD_OF_ONE_PURCHASE, SD_SCALING

_COLUMNS = ("mean", "sd")

# Prices are whole credits; normalising and back costs some 1e-15 of them. Of real data, which were scaled by
# other numbers, one row in millions comes this near by chance.
_WHOLE = 1e-9


def is_synthetic(data: Dataset) -> bool:
    """Recognise what ``training.synthetic_credits`` made, with whatever seed, by its normalisation.

    Customers of one purchase bear a fixed standard deviation and have paid a whole number of credits; the bits
    of the one and the scale of the other are the generator's own.

    Parameters
    ----------
    data
        Any rows; their order does not matter.
    """
    if data.names != _COLUMNS:
        return False
    mean, sd = data.rows.T
    of_one_purchase = sd == (SD_OF_ONE_PURCHASE - SD_SCALING[0]) / SD_SCALING[1]
    paid = mean[of_one_purchase] * MEAN_SCALING[1] + MEAN_SCALING[0]
    return bool(of_one_purchase.any() and (np.abs(paid - np.rint(paid)) < _WHOLE).all())
