"""The return type of every task model in training, and the loss that they share."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.cpu.lanes import LANES
from models.cpu.memory import flat, takes_kernels

ROWS_AT_ONCE = 128  # on a CPU: 128 rows of a few thousand float32 logits stay in a core's cache


class Loss(NamedTuple):
    """A sum and the number of its terms, so that batches of different sizes add up exactly."""

    total: Tensor  # nats, a scalar
    units: int  # number of scored units: labels, characters or subwords


def token_loss(outputs: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, *, label_smoothing: float = 0.0) -> Loss:
    """Cross-entropy of the logits `outputs` W^T + b. It includes the output layer, so that not all logits are in memory at once.

    Args:
        outputs: inputs of the output layer, [N, d].
        weight: W, [V, d].
        bias: b, [V].
        targets: ids, [N].
        label_smoothing: share of each target's probability spread evenly over all V (Szegedy et al. 2016).
    """
    device = outputs.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else outputs.dtype
    with torch.autocast(device, enabled=False):
        apply: Callable[..., Tensor] = _LinearCrossEntropy.apply
        total = apply(outputs, weight, bias, targets, label_smoothing, dtype)
    return Loss(total, targets.numel())


class _LinearCrossEntropy(torch.autograd.Function):
    """With q the smoothed target and p = softmax(logits): loss = -q log p, and its gradient by the logits is p - q.

    Both are computed in one pass over the logits while they are in cache. That pass leaves out the uniform share of q: with Z_n
    the logarithm of row n's normalizer, its part of the loss is the sum over n and v of Z_n - logit_nv. This sum and its
    gradients need only the sums of the rows and of W. The loss is the end of the computation, up to a factor, so the gradients of
    the outputs and of W are computed in `forward` and only scaled in `backward`. Matrix products are in `dtype`, the rest in
    float32 or better.
    """

    @staticmethod
    def forward(
        ctx: Any, outputs: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float, dtype: torch.dtype
    ) -> Tensor:
        exact, size = weight.dtype, weight.shape[0]
        rows, matrix, offset = outputs.to(dtype), weight.to(dtype), bias.to(dtype)
        needed, even = any(ctx.needs_input_grad), smoothing / size
        total, d_logits = _cross_entropy(rows, matrix, offset, targets, 1 - smoothing, exact, keep=needed)
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


def _cross_entropy(
    rows: Tensor, matrix: Tensor, offset: Tensor, targets: Tensor, weight: float, exact: torch.dtype, *, keep: bool
) -> tuple[Tensor, Tensor]:
    """Sum of Z_n - weight * (logit of the target); and, if `keep`, p - weight * (1 at the target) of each row, [N, V]."""
    size, at_once = len(matrix), len(rows) if rows.is_cuda else ROWS_AT_ONCE
    compiled = takes_kernels(rows, exact)
    width = -(-size // LANES) * LANES if compiled else size
    visit: Callable[[Tensor, Tensor, float], Tensor | float] = _Kernel(size, width) if compiled else _visit
    found = rows.new_empty(len(rows) if keep else min(at_once, len(rows)), width)
    total = torch.zeros((), dtype=exact, device=rows.device)
    for start in range(0, len(rows), at_once):
        chunk = rows[start : start + at_once]
        place = found[start : start + at_once] if keep else found[: len(chunk)]
        torch.addmm(offset, chunk, matrix.t(), out=place[:, :size])
        total += visit(place, targets[start : start + at_once], weight)
    return total, found[:, :size]


def _visit(logits: Tensor, targets: Tensor, weight: float) -> Tensor:
    """One chunk in torch; overwrites the logits with p - weight * (1 at the target)."""
    exact, target = torch.promote_types(logits.dtype, torch.float32), targets[:, None]
    p = torch.softmax(logits, 1, dtype=exact)
    normalizer = logits.amax(1, keepdim=True) - p.amax(1, keepdim=True).log()  # Z; safe even if some p underflow
    total = normalizer.sum() - weight * logits.gather(1, target).sum(dtype=exact)
    logits.copy_(p.scatter_add_(1, target, torch.full_like(target, -weight, dtype=exact)))
    return total


class _Kernel:
    """`_visit` with `models.cpu.cross_entropy`'s kernel, for rows of `size` logits padded to `width`, a multiple of LANES."""

    def __init__(self, size: int, width: int) -> None:
        from models.cpu.cross_entropy import NOWHERE, cross_entropy  # importing Numba is slow

        self._size, self._width = size, width
        self._run, self._scratch, self._nowhere = cross_entropy, np.empty(width + LANES, np.float32), NOWHERE

    def __call__(self, logits: Tensor, targets: Tensor, weight: float) -> float:
        """See `_visit`."""
        logits[:, self._size :] = self._nowhere
        return float(self._run(flat(logits), self._width, flat(targets.contiguous()), weight, self._scratch))
