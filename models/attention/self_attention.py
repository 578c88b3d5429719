"""Self-attention."""

from torch import Tensor, nn

from models.attention.interface import Attention


class SelfAttention(nn.Module):
    """A sequence asks itself: every position is a query to all of them (Vaswani et al. 2017, arXiv 1706.03762, 3.2.3).

        c_1 .. c_T = attention of the queries x_1 .. x_T over the memory x_1 .. x_T

    Where a position stands does not count: a permuted sequence gets the same contexts, permuted.

    Args:
        attention: who answers; its query_size and memory_size are both the size M of x_t.
    """

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.attention, self.context_size = attention, attention.context_size

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Ask a batch of sequences.

        Args:
            x: [B, T, M].
            mask: [B, T], True where a row has a unit; each has one.

        Returns:
            context [B, T, C] and weights [B, T, T], in which row t has what position t asks; both zero at the padding.
        """
        context, weights = self.attention(x, *self.attention.prepare(x), mask)
        padding = ~mask[:, :, None]
        return context.masked_fill(padding, 0.0), weights.masked_fill(padding, 0.0)
