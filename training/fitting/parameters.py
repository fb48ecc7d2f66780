"""What a user chooses about a forest, checked before anything is fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from training.errors import BadArgument

# scikit-learn seeds NumPy's legacy generator, which takes 32 bits.
_LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class ForestParameters:
    """How a forest is grown; names and meaning are those of scikit-learn's ``IsolationForest``.

    Parameters
    ----------
    contamination
        Share of training rows to flag, in (0, 0.5]; "auto" flags scores below -0.5, as in the original paper.
    n_estimators
        Trees, at least 1.
    max_samples
        Training rows that each tree sees, at least 1; "auto" is 256, or all rows if there are fewer.
    max_features
        Share of the features that each tree sees, in (0, 1].
    bootstrap
        Whether a tree may draw the same row more than once.
    random_state
        Seed: the same seed and rows give the same forest.

    Raises
    ------
    BadArgument
        If a value is out of its range; the message names the option.

    Examples
    --------
    >>> ForestParameters(contamination=0.7)
    Traceback (most recent call last):
    training.errors.BadArgument: --contamination 0.7 is out of range; use auto or a number in (0, 0.5].
    """

    contamination: float | Literal["auto"] = "auto"
    n_estimators: int = 100
    max_samples: int | Literal["auto"] = "auto"
    max_features: float = 1.0
    bootstrap: bool = False
    # The seed of the figures in the documentation.
    random_state: int = 16

    def __post_init__(self) -> None:
        if self.contamination != "auto" and not 0 < self.contamination <= 0.5:
            raise BadArgument(
                f"--contamination {self.contamination} is out of range; use auto or a number in (0, 0.5]."
            )
        if self.n_estimators < 1:
            raise BadArgument(f"--estimators {self.n_estimators} is not a number of trees; use at least 1.")
        if self.max_samples != "auto" and self.max_samples < 1:
            raise BadArgument(f"--max-samples {self.max_samples} is not a number of rows; use auto or at least 1.")
        if not 0 < self.max_features <= 1:
            raise BadArgument(f"--max-features {self.max_features} is out of range; use a number in (0, 1].")
        if not 0 <= self.random_state <= _LARGEST_SEED:
            raise BadArgument(f"--seed {self.random_state} is out of range; use 0 to {_LARGEST_SEED}.")

    def check_rows(self, n_rows: int) -> None:
        """Refuse a sample that is larger than the training data.

        Raises
        ------
        BadArgument
            If ``max_samples`` is more than ``n_rows``.
        """
        if self.max_samples != "auto" and self.max_samples > n_rows:
            raise BadArgument(
                f"--max-samples {self.max_samples} is more than the {n_rows} training rows; use auto or less."
            )
