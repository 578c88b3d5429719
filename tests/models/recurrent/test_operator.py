"""The custom operator for torch.export: its declared shapes match its results, and it computes the same as the layer."""

import pytest
import torch

from models.names import CellName
from models.recurrent.cells import CELLS
from models.recurrent.layer import Recurrent
from models.recurrent.operator import recurrent


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_the_operator_matches_its_declaration(name: CellName, bidirectional: bool) -> None:
    torch.manual_seed(0)
    layer = Recurrent(name, 3, 4, bidirectional=bidirectional).requires_grad_(requires_grad=False)
    x, lengths, state = torch.randn(2, 5, 3), torch.tensor([5, 2]), torch.randn(layer.directions, 2, layer.state_size)
    arguments = (x, lengths, state, layer.weights(0), name)
    torch.library.opcheck(recurrent, arguments, test_utils=("test_schema", "test_faketensor"))
    for a, b in zip(recurrent(*arguments), layer(x, lengths, state), strict=True):
        assert torch.equal(a, b)
