"""Compare what the served forecaster reads with what the recipe gives in training."""

from typing import Any

import numpy as np

from models.series.arrays import Values
from models.series.recipe import Recipe
from serving.predictors.arrays import FloatArray
from serving.predictors.forecasting import Forecaster
from serving.predictors.watch import Watch

sizes: dict[str, Any] = {"window": 8, "averages": (1, 5), "season": 0, "horizons": (1,), "level": 0.0, "history": 0}
recipe = Recipe(quantity="value", target="load", inputs=(), aggregate="mean", **sizes)


class Reader(Forecaster):
    """A forecaster without a network: it keeps what the network would have read."""

    read: FloatArray

    def __init__(self) -> None:
        self.recipe = recipe

    def run(
        self, days: FloatArray, linear: FloatArray, *, batch_size: int = 1, watch: Watch | None = None
    ) -> tuple[Values, FloatArray]:
        """Keep the days."""
        del batch_size, watch  # one batch, which nothing interrupts
        self.read = days
        return np.zeros((len(linear), 1, 1)), days


columns = {"load": 100 + 10 * np.sin(np.arange(60.0))}
served = Reader()
served.forecast([columns])
trained = recipe.features(columns).steps[-recipe.window :]
print(f"serving reads the same days as training, up to a difference of {np.abs(served.read[0] - trained).max():.2f}")
