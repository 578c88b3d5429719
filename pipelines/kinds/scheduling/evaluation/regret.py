"""Regret: the excess of the model's objective over the closed form's, which minimizes it."""

from models.series.arrays import Values
from models.series.execution import Impact, objective, urgency
from pipelines.evaluation.walk_forward.comparison import MONTH, SAMPLES, block_bootstrap, by_date
from pipelines.kinds.scheduling.evaluation.rows import OrderRows


def regret(rows: OrderRows, schedules: Values, impact: Impact) -> Values:
    """The relative excess of each schedule's objective over the minimum, [N]."""
    urgencies = urgency(rows.aversions, rows.deviations, impact)
    found: Values = objective(schedules, urgencies) / objective(rows.schedules, urgencies) - 1
    return found


def report(rows: OrderRows, schedules: Values, impact: Impact, seed: int, block: int = MONTH) -> dict[str, float]:
    """Compare schedules with the closed form and with TWAP.

    Args:
        rows: the orders.
        schedules: their shares, [N, A].
        impact: see models.series.execution.
        seed: of the bootstrap.
        block: number of dates in a bootstrap block.

    Returns:
        schedule_regret with its 95 % interval, bootstrapped by date; twap_regret.
    """
    ours = by_date(regret(rows, schedules, impact), rows.times)
    mean, low, high = block_bootstrap(ours, block=block, samples=SAMPLES, seed=seed)
    even = float(by_date(regret(rows, rows.even, impact), rows.times).mean())
    return {"schedule_regret": mean, "schedule_regret_low": low, "schedule_regret_high": high, "twap_regret": even}
