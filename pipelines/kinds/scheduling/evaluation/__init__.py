"""Evaluates schedules against the closed form, and expected against observed volumes, on days that no choice was based on."""

from pathlib import Path

import numpy as np

from pipelines.evaluation.findings import Report, Table
from pipelines.evaluation.scores import Scores, require_same
from pipelines.kinds.scheduling.evaluation import costs, regret, volumes
from pipelines.kinds.scheduling.evaluation.figures import schedule_figure, volume_figure
from pipelines.kinds.scheduling.evaluation.rows import OrderRows, assert_served_alike
from pipelines.kinds.scheduling.settings import SchedulingTask
from pipelines.orders import EFFECTS
from pipelines.stage import threads
from serving.predictors.scheduling import Scheduler, read_recipe

STATED = ("purged", "without_volume")


def evaluate(bundle: Path, prepared: Path, task: SchedulingTask, seed: int, split: str = "test") -> Report:
    """Schedule each test order with the exported model and with baselines.

    Args:
        bundle: the exported model.
        prepared: the prepare stage's output for the same task.
        task: see params.yaml.
        seed: of the bootstrap.
        split: the split to evaluate.

    Returns:
        the results of `regret.report`, `volumes.report` and `costs.report` (simulated); a table by horizon and risk aversion,
        figures of schedules with the closed form and of volume shares by date.

    Raises:
        BundleError: the folder is not an intact scheduling bundle.
        StageError: served shares differ from the evaluated ones.
    """
    scheduler = Scheduler.load(bundle, threads=threads())
    rows, effects = OrderRows.read(prepared, split), np.load(prepared / f"{EFFECTS}.npy")
    size, impact = task.evaluate.batch_size, scheduler.recipe.impact
    schedules, expected = scheduler.run(rows.days, rows.ahead, rows.horizons, rows.aversions, batch_size=size)
    blind = rows.without_dates()
    _, undated = scheduler.run(blind.days, blind.ahead, rows.horizons, rows.aversions, batch_size=size)
    assert_served_alike(scheduler, rows, schedules, expected, seed)
    metrics: dict[str, float | str] = {**regret.report(rows, schedules, impact, seed, task.evaluate.block)}
    metrics |= volumes.report(task, rows, expected, undated, effects, seed)
    metrics |= costs.report(rows, schedules, impact, task.evaluate.share)
    metrics |= {"configurations_tried": task.evaluate.configurations_tried}
    beside = volumes.baselines(rows, effects)
    drawn = {"calendar": beside["calendar"], "model": expected, "last 20 days": beside["recent"]}
    figures = {"schedules.png": schedule_figure(rows, schedules), "volumes.png": volume_figure(rows, drawn)}
    return Report(metrics, {"orders.csv": _by_order(rows, schedules, expected, scheduler, effects)}, figures)


def score(bundle: Path, prepared: Path, task: SchedulingTask) -> Scores:
    """The regret of each order's schedule; by horizon and by risk aversion."""
    scheduler, rows = Scheduler.load(bundle, threads=threads()), OrderRows.read(prepared, "test")
    require_same(scheduler.recipe, read_recipe(prepared))
    schedules, _ = scheduler.run(rows.days, rows.ahead, rows.horizons, rows.aversions, batch_size=task.evaluate.batch_size)
    return Scores(
        name="schedule_regret",
        values=regret.regret(rows, schedules, scheduler.recipe.impact),
        larger_is_better=False,
        slices={"horizon": [str(days) for days in rows.horizons], "risk aversion": [f"{value:g}" for value in rows.aversions]},
        blocks=np.unique(rows.times, return_inverse=True)[1] // task.evaluate.block,
    )


def _by_order(rows: OrderRows, schedules: np.ndarray, expected: np.ndarray, scheduler: Scheduler, effects: np.ndarray) -> Table:
    """Means over the orders of each horizon and risk aversion."""
    ours, even = (regret.regret(rows, found, scheduler.recipe.impact) for found in (schedules, rows.even))
    error, calendar = volumes.errors(rows, expected), volumes.errors(rows, volumes.baselines(rows, effects)["calendar"])
    table = []
    for horizon in np.unique(rows.horizons):
        for aversion in np.unique(rows.aversions):
            some = (rows.horizons == horizon) & (rows.aversions == aversion)
            means = {
                "schedule_regret": ours,
                "twap_regret": even,
                "volume_share_mae": error,
                "calendar_volume_share_mae": calendar,
            }
            found = {name: float(values[some].mean()) for name, values in means.items()}
            table.append({"horizon": int(horizon), "risk_aversion": float(aversion), "orders": int(some.sum()), **found})
    return table
