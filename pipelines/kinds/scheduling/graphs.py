"""The scheduler's ONNX graph."""

from pathlib import Path
from typing import Any

import torch

from models.scheduling.graph import SchedulerGraph
from models.scheduling.scheduler import Scheduler
from pipelines.kinds.scheduling.settings import SchedulingTask
from pipelines.onnx_export.examples import ROWS, UNITS, lengths
from pipelines.onnx_export.graph import Graph, Inputs
from serving.bundle import OrderLimits

MOST = 100.0  # highest risk aversion in an example


def graphs(model: Scheduler, _: SchedulingTask) -> list[Graph]:
    """See `pipelines.kinds.parts.Graphs`."""
    calendar, longest = model.effects.in_features, model.longest

    def example(batch: int, length: int) -> Inputs:
        numbers = model.step_mean + model.step_deviation * torch.randn(batch, length, model.steps)
        days = torch.cat((numbers, torch.randint(2, (batch, length, calendar)).float()), -1)
        ahead = torch.randint(2, (batch, longest, calendar)).float()
        order = {"horizon": torch.randint(1, longest + 1, (batch,)), "aversion": MOST * torch.rand(batch)}
        return {"days": days, "lengths": lengths(batch, length), "ahead": ahead, **order}

    dynamic = {"days": UNITS, "lengths": ROWS, "ahead": ROWS, "horizon": ROWS, "aversion": ROWS}
    return [Graph("model", SchedulerGraph(model), example, dynamic, ["schedule", "volumes"])]


def description(model: Scheduler, task: SchedulingTask, _: Path) -> dict[str, Any]:
    """See `pipelines.kinds.parts.Graphs`."""
    export = task.export
    return {"orders": OrderLimits(longest=model.longest, most_share=export.most_share, most_aversion=export.most_aversion)}
