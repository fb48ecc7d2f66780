"""Who the customers behind the synthetic example data are, and how each kind of them buys."""

from __future__ import annotations

from dataclasses import dataclass

# Credits; what one purchase can cost. They are the fixed prices that show through the real sample: customers
# of one purchase lie on these values and on hardly any other.
PRICES = (1, 2, 3, 5, 8, 10, 20, 25, 30, 50, 80, 125, 170, 200, 560, 650, 1350, 2100)


@dataclass(frozen=True)
class CustomerKind:
    """Customers who buy alike.

    Parameters
    ----------
    share
        Part of all customers, in (0, 1].
    repurchase
        Parameter of the logarithmic series of the number of purchases, in (0, 1); the nearer to 1, the more.
    novelty
        How ready a customer is to try something, 0 or more: of its purchases, the one after the k-th is a
        fresh choice with probability novelty / (novelty + k), else a repetition of one of the k before.
    price_weights
        How often a fresh choice falls on each of `PRICES`; only the proportions count.
    """

    share: float
    repurchase: float
    novelty: float
    price_weights: tuple[int, ...]


# A random search fitted these numbers, first set by eye, to the distribution of the real sample, its atoms and
# its correlation: on several seeds, the default one among them, because a few whales decide the far tail and
# each seed draws others. tests/training/test_synthetic_credits.py holds the figures and how near they must be.
CUSTOMER_KINDS = (
    # Most customers: they buy once or twice, mainly five credits.
    CustomerKind(
        share=0.8234,
        repurchase=0.481,
        novelty=1.67,
        price_weights=(13, 5, 5, 851, 42, 82, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    ),
    # The thrifty: the smallest packs only, and nearly always the same.
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
    # Whales: the most purchases, up to the greatest pack; the tails are theirs.
    CustomerKind(
        share=0.0023,
        repurchase=0.982,
        novelty=3.22,
        price_weights=(0, 0, 0, 59, 0, 130, 0, 0, 124, 84, 86, 66, 44, 64, 127, 126, 38, 52),
    ),
)
