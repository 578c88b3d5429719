"""Encoder and decoder with attention: Bahdanau, Cho and Bengio 2015 (arXiv 1409.0473), Appendix A."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.attention.additive import BahdanauAttention
from models.dropout import Dropout
from models.loss import Loss, token_loss
from models.recurrence import AttentiveGRURecurrence, gru_gates, recur
from models.recurrent.layer import Recurrent
from models.recurrent.ragged import length_mask
from models.text.special import PAD


class Encoder(nn.Module):
    """Bidirectional GRU over the source; also the decoder's first state (A.2.1 and A.2.2).

    Args:
        embedding: the source's embedding table, [V, d].
        hidden_size: H of each direction and of the decoder.
        dropout: share of embedded units' features set to zero in training.
    """

    def __init__(self, embedding: nn.Embedding, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.embedding = embedding
        self.dropout = Dropout(dropout)
        self.gru = Recurrent("gru", embedding.embedding_dim, hidden_size, bidirectional=True)
        self.bridge = nn.Linear(hidden_size, hidden_size)  # W_s

    def forward(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Read the source.

        Args:
            source: ids, [B, S].
            lengths: [B].

        Returns:
            memory [B, S, 2H]: annotations h_j, the two directions' states side by side; s_0 [B, H].
        """
        outputs, final = self.gru(self.dropout(self.embedding(source)), lengths)
        return outputs, torch.tanh(self.bridge(final[1]))  # s_0 = tanh(W_s of the backward state at j = 1)


class Decoder(nn.Module):
    """GRU that attends to the source before each step (A.2.2), with a deep output layer tied to the embeddings.

        c_t = attention(s_{t-1}, h)
        s_t = GRU([E y_{t-1}; c_t], s_{t-1})
        o_t = tanh(W_o [s_t; E y_{t-1}; c_t])
        p(y_t) = softmax(E o_t + b)

    The paper's maxout becomes a tanh and its output matrix the embedding table (Press and Wolf 2017, arXiv 1608.05859).

    Args:
        embedding: table E, [V, d].
        hidden_size: size H of s.
        attention_size: size A of the attention's hidden layer.
        dropout: share of embedded units and of o_t set to zero in training.
    """

    def __init__(self, embedding: nn.Embedding, hidden_size: int, attention_size: int, dropout: float) -> None:
        super().__init__()
        size, memory_size = embedding.embedding_dim, 2 * hidden_size
        self.embedding = embedding
        self.dropout = Dropout(dropout)
        self.attention = BahdanauAttention(hidden_size, memory_size, attention_size)
        self.from_embedding = nn.Linear(size, 3 * hidden_size)  # W of the three gates, the half that reads E y_{t-1}
        self.from_context = nn.Linear(memory_size, 3 * hidden_size, bias=False)  # the half that reads c_t
        self.from_state = nn.Linear(hidden_size, 3 * hidden_size)  # U
        self.output = nn.Linear(hidden_size + size + memory_size, size)  # W_o
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))

    def step(self, inputs: Tensor, state: Tensor, keys: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One step of the recurrence.

        Args:
            inputs: `from_embedding` of y_{t-1}, [B, 3H]: it needs no state, so training computes all T of them at once.
            state: s_{t-1}, [B, H].
            keys: from the attention's `prepare`, [B, S, A].
            memory: the annotations, [B, S, 2H].
            mask: [B, S], True where the source has a unit.

        Returns:
            s_t [B, H], c_t [B, 2H] and alpha_t [B, S].
        """
        contexts, weights = self.attention(state[:, None], keys, memory, mask)  # of one query: [B, 1, 2H], [B, 1, S]
        context = contexts[:, 0]
        state, _ = gru_gates(inputs + self.from_context(context), self.from_state(state), state)
        return state, context, weights[:, 0]

    def forward(self, previous: Tensor, state: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """Teacher forcing: read the reference's units and return the output layer's inputs o_t, [B, T, d].

        Args:
            previous: y_0 .. y_{T-1}, ids, [B, T].
            state: s_0, [B, H].
            memory: see `step`.
            mask: see `step`.
        """
        embedded = self.dropout(self.embedding(previous))  # [B, T, d]
        keys, values = self.attention.prepare(memory)
        exact = self.from_state.weight.dtype  # the loop's state stays in it under autocast too
        states, contexts = recur(
            AttentiveGRURecurrence,
            exact,
            self.from_embedding(embedded).transpose(0, 1),
            state,
            keys,
            values,
            mask,
            self.attention.energy.weight[0],
            torch.cat((self.attention.query.weight, self.from_state.weight)),
            functional.pad(self.from_state.bias, (self.attention.query.out_features, 0)),
            self.from_context.weight,
        )
        return self.deep_output(states.transpose(0, 1), embedded, contexts.transpose(0, 1))

    def deep_output(self, state: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        """o_t of any leading shape: [..., H], [..., d], [..., 2H] -> [..., d]."""
        outputs: Tensor = self.dropout(torch.tanh(self.output(torch.cat((state, embedded, context), -1))))
        return outputs

    def logits(self, output: Tensor) -> Tensor:
        """E o_t + b: [..., d] -> [..., V]."""
        return functional.linear(output, self.embedding.weight, self.bias)


class Translator(nn.Module):
    """Source ids to target ids, with one vocabulary of size V for both sides.

    Args:
        vocabulary_size: V.
        embedding_size: d.
        hidden_size: H.
        attention_size: A.
        dropout: see Encoder and Decoder.
        label_smoothing: share of the probability spread over all units in the training loss.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        embedding_size: int,
        hidden_size: int,
        attention_size: int,
        dropout: float,
        label_smoothing: float,
    ) -> None:
        super().__init__()
        embedding = nn.Embedding(vocabulary_size, embedding_size, padding_idx=PAD)
        nn.init.normal_(embedding.weight, std=embedding_size**-0.5)  # tied: keeps the first logits near unit variance
        self.encoder = Encoder(embedding, hidden_size, dropout)
        self.decoder = Decoder(embedding, hidden_size, attention_size, dropout)
        self.label_smoothing = label_smoothing

    def forward(self, source: Tensor, source_lengths: Tensor, target: Tensor, target_lengths: Tensor) -> Loss:
        """Cross-entropy of the target, in nats, over its T - 1 units after BOS.

        Args:
            source: [B, S], ending with EOS.
            source_lengths: [B].
            target: [B, T], BOS first and EOS last.
            target_lengths: [B].
        """
        memory, state = self.encoder(source, source_lengths)
        outputs = self.decoder(target[:, :-1], state, memory, length_mask(source_lengths, source.shape[1]))
        scored = length_mask(target_lengths - 1, outputs.shape[1])  # drop the padding before the widest layer
        return token_loss(
            outputs[scored],
            self.decoder.embedding.weight,
            self.decoder.bias,
            target[:, 1:][scored],
            label_smoothing=self.label_smoothing if self.training else 0.0,
        )
