"""Tensors as arguments of kernels."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def takes_kernels(tensor: Tensor, exact: torch.dtype) -> bool:
    """Whether kernels support a tensor with weights of type `exact`: on a CPU, float32 or bfloat16, with float32 weights."""
    return tensor.device.type == "cpu" and exact is torch.float32 and tensor.dtype in (torch.float32, torch.bfloat16)


def flat(tensor: Tensor) -> NDArray[np.generic]:
    """A contiguous tensor's memory as a one-dimensional array, not copied; bfloat16 as uint16."""
    bits = tensor.view(torch.uint16) if tensor.dtype is torch.bfloat16 else tensor.detach()
    array: NDArray[np.generic] = bits.view(-1).numpy()
    return array
