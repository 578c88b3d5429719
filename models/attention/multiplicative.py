"""Multiplicative attention: the score is a product of query and memory."""

import math

from torch import Tensor, nn

from models.attention.interface import weighted_mean


class DotAttention(nn.Module):
    """The dot score of Luong, Pham and Manning 2015 (arXiv 1508.04025, equation 8), without learned weights.

        score(h_t, h_s) = h_t^T h_s

    See Attention for the interface; key and value are h_s.

    Args:
        query_size: size Q of the decoder's state h_t.
        memory_size: size M of a source state h_s.

    Raises:
        ValueError: the two sizes differ.
    """

    gain = 1.0

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__()
        if query_size != memory_size:
            raise ValueError(
                f"a dot product needs vectors of one size, not query_size {query_size} and memory_size {memory_size}"
            )
        self.context_size = memory_size

    def prepare(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """h_s itself, twice."""
        return memory, memory

    def forward(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See Attention."""
        return weighted_mean(query @ keys.mT, values, mask[:, None])


class GeneralAttention(nn.Module):
    """The general score of Luong, Pham and Manning 2015 (arXiv 1508.04025, equation 8): a dot product after a linear map.

        score(h_t, h_s) = h_t^T W_a h_s

    See Attention for the interface. A key is W_a h_s, of size Q; a value is h_s.

    Args:
        query_size: size Q of the decoder's state h_t.
        memory_size: size M of a source state h_s.
    """

    gain = 1.0

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__()
        self.context_size = memory_size
        self.key = nn.Linear(memory_size, query_size, bias=False)  # W_a

    def prepare(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys W_a h_s, and h_s itself: [B, S, M] -> [B, S, Q], [B, S, M]."""
        return self.key(memory), memory

    def forward(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See Attention."""
        return weighted_mean(query @ keys.mT, values, mask[:, None])


class ScaledDotAttention(DotAttention):
    """Scaled dot-product attention by Vaswani et al. 2017 (arXiv 1706.03762, equation 1), without learned weights.

        Attention(Q, K, V) = softmax(Q K^T / sqrt(d_k)) V

    Dot products of vectors of size d_k grow with sqrt(d_k); scaling keeps the softmax out of the range where its gradient
    vanishes. The memory is both K and V; otherwise as DotAttention.
    """

    def forward(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See Attention."""
        return weighted_mean(scaled_dot(query, keys), values, mask[:, None])


def scaled_dot(query: Tensor, keys: Tensor) -> Tensor:
    """Q K^T / sqrt(d_k): [..., T, d_k], [..., S, d_k] -> [..., T, S]."""
    return query / math.sqrt(query.shape[-1]) @ keys.mT
