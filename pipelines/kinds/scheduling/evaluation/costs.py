"""Costs of schedules on the following days. Impact is simulated: the data do not contain the order's own trades."""

import numpy as np

from models.series.arrays import Values
from models.series.execution import Impact
from pipelines.kinds.scheduling.evaluation.rows import OrderRows

POINTS = 1e4  # basis points


def slippage(rows: OrderRows, schedules: Values, impact: Impact, share: float) -> Values:
    """The implementation shortfall (Perold 1988) of each order, as a share of its value at the last known close, [N].

        sum over j of n_j (side (P_j / P_0 - 1) + spread / 2 + eta q_j + gamma (amount traded before))

    P_j is the mean of the day's observed high, low and close; q_j is the order's share of the day's observed volume. The
    rest is the impact model of Almgren and Chriss; its unit, an average day's volume, is the mean of the window's last 20 days.

    Args:
        rows: the orders.
        schedules: their shares n, [N, A].
        impact: see models.series.execution.
        share: size of the orders, as a share of the expected volume over the horizon.
    """
    price = (rows.coming("high") + rows.coming("low") + rows.coming("close")) / 3
    moved = rows.sides[:, None] * (price / rows.before("close", 1) - 1)
    usual = rows.before("volume", 20).mean(axis=1, keepdims=True)
    amount = share * rows.horizons[:, None] * schedules  # of a usual day's volume
    temporary = impact.temporary * amount * usual / np.maximum(rows.coming("volume"), 1.0)
    permanent = impact.permanent * (np.cumsum(amount, axis=1) - amount)
    found: Values = (schedules * (moved + impact.spread / 2 + temporary + permanent)).sum(axis=1)
    return found


def report(rows: OrderRows, schedules: Values, impact: Impact, share: float) -> dict[str, float]:
    """Mean and standard deviation of the slippage over all orders, in basis points, for the model's schedules and for TWAP."""
    found = {"": schedules, "twap_": rows.even}
    metrics: dict[str, float] = {}
    for name, shares in found.items():
        of_orders = slippage(rows, shares, impact, share) * POINTS
        metrics |= {f"{name}slippage_bps": float(of_orders.mean()), f"{name}slippage_deviation_bps": float(of_orders.std(ddof=1))}
    return metrics
