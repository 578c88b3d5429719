"""Self-attention."""

from torch import Tensor, nn

from models.attention.interface import Attention


class SelfAttention(nn.Module):
    """Every position of a sequence attends to all of its positions (Vaswani et al. 2017, arXiv 1706.03762, 3.2.3).

        c_1 .. c_T = attention of the queries x_1 .. x_T over the memory x_1 .. x_T

    The order of positions has no effect: a permuted sequence gets the same contexts, permuted.

    Args:
        attention: the attention to use; its query_size and memory_size are both the size M of x_t.
    """

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.attention, self.context_size = attention, attention.context_size

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Attend within each sequence of a batch.

        Args:
            x: [B, T, M].
            mask: [B, T], False at padding; each row has at least one True.

        Returns:
            context [B, T, C] and weights [B, T, T], with one row for each query; both zero at the padding.
        """
        context, weights = self.attention(x, *self.attention.prepare(x), mask)
        padding = ~mask[:, :, None]
        return context.masked_fill(padding, 0.0), weights.masked_fill(padding, 0.0)
