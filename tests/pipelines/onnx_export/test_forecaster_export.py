"""Every cell with every attention is exported as one ONNX graph that equals torch, and served forecasts have the right units."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from forecasters import LOSSES, F, K, forecaster
from torch import Tensor, nn

from models.attention.family import ATTENTIONS
from models.forecasting.forecaster import Forecaster
from models.forecasting.graph import ForecasterGraph
from models.names import CellName, DaysName
from models.recurrent.cells import CELLS
from pipelines.onnx_export.examples import ROWS, UNITS, lengths
from pipelines.onnx_export.graph import Graph, Inputs, export_graph
from serving.predictors.session import Session

pytestmark = pytest.mark.slow

DAYS: tuple[DaysName, ...] = ("last", "uniform", *ATTENTIONS)
DYNAMIC = {"days": UNITS, "lengths": ROWS, "linear": ROWS}


def inputs(count: int, length: int) -> Inputs:
    return {"days": torch.randn(count, length, F), "lengths": lengths(count, length), "linear": torch.randn(count, K)}


class Together(nn.Module):
    """Several forecasters over the same batch."""

    def __init__(self, models: Iterable[Forecaster]) -> None:
        super().__init__()
        self.graphs = nn.ModuleList(map(ForecasterGraph, models))

    def forward(self, days: Tensor, lengths: Tensor, linear: Tensor) -> tuple[Tensor, ...]:
        return tuple(part for graph in self.graphs for part in graph(days, lengths, linear))


def graph(models: Mapping[str, Forecaster]) -> Graph:
    outputs = [f"{kind}_{name}" for name in models for kind in ("forecasts", "attention")]
    return Graph("model", Together(models.values()), inputs, DYNAMIC, outputs)


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_with_every_attention_equals_torch_at_other_shapes(cell: CellName, tmp_path: Path) -> None:
    models: dict[str, Forecaster] = {days: forecaster(cell=cell, attention=days, members=1) for days in DAYS}
    assert export_graph(graph(models), tmp_path) <= 1e-5


def test_every_loss_averages_members_and_disabled_parts_stay_disabled(tmp_path: Path) -> None:
    models: dict[str, Forecaster] = {**{loss: forecaster(loss) for loss in LOSSES}, "alone": forecaster(linear=False)}
    assert export_graph(graph(models), tmp_path) <= 1e-5
    session, fed = Session(tmp_path / "model.onnx"), {name: part.numpy() for name, part in inputs(7, 5).items()}
    assert session.inputs == list(DYNAMIC)
    found, moved = (session(**fed | {"linear": fed["linear"] + step})[::2] for step in (0, 5))
    for name, values, others in zip(models, found, moved, strict=True):
        assert (np.diff(values, axis=-1) >= 0).all()
        assert np.array_equal(values, others) is (name == "alone")
