"""Execution of a large order: the cost of a schedule, and the optimal schedule, by Almgren and Chriss 2000 (Journal of Risk 3).

Amounts are multiples of an average day's volume and costs are fractions of the price, so that the same numbers hold for any
market. Impact is a model: market data do not show how an order would have moved the price.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.series.arrays import Values


@dataclass(frozen=True)
class Impact:
    """Trading costs, as fractions of the price.

    Almgren and Chriss calibrate them by the spread (section 3.4): trading 1 % of a day's volume costs one spread, and trading
    10 % permanently moves the price by one.

    Attributes:
        spread: between the best bid and offer; an order pays half.
        temporary: eta, the additional cost of trading a day's volume in a day.
        permanent: gamma, by which trading a day's volume moves the price.
    """

    spread: float
    temporary: float
    permanent: float

    @property
    def effective(self) -> float:
        """eta~ = eta - gamma tau / 2, with tau a day."""
        return self.temporary - self.permanent / 2


@dataclass(frozen=True)
class Cost:
    """Expected cost of a schedule and its standard deviation, as fractions of the order's value."""

    expected: Values
    deviation: Values


def urgency(aversion: Values, deviation: Values, impact: Impact) -> Values:
    """kappa~^2 = lambda sigma^2 / eta~, the risk of a day over the cost of trading (equation 15).

    Args:
        aversion: lambda, weight of the variance relative to the cost, for the value of a day's volume, [...].
        deviation: sigma, of a day's return, [...].
        impact: see `Impact`.
    """
    found: Values = aversion * deviation**2 / impact.effective
    return found


def closed_form(urgencies: Values, horizons: NDArray[np.int64], longest: int) -> Values:
    """The schedule that minimizes the objective (equations 17 to 19, with a day as tau).

        cosh(kappa) = 1 + kappa~^2 / 2
        n_j         proportional to cosh(kappa (T - j + 1/2)), of j = 1 .. T

    Args:
        urgencies: kappa~^2, [N].
        horizons: T, in days, [N].
        longest: A, number of days in the result.

    Returns:
        The share of the order on each day, [N, A]. Shares sum to one and are zero after the horizon.
    """
    kappa = np.arccosh(1 + urgencies / 2)[:, None]
    left = horizons[:, None] - np.arange(longest) - 0.5  # T - j + 1/2; negative after the horizon
    # For large kappa T the hyperbolic cosine overflows, so all days are divided by exp(kappa T) first.
    weights = np.exp(kappa * (left - horizons[:, None])) + np.exp(-kappa * (left + horizons[:, None]))
    weights = np.where(left > 0, weights, 0.0)
    found: Values = weights / weights.sum(axis=1, keepdims=True)
    return found


def remaining(shares: Values) -> Values:
    """The remaining share of an order after each day, r_j = 1 - n_1 - .. - n_j: [..., A] -> [..., A]."""
    found: Values = np.clip(1 - np.cumsum(shares, axis=-1), 0, None)
    return found


def objective(shares: Values, urgencies: Values) -> Values:
    """The objective that a schedule minimizes: sum of n_j^2 + kappa~^2 sum of r_j^2.

    This is E + lambda V of equation 13 over eta~ X^2, without the spread and most of the permanent impact: these are the same for
    all schedules, and would dilute comparisons.

    Args:
        shares: of the order on each day, [N, A].
        urgencies: kappa~^2, [N].
    """
    found: Values = (shares**2).sum(axis=-1) + urgencies * (remaining(shares) ** 2).sum(axis=-1)
    return found


def cost(shares: Values, amounts: Values, deviation: Values, impact: Impact) -> Cost:
    """Costs of schedules under the model (equations 7 and 8).

        E    = spread / 2 + gamma X / 2 + eta~ X sum of n_j^2
        V    = sigma^2 sum of r_j^2

    Args:
        shares: of the order on each day, [N, A].
        amounts: X, in multiples of a day's volume, [N].
        deviation: sigma, [N].
        impact: see `Impact`.
    """
    fixed = impact.spread / 2 + impact.permanent * amounts / 2
    expected = fixed + impact.effective * amounts * (shares**2).sum(axis=-1)
    return Cost(expected, deviation * np.sqrt((remaining(shares) ** 2).sum(axis=-1)))
