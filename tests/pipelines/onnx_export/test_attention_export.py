"""Every exported attention equals torch for other batch sizes, memory lengths and numbers of queries."""

from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn

from models.attention.family import ATTENTIONS
from models.attention.pooling import AttentionPooling
from models.attention.self_attention import SelfAttention
from models.names import AttentionName
from models.recurrent.ragged import length_mask
from pipelines.onnx_export.examples import ROWS, UNITS, lengths
from pipelines.onnx_export.graph import Graph, export_graph

pytestmark = pytest.mark.slow

M, A, HEADS = 6, 4, 2


class Every(nn.Module):
    """Attends to a memory with one query more than it has positions, with a single query, and with the memory itself."""

    def __init__(self, name: AttentionName) -> None:
        super().__init__()
        self.attention = ATTENTIONS[name](M, M, A, HEADS)
        self.itself = SelfAttention(ATTENTIONS[name](M, M, A, HEADS))
        self.pooling = AttentionPooling(M, A)

    def forward(self, memory: Tensor, lengths: Tensor, state: Tensor) -> tuple[Tensor, ...]:
        mask = length_mask(lengths, memory.shape[1])
        keys, values = self.attention.prepare(memory)
        several = torch.cat((state[:, None], memory.tanh()), 1)
        return (
            *self.attention(several, keys, values, mask),
            *self.attention(state[:, None], keys, values, mask),
            *self.itself(memory, mask),
            *self.pooling(memory, mask),
        )


def inputs(batch: int, length: int) -> dict[str, Tensor]:
    return {"memory": torch.randn(batch, length, M), "lengths": lengths(batch, length), "state": torch.randn(batch, M)}


@pytest.mark.parametrize("name", ATTENTIONS)
def test_every_attention_equals_torch_at_other_shapes(name: AttentionName, tmp_path: Path) -> None:
    torch.manual_seed(0)
    outputs = [f"{kind}_{who}" for who in ("several", "single", "itself", "pooling") for kind in ("context", "weights")]
    graph = Graph("model", Every(name), inputs, {"memory": UNITS, "lengths": ROWS, "state": ROWS}, outputs)
    assert export_graph(graph, tmp_path) <= 1e-5
    assert not {"Loop", "Scan"} & {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node}
