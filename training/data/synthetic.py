"""Synthetic example data, credits spent by customers of an app: ``python -m training.data.synthetic``.

The rows are simulated and contain no personal data. Each customer becomes one row: the mean and the standard deviation
of the costs of its purchases.

1. A customer is of one of the `CUSTOMER_KINDS`, from those who try the app once to the whales.
2. The number of purchases, 1, 2, 3, ..., follows a logarithmic series: the classic long-tailed law of how often people
   buy [1]_.
3. A purchase costs one of a few fixed prices, and customers have habits: the next purchase often repeats an earlier
one,
   with a probability proportional to how often that one was made. This is a Pólya urn [2]_.
4. Mean and standard deviation are normalised with two fixed pairs of numbers (`MEAN_SCALING`, `SD_SCALING`).

Fixed prices and single purchases make atoms, points with thousands of rows. Whales make the heavy right tails, and as
their purchases differ in size as well, they correlate the columns. Nothing else is imitated: the rows have no time and
no fraud, and none is labelled abnormal.

References
----------
.. [1] C. Chatfield, A. S. C. Ehrenberg and G. J. Goodhardt, "Progress on a Simplified Model of Stationary
   Purchasing Behaviour", Journal of the Royal Statistical Society A 129(3), 1966.
.. [2] D. Blackwell and J. B. MacQueen, "Ferguson Distributions via Pólya Urn Schemes", The Annals of Statistics
   1(2), 1973.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.server.output_file import open_output, replace_unprintable

# Possible prices of a purchase, in credits. They are visible in the real sample: customers with one purchase have these
# values and hardly any other.
PRICES = (1, 2, 3, 5, 8, 10, 20, 25, 30, 50, 80, 125, 170, 200, 560, 650, 1350, 2100)


@dataclass(frozen=True)
class CustomerKind:
    """A group of customers with the same behaviour.

    Parameters
    ----------
    share
        Share of all customers, in (0, 1].
    repurchase
        Parameter of the logarithmic series of the number of purchases, in (0, 1); the nearer to 1, the more.
    novelty
        Tendency to try something new, 0 or more: the purchase after the k-th is a new choice with probability
        novelty / (novelty + k), else it repeats one of the k before.
    price_weights
        Weight of each of `PRICES` in a new choice; only the proportions matter.
    """

    share: float
    repurchase: float
    novelty: float
    price_weights: tuple[int, ...]


# First set by eye, then fitted by a random search to the distribution, the atoms and the correlation of the real
# sample: on several seeds, including the default, because a few whales determine the far tail and each seed draws
# others. tests/training/data/test_synthetic.py has the figures and their tolerances.
CUSTOMER_KINDS = (
    # Most customers: they buy once or twice, mainly five credits.
    CustomerKind(
        share=0.8234,
        repurchase=0.481,
        novelty=1.67,
        price_weights=(13, 5, 5, 851, 42, 82, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    ),
    # The thrifty: only the smallest packs, and nearly always the same one.
    CustomerKind(
        share=0.038,
        repurchase=0.641,
        novelty=0.09,
        price_weights=(602, 98, 279, 21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    ),
    # The generous: they buy seldom, but mainly packs of ten to fifty.
    CustomerKind(
        share=0.049,
        repurchase=0.549,
        novelty=2.03,
        price_weights=(0, 0, 0, 29, 17, 279, 41, 4, 338, 244, 23, 25, 0, 0, 0, 0, 0, 0),
    ),
    # Regulars: many purchases, small and large.
    CustomerKind(
        share=0.082,
        repurchase=0.939,
        novelty=1.61,
        price_weights=(13, 10, 33, 165, 12, 233, 21, 4, 239, 189, 19, 54, 6, 2, 0, 0, 0, 0),
    ),
    # Big spenders: more purchases, and packs of up to two hundred credits.
    CustomerKind(
        share=0.0053,
        repurchase=0.967,
        novelty=3.32,
        price_weights=(0, 0, 0, 3, 0, 109, 152, 0, 233, 138, 140, 8, 32, 180, 6, 0, 0, 0),
    ),
    # Whales: the most purchases, up to the largest pack; they make the tails.
    CustomerKind(
        share=0.0023,
        repurchase=0.982,
        novelty=3.22,
        price_weights=(0, 0, 0, 59, 0, 130, 0, 0, 124, 84, 86, 66, 44, 64, 127, 126, 38, 52),
    ),
)


# Number of rows in the two files of the real sample.
TRAIN_ROWS = 64_227
TEST_ROWS = 16_057

# Equals the default seed of training, so that one number reproduces the whole example.
DEFAULT_SEED = 16

# Centre and scale of each column in credits, as in (value - centre) / scale. They map the smallest mean, one purchase
# of one credit, and SD_OF_ONE_PURCHASE to the minima of the real sample, -0.284889 and -0.106749.
MEAN_SCALING = (9.977397, 31.51195)
SD_SCALING = (2.0965338, 19.733526)

# Credits. A single purchase has no standard deviation. As in the real sample, it gets an impossible value, which
# distinguishes it from several purchases at one price, whose standard deviation is 0.
SD_OF_ONE_PURCHASE = -0.01


def make_credits(rows: int, seed: int | np.random.SeedSequence) -> npt.NDArray[np.float64]:
    """Make the normalised credit spending of simulated customers.

    Parameters
    ----------
    rows
        Number of customers, at least 1.
    seed
        0 or more. The same seed gives the same rows, with the same version of NumPy.

    Returns
    -------
    Shape ``(rows, 2)``: normalised mean and normalised standard deviation of the credits that a customer paid
    per purchase, unitless, never below -0.284889 and -0.106749. Rows are independent of each other.

    Raises
    ------
    ValueError
        If ``rows`` is less than 1 or ``seed`` is negative.

    Examples
    --------
    >>> rows = make_credits(1000, seed=1)
    >>> rows.shape
    (1000, 2)

    Most customers buy once, for five credits:

    >>> np.median(rows, axis=0).round(6).tolist()
    [-0.157953, -0.106749]
    """
    if rows < 1:
        raise ValueError(f"rows is {rows}; use at least 1.")
    generator = np.random.Generator(np.random.PCG64(seed))
    shares = np.array([kind.share for kind in CUSTOMER_KINDS])
    kind_of_customer = generator.choice(len(CUSTOMER_KINDS), size=rows, p=shares / shares.sum())
    repurchase = np.array([kind.repurchase for kind in CUSTOMER_KINDS])
    purchases = generator.logseries(repurchase[kind_of_customer])
    # The purchases of a customer are adjacent in `prices`, starting at its `first`.
    first = np.concatenate([[0], np.cumsum(purchases)[:-1]])
    prices = _choose_prices(generator, np.repeat(kind_of_customer, purchases))
    novelty = np.array([kind.novelty for kind in CUSTOMER_KINDS])
    _repeat_purchases(generator, prices, first, purchases, novelty[kind_of_customer])
    mean, sd = _mean_and_sd(prices, first, purchases)
    return np.column_stack(
        [
            (mean - MEAN_SCALING[0]) / MEAN_SCALING[1],
            (sd - SD_SCALING[0]) / SD_SCALING[1],
        ]
    )


def _choose_prices(generator: np.random.Generator, kind_of_purchase: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Draw a new choice for each purchase, given the kind of its customer."""
    prices = np.empty(len(kind_of_purchase), dtype=np.int64)
    for index, kind in enumerate(CUSTOMER_KINDS):
        weights = np.array(kind.price_weights)
        chosen = kind_of_purchase == index
        prices[chosen] = generator.choice(PRICES, size=np.count_nonzero(chosen), p=weights / weights.sum())
    return prices


def _repeat_purchases(
    generator: np.random.Generator,
    prices: npt.NDArray[np.int64],
    first: npt.NDArray[np.int64],
    purchases: npt.NDArray[np.int64],
    novelty: npt.NDArray[np.float64],
) -> None:
    """Replace new choices in ``prices`` by repetitions of earlier purchases, according to the urn."""
    buying = np.arange(len(purchases))
    # One step for all customers at a time; few make many purchases, so the later steps cost almost nothing.
    for earlier in range(1, int(purchases.max())):
        buying = buying[purchases[buying] > earlier]
        # One draw decides both: below `earlier` it is a repetition, and its integer part selects of which purchase.
        draw = generator.random(len(buying)) * (novelty[buying] + earlier)
        repeats = draw < earlier
        start = first[buying[repeats]]
        prices[start + earlier] = prices[start + draw[repeats].astype(np.int64)]


def _mean_and_sd(
    prices: npt.NDArray[np.int64], first: npt.NDArray[np.int64], purchases: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Compute mean and sample standard deviation of the purchases of each customer, in credits."""
    total = np.add.reduceat(prices, first)
    # In integers, so that the order of purchases cannot change the last bit, and equal rows are equal.
    scatter = purchases * np.add.reduceat(prices**2, first) - total**2
    sd = np.sqrt(scatter / np.maximum(purchases * (purchases - 1), 1))
    return total / purchases, np.where(purchases == 1, SD_OF_ONE_PURCHASE, sd)


def write_credits(path: Path, rows: npt.NDArray[np.float64]) -> None:
    """Write a CSV file with the header ``mean,sd``; an existing file is replaced as a whole or not at all.

    Parameters
    ----------
    path
        The file; its folder exists.
    rows
        Shape ``(rows, 2)``. Every number is written with all its digits, so that reading returns the same bits.

    Raises
    ------
    OSError
        If the file cannot be written; no unfinished file is left behind.
    """
    lines = [f"{mean!r},{sd!r}\n" for mean, sd in rows.tolist()]
    with open_output(path) as file:
        file.writelines(["mean,sd\n", *lines])


def _seed(text: str) -> int:
    """Parse the option ``--seed``."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed; use a whole number, 0 or more")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write ``train.csv`` and ``test.csv``; return the exit status: 1 if they cannot be written."""
    replace_unprintable()
    parser = argparse.ArgumentParser(
        prog="python -m training.data.synthetic",
        description="Make the synthetic example data: train.csv and test.csv with the columns mean and sd.",
    )
    parser.add_argument("--out", type=Path, default=Path("data"), metavar="DIR", help="folder (default: data)")
    parser.add_argument("--seed", type=_seed, default=DEFAULT_SEED, metavar="N", help="default: %(default)s")
    options = parser.parse_args(arguments)
    # Children of one seed are independent streams: no test row depends on a training row.
    train_seed, test_seed = np.random.SeedSequence(options.seed).spawn(2)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for name, rows, seed in (("train.csv", TRAIN_ROWS, train_seed), ("test.csv", TEST_ROWS, test_seed)):
            path = options.out / name
            write_credits(path, make_credits(rows, seed))
            print(f"{path}: {rows:,} synthetic rows")
    except OSError as error:
        print(
            f"{options.out}: the example data cannot be written there ({error.strerror}); "
            "name another folder with --out.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
