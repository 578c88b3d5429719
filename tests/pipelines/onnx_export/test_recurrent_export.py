"""Every cell is exported as the standard ONNX operator, for any depth and direction, and equals torch at other shapes."""

from pathlib import Path
from typing import get_args

import onnx
import pytest
import torch
from torch import Tensor, nn

from models.names import CellName
from models.recurrent.layer import Recurrent
from pipelines.onnx_export.graph import Graph, export_graph

pytestmark = pytest.mark.slow

D, H = 3, 4
NAMES: tuple[CellName, ...] = get_args(CellName)


class Every(nn.Module):
    """Each cell in one direction and in both, over the same batch; every layer and direction has a different initial state."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.networks = nn.ModuleList(
            Recurrent(cell, D, H, layers=depth, bidirectional=both, dropout=0.5, weight_dropout=0.5)
            for cell in NAMES
            for both in (False, True)
        )

    def forward(self, x: Tensor, lengths: Tensor, state: Tensor) -> tuple[Tensor, ...]:
        outputs: list[Tensor] = []
        for network in self.networks:
            assert isinstance(network, Recurrent)
            each = torch.arange(1, len(network.layers) * network.directions + 1)[:, None, None]
            outputs += network(x, lengths, state[None, :, : network.state_size] / each)
        return tuple(outputs)


def inputs(batch: int, length: int) -> dict[str, Tensor]:
    lengths = torch.randint(1, length + 1, (batch,))
    return {"x": torch.randn(batch, length, D), "lengths": lengths, "state": torch.randn(batch, 2 * H)}


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_every_cell_equals_torch_at_other_shapes(depth: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Every(depth)
    names = [f"{kind}{i}" for i in range(len(module.networks)) for kind in ("outputs", "final")]
    graph = Graph(
        "model", module, inputs, {"x": {0: "batch", 1: "length"}, "lengths": {0: "batch"}, "state": {0: "batch"}}, names
    )
    assert export_graph(graph, tmp_path) <= 1e-5
    operators = [node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node]
    assert {name: operators.count(name) for name in ("RNN", "LSTM", "GRU")} == {
        "RNN": 4 * depth,
        "LSTM": 4 * depth,
        "GRU": 2 * depth,
    }
    assert not {"Loop", "Scan", "Dropout"} & set(operators)
