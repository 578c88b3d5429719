"""The forecaster's ONNX graph."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.forecasting.forecaster import Forecaster
from models.forecasting.graph import ForecasterGraph
from pipelines.kinds.forecasting.settings import ForecastingTask
from pipelines.onnx_export.examples import ROWS, UNITS, lengths
from pipelines.onnx_export.graph import Graph, Inputs
from serving.bundle import Forecast


def graphs(model: Forecaster, _: ForecastingTask) -> list[Graph]:
    """See `pipelines.kinds.parts.Graphs`."""
    steps, averages = len(model.step_mean), len(model.linear_mean)

    def example(batch: int, length: int) -> Inputs:
        days = model.step_mean + model.step_deviation * torch.randn(batch, length, steps)
        linear = model.linear_mean + model.linear_deviation * torch.randn(batch, averages)
        return {"days": days, "lengths": lengths(batch, length), "linear": linear}

    dynamic = {"days": UNITS, "lengths": ROWS, "linear": ROWS}
    return [Graph("model", ForecasterGraph(model), example, dynamic, ["forecasts", "attention"])]


def description(model: Forecaster, task: ForecastingTask, _: Path) -> dict[str, Any]:
    """See `pipelines.kinds.parts.Graphs`."""
    ratios = tuple(map(tuple, model.ratios.double().tolist())) if model.loss == "qlike" else ()
    attention = task.model.attention not in ("last", "uniform")
    units = {} if model.positive else {"mean": _numbers(model.target_mean), "deviation": _numbers(model.target_deviation)}
    return {"forecast": Forecast(loss=model.loss, levels=tuple(task.model.levels), ratios=ratios, attention=attention, **units)}


def _numbers(tensor: Tensor) -> tuple[float, ...]:
    return tuple(tensor.double().tolist())
