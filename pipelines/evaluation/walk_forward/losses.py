"""Loss functions of forecasts. Every loss is 0 or more; smaller is better."""

import numpy as np

from models.series.arrays import Values

CLIP = 1e-7  # distance of probabilities from 0 and 1: about the gap between 1 and the largest float32 below it


def qlike(y: Values, forecast: Values) -> Values:
    """QLIKE, a loss for variances: y / f - ln(y / f) - 1. Its expectation is smallest where f is the mean of y.

    The member b = -2 of the homogeneous losses of Patton 2011 (Journal of Econometrics 160), which rank forecasts the same by
    an unbiased proxy of the variance as by the variance itself. It depends on y / f alone: calm and volatile years count the
    same.

    Args:
        y: actual values, positive.
        forecast: positive, of the same shape.

    Raises:
        ValueError: a value is not positive.
    """
    if not (np.all(y > 0) and np.all(forecast > 0)):
        raise ValueError("QLIKE needs positive values")
    multiple = y / forecast
    return multiple - np.log(multiple) - 1


def squared(y: Values, forecast: Values) -> Values:
    """(y - f)^2: its expectation is smallest where f is the mean of y."""
    return (y - forecast) ** 2


def absolute(y: Values, forecast: Values) -> Values:
    """|y - f|: its expectation is smallest where f is the median of y."""
    return np.abs(y - forecast)


def pinball(y: Values, quantile: Values, level: float) -> Values:
    """(level - [y < q]) (y - q): its expectation is smallest at the quantile (Koenker and Bassett 1978, Econometrica 46).

    Args:
        y: actual values.
        quantile: the forecast quantile, of the same shape.
        level: probability of a value below the true quantile, in (0, 1).
    """
    return np.maximum(level * (y - quantile), (level - 1) * (y - quantile))


def brier(event: Values, probability: Values) -> Values:
    """(p - y)^2, the Brier score (1950, Monthly Weather Review 78) for the event alone: half of his sum over both classes.

    Args:
        event: 1 if it happened, else 0.
        probability: of the event, in [0, 1].
    """
    return squared(event, probability)


def log_loss(event: Values, probability: Values) -> Values:
    """-y ln p - (1 - y) ln(1 - p), in nats (Good 1952). Probabilities are clipped to [CLIP, 1 - CLIP].

    Args:
        event: 1 if it happened, else 0.
        probability: of the event, in [0, 1].
    """
    p = np.clip(probability, CLIP, 1 - CLIP)
    return -event * np.log(p) - (1 - event) * np.log1p(-p)


def ratio(losses: Values, reference: Values) -> float:
    """The mean loss divided by the reference's: 1 if they are equal, infinite if only the reference's is 0."""
    mean, of_reference = float(np.mean(losses)), float(np.mean(reference))
    if mean == of_reference:
        return 1.0
    return mean / of_reference if of_reference else float("inf")


def skill(losses: Values, reference: Values) -> float:
    """1 - ratio: the share of the reference's loss that is avoided; negative if the forecasts are worse."""
    return 1 - ratio(losses, reference)
