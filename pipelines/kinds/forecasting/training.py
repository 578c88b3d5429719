"""Steps before and after training of the forecaster."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.forecasting.forecaster import RATIOS, Forecaster
from pipelines.kinds.forecasting.settings import ForecastingTask
from pipelines.store import Rows
from pipelines.training.batches import loader
from pipelines.windows import Windows

RIDGE = 1e-3  # regularization of the normalized means, which are nearly collinear


def begin(model: Forecaster, _: ForecastingTask, __: Path, train: Rows) -> None:
    """See `pipelines.kinds.parts.Training`: normalization, and a linear part fitted by least squares."""
    rows = _windows(train)
    linear, target = _read(rows.linear, rows.ends), _read(rows.targets, rows.ends)
    model.normalize_by(_read(rows.steps, rows.ends), linear, target)
    z = _transformed(model, target)  # [N, H]
    means = (linear - model.linear_mean) / model.linear_deviation
    if not model.has_linear:
        means = torch.zeros_like(means)
    gram = means.T @ means + RIDGE * len(means) * torch.eye(means.shape[1])
    weights = torch.linalg.solve(gram, means.T @ (z - z.mean(0))).T  # [H, K]
    if model.loss == "event":
        share = target.mean(0)[:, None]  # converts the slope of the probability to that of the logit
        model.begin_with((weights / (share * (1 - share))).float(), torch.logit(share).float())
    else:
        model.begin_with(weights.float(), _biases(model, z - means @ weights.T))


def finish(model: Forecaster, task: ForecastingTask, valid: Rows) -> None:
    """See `pipelines.kinds.parts.Training`: the quantiles of observations over forecasts."""
    if model.loss != "qlike":
        return
    model.eval()
    found = list[NDArray[np.float32]]()
    with torch.no_grad():
        for batch in loader(valid, task.train.batch_units, 0, shuffle=False):
            forecast, _ = model.predict(batch["days"], batch["days_lengths"], batch["linear"])
            found.append((batch["target"] / torch.exp(forecast[..., 0])).numpy())
    levels = np.arange(1, RATIOS + 1) / (RATIOS + 1)
    model.ratios.copy_(torch.from_numpy(np.quantile(np.concatenate(found), levels, axis=0).T))


def _windows(rows: Rows) -> Windows:
    if not isinstance(rows, Windows):
        raise TypeError("a forecaster is trained on windows")
    return rows


def _read(values: NDArray[np.float32], places: NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(np.asarray(values[places])).double()


def _transformed(model: Forecaster, target: Tensor) -> Tensor:
    """The targets on the scale of the outputs z; for an event, whether it occurred, [N, H]."""
    if model.loss == "event":
        return target
    return torch.log(target) if model.positive else (target - model.target_mean) / model.target_deviation


def _biases(model: Forecaster, rest: Tensor) -> Tensor:
    """The bias of each horizon and level, from the linear part's residuals, [N, H] -> [H, Q]."""
    if model.loss == "qlike":  # the log of the mean, not the mean of the log, which is lower (Jensen's inequality)
        return torch.log(torch.exp(rest).mean(0))[:, None].float()
    return torch.quantile(rest, model.levels.double(), dim=0).T.float()
