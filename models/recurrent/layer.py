"""A recurrent network over ragged batches: any cell, any depth, one direction or both."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.dropout import Dropout
from models.names import CellName
from models.recurrent.affine import Affine, MakeAffine, exact
from models.recurrent.cells import CELLS
from models.recurrent.operator import recurrent
from models.recurrent.paths import run

Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Gates(NamedTuple):
    """A layer's W x_t + b and U h_{t-1} + b', and the peepholes of a direction, empty for most cells."""

    inputs: Affine
    recurrent: Affine
    peepholes: Sequence[Tensor]


class Recurrent(nn.Module):
    """Stacked layers of a cell, each reading the states h_t of the layer below. Padding is neither read nor written.

    For every cell the state is one tensor, [L * D, B, S]: L layers, with the D directions of a layer side by side, and S = H or,
    for an LSTM, 2H: [h_t; C_t]. To continue the same rows in the next batch (truncated backpropagation through time), pass the
    final state's `detach()`.

    Args:
        cell: rnn, rnn_relu, lstm, peephole or gru; their equations are in models.recurrent.cells.
        input_size: d, of x_t.
        hidden_size: H, of h_t.
        layers: L.
        bidirectional: also run each layer from each row's last unit to its first, and concatenate the two h_t.
        dropout: share of each layer's outputs set to zero in training, except the last layer's.
        weight_dropout: share of the weights U from h_{t-1} to h_t set to zero in training, the same ones at every step
            (Merity et al. 2018, arXiv 1708.02182, section 2).
    """

    def __init__(
        self,
        cell: CellName,
        input_size: int,
        hidden_size: int,
        *,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        weight_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        kind, self.directions = CELLS[cell], 2 if bidirectional else 1
        self.cell, self.weight_dropout = cell, weight_dropout
        self.hidden_size, self.state_size = hidden_size, kind.parts * hidden_size
        sizes = [input_size, *[self.directions * hidden_size] * (layers - 1)]
        # Torch's layers hold the weights in cuDNN's layout; models.recurrent.paths does the computation.
        self.layers = nn.ModuleList(kind.layer(size, hidden_size, bidirectional=bidirectional) for size in sizes)
        bound, peepholes = hidden_size**-0.5, layers if kind.peepholes else 0
        self.peepholes = nn.ParameterList(
            torch.empty(self.directions, kind.peepholes * hidden_size).uniform_(-bound, bound) for _ in range(peepholes)
        )
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, lengths: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Run all layers.

        Args:
            x: [B, T, d].
            lengths: [B], each row's number of units, at least 1.
            state: the state before the first unit, [L * D, B, S]; zeros if None.

        Returns:
            outputs: h_t of the last layer, [B, T, D * H], zero at the padding.
            final: [L * D, B, S], the state after each row's last unit (of the second direction: after its first).
        """
        if state is None:
            count = len(self.layers) * self.directions
            state = next(self.parameters()).new_zeros(count, x.shape[0], self.state_size)
        finals: list[Tensor] = []
        for k, first in enumerate(state.chunk(len(self.layers))):
            inputs = self.dropout(x) if k else x
            if torch.compiler.is_exporting():
                x, final = recurrent(inputs, lengths, first, self.weights(k), self.cell)
            else:
                x, final = run(self.cell, inputs, lengths, first, self.weights(k))
            finals.append(final)
        return x, torch.cat(finals)

    def gates(self, make: MakeAffine = exact, bound: float = math.inf) -> list[Gates]:
        """The affine maps of each layer, in one direction. Weight dropout is sampled here.

        Args:
            make: makes an affine map from its weights.
            bound: largest magnitude of a component of x_t.
        """
        own, gates = CELLS[self.cell].bound, list[Gates]()
        for k in range(len(self.layers)):
            w_ih, w_hh, b_ih, b_hh, *peepholes = self.weights(k)
            gates.append(Gates(make(w_ih, b_ih, own if k else bound), make(w_hh, b_hh, own), peepholes))
        return gates

    def stepper(self, gates: Sequence[Gates] | None = None) -> Step:
        """One step of all layers by the cell's equations, in one direction, for a loop whose input depends on its state.

        Args:
            gates: from `gates`; created if None.

        Returns:
            A function from x_t [..., d] and the state before it [..., L * S], those of the layers side by side, to h_t of the
            last layer [..., H] and the state after it.
        """
        cell, layers, size = CELLS[self.cell].step, gates or self.gates(), self.hidden_size

        def step(x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
            after: list[Tensor] = []
            for layer, before in zip(layers, state.chunk(len(layers), -1), strict=True):
                inputs = layer.inputs(self.dropout(x) if after else x)
                after.append(cell(inputs, layer.recurrent(before[..., :size]), before, *layer.peepholes))
                x = after[-1][..., :size]
            return x, torch.cat(after, -1)

        return step

    def weights(self, k: int) -> list[Tensor]:
        """The weights of layer k, as models.recurrent.paths takes them, after weight dropout."""
        weights: list[Tensor] = []
        for direction, (w_ih, w_hh, b_ih, b_hh) in enumerate(cast(nn.RNNBase, self.layers[k]).all_weights):
            weights += [w_ih, functional.dropout(w_hh, self.weight_dropout, self.training), b_ih, b_hh]
            if self.peepholes:
                weights.append(self.peepholes[k][direction])
        return weights
