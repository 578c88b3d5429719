"""Multi-head attention."""

import math

from torch import Tensor, nn

from models.attention.interface import weighted_mean
from models.attention.multiplicative import scaled_dot


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention in parallel heads, each with its own projections.

    Vaswani et al. 2017, arXiv 1706.03762, section 3.2.2:

        head_i             = Attention(Q W_i^Q, K W_i^K, V W_i^V)
        MultiHead(Q, K, V) = Concat(head_1, ..., head_h) W^O

    The memory is both K and V. The heads' matrices are stacked in one matrix: head i has rows i d_k to (i + 1) d_k, with
    d_k = d_v = A / h. See Attention for the interface; keys and values are the memory's projections, both of size A, and the
    weights are the mean over the heads.

    Args:
        query_size: size Q of a query.
        memory_size: size M of a memory position.
        attention_size: size A of all heads together and of the context.
        heads: number of heads h.

    Raises:
        ValueError: attention_size is not a multiple of heads.
    """

    gain = math.inf

    def __init__(self, query_size: int, memory_size: int, attention_size: int, heads: int) -> None:
        super().__init__()
        if attention_size % heads:
            raise ValueError(f"attention_size {attention_size} is not a multiple of {heads} heads")
        self.heads, self.context_size = heads, attention_size
        self.query = nn.Linear(query_size, attention_size, bias=False)  # W^Q
        self.key = nn.Linear(memory_size, attention_size, bias=False)  # W^K
        self.value = nn.Linear(memory_size, attention_size, bias=False)  # W^V
        self.output = nn.Linear(attention_size, attention_size, bias=False)  # W^O

    def prepare(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """K W^K and V W^V of all heads: [B, S, M] -> [B, S, A] twice."""
        return self.key(memory), self.value(memory)

    def forward(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See Attention."""
        q, k, v = (self._split(x) for x in (self.query(query), keys, values))
        contexts, weights = weighted_mean(scaled_dot(q, k), v, mask[:, None, None])  # [B, h, T, d_v], [B, h, T, S]
        return self.output(contexts.transpose(1, 2).flatten(2)), weights.mean(1)

    def _split(self, x: Tensor) -> Tensor:
        """Each head's features: [B, T, A] -> [B, h, T, d_k]."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)
