"""What every task model returns in training."""

from typing import NamedTuple

from torch import Tensor
from torch.nn import functional


class Loss(NamedTuple):
    """A sum and what it was summed over, so that batches of different sizes add up exactly."""

    total: Tensor  # nats, a scalar
    units: int  # how many were scored: labels, characters or subwords


def token_loss(logits: Tensor, targets: Tensor, *, label_smoothing: float = 0.0) -> Loss:
    """Cross-entropy of [N, V] logits against [N] ids, in float32 whatever the model computed in."""
    total = functional.cross_entropy(logits.float(), targets, reduction="sum", label_smoothing=label_smoothing)
    return Loss(total, targets.numel())
