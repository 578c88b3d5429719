"""The fixed context vector of a decoder without attention."""

import torch
from torch import Tensor, nn


class FixedVector(nn.Module):
    """The same context at each step: the encoder's states after the whole source (Cho et al. 2014, arXiv 1406.1078).

        c = [forward state after the last unit; backward state after the first]

    These 2E numbers are all the information the decoder has about a source of any length: the bottleneck that attention removes
    (Bahdanau et al. 2015, arXiv 1409.0473, section 1). It has the interface of models.attention, as a replacement.

    Args:
        memory_size: 2E.
    """

    gain = 1.0

    def __init__(self, memory_size: int) -> None:
        super().__init__()
        self.context_size = memory_size

    def prepare(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """The memory itself, twice: [B, S, 2E]."""
        return memory, memory

    def forward(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The same context for each of T queries, [B, T, 2E]; the weights are zero, because no position is attended to."""
        size, last = self.context_size // 2, mask.sum(1) - 1  # [B]
        forward = values.gather(1, last[:, None, None].expand(-1, 1, values.shape[2]))[..., :size]
        context = torch.cat((forward, values[:, :1, size:]), -1)  # [B, 1, 2E]
        weights = keys.new_zeros(query.shape[0], query.shape[1], keys.shape[1])
        return context.expand(-1, query.shape[1], -1), weights
