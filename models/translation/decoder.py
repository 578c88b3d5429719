"""A recurrent decoder that attends to the source."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.attention.additive import BahdanauAttention
from models.attention.family import ATTENTIONS
from models.attention.interface import Attention
from models.dropout import Dropout
from models.names import CellName, ContextName
from models.recurrence import AttentiveGRURecurrence, recur
from models.recurrent.affine import Affine, MakeAffine
from models.recurrent.cells import CELLS
from models.recurrent.layer import Gates, Recurrent
from models.translation.fixed import FixedVector

EARLY = ("bahdanau", "fixed")  # their context is an input of the recurrent layer; that of the others is combined with its output


class Memory(NamedTuple):
    """The source as the decoder's attention reads it: keys [B, S, K], values [B, S, C], mask [B, S], False at padding."""

    keys: Tensor
    values: Tensor
    mask: Tensor


class Maps(NamedTuple):
    """The affine maps of a step: those of each recurrent layer, and W_o."""

    gates: Sequence[Gates]
    output: Affine


class Advanced(NamedTuple):
    """A step: s_t [B, K, H] of the top layer, c_t [B, K, C], alpha_t [B, K, S], and the state after it [B, K, P]."""

    top: Tensor
    context: Tensor
    weights: Tensor
    state: Tensor


class Decoder(nn.Module):
    """Layers of a recurrent cell with a deep output layer, tied to the embeddings.

    Early attention, as in Bahdanau et al. 2015 (arXiv 1409.0473, A.2.2): the context is part of the layer's input, and the query
    is the state before the step. A fixed vector is used the same way.

        c_t = attention(s_{t-1}, h)
        s_t = RNN([E y_{t-1}; c_t], s_{t-1})

    Late attention, as in Luong et al. 2015 (arXiv 1508.04025, section 3): the query is the state after the step. With input
    feeding (3.3), the layer also reads the last output.

        s_t = RNN([E y_{t-1}; o_{t-1}], s_{t-1})
        c_t = attention(s_t, h)

    In both cases

        o_t    = tanh(W_o [s_t; E y_{t-1}; c_t])
        p(y_t) = softmax(E o_t + b)

    The same tanh layer replaces Bahdanau's maxout and Luong's attentional layer, and the output matrix is the embedding table
    (Press and Wolf 2017, arXiv 1608.05859).

    Args:
        embedding: table E, [V, d].
        cell: see models.recurrent.cells.
        hidden_size: size H of s.
        layers: L.
        memory_size: size M of an annotation h_j.
        attention: name of the attention, or `fixed` for none.
        attention_size: size A of its hidden layer, or of all its heads.
        heads: of multi-head attention.
        input_feeding: only for late attention.
        dropout: share of embedded units, of o_t, and of the outputs between layers, set to zero in training.
        weight_dropout: see Recurrent.

    Raises:
        ValueError: the sizes do not match the attention, or input feeding is combined with early attention.
    """

    def __init__(
        self,
        embedding: nn.Embedding,
        *,
        cell: CellName,
        hidden_size: int,
        layers: int,
        memory_size: int,
        attention: ContextName,
        attention_size: int,
        heads: int,
        input_feeding: bool,
        dropout: float,
        weight_dropout: float,
    ) -> None:
        super().__init__()
        if input_feeding and attention in EARLY:
            raise ValueError(f"input_feeding needs attention whose query is the state after the step, not {attention}")
        size = embedding.embedding_dim
        self.embedding, self.dropout = embedding, Dropout(dropout)
        self.attention: Attention = (
            FixedVector(memory_size)
            if attention == "fixed"
            else ATTENTIONS[attention](hidden_size, memory_size, attention_size, heads)
        )
        self.early, self.fed = attention in EARLY, size if input_feeding else 0
        inputs = size + (self.attention.context_size if self.early else self.fed)
        self.recurrent = Recurrent(cell, inputs, hidden_size, layers=layers, dropout=dropout, weight_dropout=weight_dropout)
        self.output = nn.Linear(hidden_size + size + self.attention.context_size, size)  # W_o
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))

    def prepare(self, memory: Tensor, mask: Tensor) -> Memory:
        """The part of the attention that does not depend on the step, from annotations [B, S, M] and their mask [B, S]."""
        return Memory(*self.attention.prepare(memory), mask)

    def begin(self, state: Tensor) -> Tensor:
        """The full state before the first step, [B, P]: that of the layers [B, L * S] and, with input feeding, a zero output."""
        return functional.pad(state, (0, self.fed))

    def maps(self, make: MakeAffine) -> Maps:
        """The affine maps of a step, made by `make`, for `stepper`."""
        hidden = CELLS[self.recurrent.cell].bound
        embedded = float(self.embedding.weight.detach().abs().max())
        context = hidden * self.attention.gain
        inputs = max(embedded, context if self.early else 1.0 if self.fed else 0.0)
        output = make(self.output.weight, self.output.bias, max(hidden, embedded, context))
        return Maps(self.recurrent.gates(make, inputs), output)

    def stepper(self, memory: Memory, maps: Maps | None = None) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
        """A step for K hypotheses of each source.

        Args:
            memory: from `prepare`.
            maps: from `maps`; exact ones if None.

        Returns:
            A function from E y_{t-1} [B, K, d] and the state before it [B, K, P] to o_t [B, K, d], the state after it, and
            alpha_t [B, K, S].
        """
        maps = maps or Maps(self.recurrent.gates(), self.output)
        advance, output = self._advance(memory, maps.gates), maps.output

        def step(embedded: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            after = advance(embedded, state)
            now = self._deep_output(output, after.top, embedded, after.context)
            state = torch.cat((after.state, now), -1) if self.fed else after.state
            return now, state, after.weights

        return step

    def _advance(self, memory: Memory, gates: Sequence[Gates] | None = None) -> Callable[[Tensor, Tensor], Advanced]:
        """The step without its output."""
        run_layers, hidden = self.recurrent.stepper(gates), self.recurrent.hidden_size

        def advance(embedded: Tensor, state: Tensor) -> Advanced:
            layers = state[..., : state.shape[-1] - self.fed]
            if self.early:
                top = layers[..., layers.shape[-1] - self.recurrent.state_size :][..., :hidden]  # s_{t-1}
                context, weights = self.attention(top, *memory)
                top, layers = run_layers(torch.cat((embedded, context), -1), layers)
            else:
                top, layers = run_layers(torch.cat((embedded, state[..., layers.shape[-1] :]), -1), layers)
                context, weights = self.attention(top, *memory)
            return Advanced(top, context, weights, layers)

        return advance

    def forward(self, previous: Tensor, state: Tensor, memory: Memory) -> Tensor:
        """Teacher forcing: read the reference's units and return the output layer's inputs o_t, [B, T, d].

        Args:
            previous: y_0 .. y_{T-1}, ids, [B, T].
            state: from `begin`, [B, P].
            memory: from `prepare`.
        """
        embedded = self.dropout(self.embedding(previous))  # [B, T, d]
        if self.fed:
            step, outputs, now = self.stepper(memory), list[Tensor](), state[:, None]
            for x in torch.split(embedded, 1, 1):
                output, now, _ = step(x, now)
                outputs.append(output)
            return torch.cat(outputs, 1)
        if not isinstance(self.attention, BahdanauAttention):
            tops, contexts = self._whole(embedded, state, memory)
        elif self.recurrent.cell == "gru" and len(self.recurrent.layers) == 1:
            tops, contexts = self._by_hand(self.attention, embedded, state, memory)
        else:
            tops, contexts = self._unrolled(embedded, state, memory)
        return self._deep_output(self.output, tops, embedded, contexts)

    def _whole(self, embedded: Tensor, state: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Run all steps of the layers at once, if steps depend on one another only through the state; then all queries.

        A fixed vector is part of all inputs.
        """
        lengths = torch.full((len(embedded),), embedded.shape[1])  # on the CPU, where they are needed
        first = state.view(len(state), -1, self.recurrent.state_size).transpose(0, 1)  # [L, B, S]
        if not self.early:
            tops, _ = self.recurrent(embedded, lengths, first)
            contexts, _ = self.attention(tops, *memory)
            return tops, contexts
        contexts, _ = self.attention(embedded, *memory)
        tops, _ = self.recurrent(torch.cat((embedded, contexts), -1), lengths, first)
        return tops, contexts

    def _unrolled(self, embedded: Tensor, state: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Step by step."""
        advance, steps, now = self._advance(memory), list[Advanced](), state[:, None]
        for x in torch.split(embedded, 1, 1):
            steps.append(advance(x, now))
            now = steps[-1].state
        return torch.cat([step.top for step in steps], 1), torch.cat([step.context for step in steps], 1)

    def _by_hand(self, attention: BahdanauAttention, embedded: Tensor, state: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        w_ih, w_hh, b_ih, b_hh = self.recurrent.weights(0)
        size = embedded.shape[2]
        states, contexts = recur(
            AttentiveGRURecurrence,
            w_hh.dtype,  # the type of the loop's state, under autocast too
            functional.linear(embedded, w_ih[:, :size], b_ih).transpose(0, 1),
            state,
            *memory,
            attention.energy.weight[0],
            torch.cat((attention.query.weight, w_hh)),
            functional.pad(b_hh, (attention.query.out_features, 0)),
            w_ih[:, size:],
        )
        return states.transpose(0, 1), contexts.transpose(0, 1)

    def sampled(self, previous: Tensor, state: Tensor, memory: Memory, teacher: float) -> Tensor:
        """Scheduled sampling (Bengio et al. 2015, arXiv 1506.03099): `forward`, but partly with the model's own units.

        Each unit is the reference's with probability `teacher`, and otherwise sampled from the model's previous output.
        """
        step, outputs, now, latest = self.stepper(memory), list[Tensor](), state[:, None], previous[:, :1]
        for t in range(previous.shape[1]):
            output, now, _ = step(self.dropout(self.embedding(latest)), now)
            outputs.append(output)
            own = torch.multinomial(torch.softmax(self.logits(output.detach())[:, 0].float(), 1), 1)  # [B, 1]
            forced = torch.rand(own.shape, device=own.device) < teacher
            latest = torch.where(forced, previous[:, t + 1 : t + 2], own) if t + 1 < previous.shape[1] else latest
        return torch.cat(outputs, 1)

    def _deep_output(self, output: Affine, state: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        """o_t of any leading shape: [..., H], [..., d], [..., C] -> [..., d]."""
        outputs: Tensor = self.dropout(torch.tanh(output(torch.cat((state, embedded, context), -1))))
        return outputs

    def logits(self, output: Tensor) -> Tensor:
        """E o_t + b: [..., d] -> [..., V]."""
        return functional.linear(output, self.embedding.weight, self.bias)
