"""Tensors as kernels take them."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def takes_kernels(tensor: Tensor, exact: torch.dtype) -> bool:
    """Whether kernels compute with a tensor beside weights of type `exact`: on a CPU, in float32, or bfloat16 beside float32."""
    return tensor.device.type == "cpu" and exact is torch.float32 and tensor.dtype in (torch.float32, torch.bfloat16)


def flat(tensor: Tensor) -> NDArray[np.generic]:
    """A contiguous tensor's own memory as an array of one dimension, bfloat16 as uint16."""
    bits = tensor.view(torch.uint16) if tensor.dtype is torch.bfloat16 else tensor.detach()
    array: NDArray[np.generic] = bits.view(-1).numpy()
    return array
