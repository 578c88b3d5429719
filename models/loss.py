"""What every task model returns in training, and the one loss they share."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

ROWS_AT_ONCE = 128  # on a CPU: 128 rows of a few thousand float32 logits stay in a core's cache


class Loss(NamedTuple):
    """A sum and what it was summed over, so that batches of different sizes add up exactly."""

    total: Tensor  # nats, a scalar
    units: int  # how many were scored: labels, characters or subwords


def token_loss(outputs: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, *, label_smoothing: float = 0.0) -> Loss:
    """Cross-entropy of the logits `outputs` W^T + b, with the output layer inside so that the logits need never exist at once.

    Args:
        outputs: what the output layer reads, [N, d].
        weight: W, [V, d].
        bias: b, [V].
        targets: ids, [N].
        label_smoothing: share of each target's probability that is spread evenly over all V (Szegedy et al. 2016).
    """
    device = outputs.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else outputs.dtype
    with torch.autocast(device, enabled=False):
        apply: Callable[..., Tensor] = _LinearCrossEntropy.apply
        total = apply(outputs, weight, bias, targets, label_smoothing, dtype)
    return Loss(total, targets.numel())


class _LinearCrossEntropy(torch.autograd.Function):
    """With q the smoothed target and p = softmax(logits): loss = -q log p, and its gradient by the logits is p - q.

    Both come from one pass over the logits while they are in cache. The share of q that is the same for all V is left out there:
    with Z_n the logarithm of row n's normalizer, its part of the loss is the sum over n and v of Z_n - logit_nv, and this sum and
    its gradients need but the sums of the rows and of W. The loss is a leaf of the computation but for a factor, so that the
    gradients of the outputs and of W can be made here and only scaled in `backward`. Matrix products are in `dtype`, the rest in
    float32 or better.
    """

    @staticmethod
    def forward(
        ctx: Any, outputs: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float, dtype: torch.dtype
    ) -> Tensor:
        exact, size = weight.dtype, weight.shape[0]
        rows, matrix, offset = outputs.to(dtype), weight.to(dtype), bias.to(dtype)
        needed, even = any(ctx.needs_input_grad), smoothing / size
        d_logits = rows.new_empty(len(rows) if needed else 0, size)
        total = torch.zeros((), dtype=exact, device=rows.device)
        at_once = len(rows) if rows.is_cuda else ROWS_AT_ONCE
        for start in range(0, len(rows), at_once):
            chunk = slice(start, start + at_once)
            logits, target = torch.addmm(offset, rows[chunk], matrix.t()), targets[chunk, None]
            p = torch.softmax(logits, 1, dtype=exact)
            normalizer = logits.amax(1, keepdim=True) - p.amax(1, keepdim=True).log()  # Z, of which no p can be too small
            total += normalizer.sum() - (1 - smoothing) * logits.gather(1, target).sum(dtype=exact)
            if needed:
                d_logits[chunk] = p.scatter_add_(1, target, torch.full_like(target, smoothing - 1, dtype=exact))
        row_sum, matrix_sum = rows.sum(0, dtype=exact), matrix.sum(0, dtype=exact)
        if smoothing:
            total -= even * (row_sum @ matrix_sum + len(rows) * offset.sum(dtype=exact))
        if needed:
            ones = d_logits.new_ones(1, len(rows))
            ctx.save_for_backward(
                d_logits @ matrix - (even * matrix_sum).to(dtype),
                (d_logits.t() @ rows).to(exact) - even * row_sum,
                (ones @ d_logits)[0].to(exact) - even * len(rows),
            )
            ctx.wide = outputs.dtype
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        d_outputs, d_weight, d_bias = ctx.saved_tensors
        return (d_outputs * grad).to(ctx.wide), d_weight * grad, d_bias * grad, None, None, None
