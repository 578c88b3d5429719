"""Begin a forecaster on a series whose level jumps after the training days, and look at its mean."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from models.forecasting.forecaster import Forecaster
from pipelines.kinds.forecasting.training import begin
from pipelines.windows import Windows, write_windows

DAYS, TRAINING = 300, 200
numbers = np.random.default_rng(0)
steps = numbers.normal(size=(DAYS, 1)).astype(np.float32)
steps[TRAINING:] += 50  # the test period is another world
arrays = {"steps": steps, "linear": steps, "targets": np.exp(0.1 * numbers.normal(size=(DAYS, 1))).astype(np.float32)}
sizes: dict[str, Any] = {"members": 1, "horizons": 1, "levels": (), "steps": 1, "averages": 1, "hidden_size": 2, "layers": 1}
model = Forecaster(loss="qlike", positive=True, linear=True, cell="gru", attention="last", attention_size=1, dropout=0.0, **sizes)
with TemporaryDirectory() as name:
    folder = Path(name)
    write_windows(folder, 5, {"it": (0, DAYS)}, arrays, {"train": np.arange(5, TRAINING)})
    begin(model, cast(Any, None), folder, Windows(folder, "train"))
print(f"mean of the training days {steps[5:TRAINING].mean():.2f}, mean that the model subtracts {float(model.step_mean[0]):.2f}")
