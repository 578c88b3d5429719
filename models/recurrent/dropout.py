"""Dropout with one mask for all steps."""

from torch import Tensor, nn
from torch.nn import functional


class LockedDropout(nn.Module):
    """Variational dropout (Gal and Ghahramani 2016, arXiv 1512.05287): a row loses the same features at every step.

    Args:
        share: of the features set to zero in training; the others grow by 1 / (1 - share).
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, d] -> [B, T, d]."""
        if not self.training:
            return x
        return x * functional.dropout(x.new_ones(x.shape[0], 1, x.shape[2]), self.share)
