"""Faithfulness of attention: compares deleting the most attended days with deleting random days."""

import numpy as np
from numpy.typing import NDArray

from models.series.arrays import Values
from pipelines.evaluation.walk_forward.losses import ratio
from pipelines.kinds.forecasting.evaluation.rows import SplitRows
from serving.predictors.arrays import FloatArray
from serving.predictors.forecasting import Forecaster

SHARE = 0.1  # share of the days that are deleted
DRAWS = 5  # random choices of days
ROWS = 500  # test rows, evenly spaced


def faithfulness(forecaster: Forecaster, test: SplitRows, attention: FloatArray, seed: int) -> dict[str, float]:
    """How much more a forecast changes without its most attended days than without as many random days.

    After Jain and Wallace 2019 (arXiv 1902.10186), who tested words; 1 if attention is uninformative. The last day is never
    deleted, because it is the query.

    Args:
        forecaster: as it is served.
        test: the rows.
        attention: on their days, [N, L].
        seed: of the random days.

    Returns:
        attention_faithfulness, the ratio of the mean absolute changes of the forecast (of its logarithm if it is positive),
        and both changes; the mean share of attention on the most attended tenth of the days.
    """
    rows = np.linspace(0, len(test.days) - 1, min(ROWS, len(test.days))).astype(int)
    days, linear = test.days[rows], test.linear[rows]

    def forecast(some: FloatArray) -> Values:
        values = forecaster.run(some, linear)[0]
        return np.log(values) if forecaster.recipe.positive else values

    count = max(1, round(SHARE * (days.shape[1] - 1)))
    weights = attention[rows, :-1]
    most = np.argsort(-weights, axis=1)[:, :count]
    before = forecast(days)

    def change(deleted: NDArray[np.intp]) -> float:
        kept = np.ones(days.shape[:2], bool)
        np.put_along_axis(kept, deleted, False, axis=1)
        shorter = days[kept].reshape(len(days), -1, days.shape[2])
        return float(np.abs(forecast(shorter) - before).mean())

    rng = np.random.default_rng(seed)
    at_random = [change(np.argsort(rng.random(weights.shape), axis=1)[:, :count]) for _ in range(DRAWS)]
    attended, random = change(most), float(np.mean(at_random))
    top = float(np.take_along_axis(attention[rows, :-1], most, axis=1).sum(axis=1).mean())
    return {
        "attention_faithfulness": ratio(np.array([attended]), np.array([random])),
        "attention_change": attended,
        "random_change": random,
        "attention_of_top_days": top,
    }
