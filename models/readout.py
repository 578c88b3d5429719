"""One output for a sequence, read from the last state of a recurrent layer."""

import torch
from torch import Tensor, nn

from models.names import CellName
from models.recurrent.gradients import Steps, unroll
from models.recurrent.layer import Recurrent


class LastStateReadout(nn.Module):
    """y = V h_T + c: the last state has to hold all information from earlier steps.

    Args:
        cell: rnn, lstm or gru.
        input_size: d, of x_t.
        hidden_size: H.
        outputs: K, size of y.
    """

    def __init__(self, cell: CellName, input_size: int, hidden_size: int, outputs: int) -> None:
        super().__init__()
        self.recurrent = Recurrent(cell, input_size, hidden_size)
        self.output = nn.Linear(hidden_size, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Sequences of one length, [B, T, d] -> [B, K]."""
        outputs, _ = self.recurrent(x, torch.full((len(x),), x.shape[1], device=x.device))
        answers: Tensor = self.output(outputs[:, -1])
        return answers

    def traced(self, x: Tensor) -> tuple[Tensor, Steps]:
        """Like `forward`, but by the cell's equations, and with all intermediate states, for `state_gradients`."""
        steps = unroll(self.recurrent, x)
        return self.output(steps.states[-1][:, : self.output.in_features]), steps
