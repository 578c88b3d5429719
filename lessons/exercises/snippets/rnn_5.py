"""Which inputs a loss reaches where the state is detached between pieces."""

import torch

from models.recurrent.layer import Recurrent
from models.recurrent.truncated import truncated

torch.manual_seed(0)
x = torch.randn(1, 12, 4, requires_grad=True)  # 12 steps, numbered from 0
outputs, _ = truncated(Recurrent("gru", 4, 8), x, torch.tensor([12]), None, steps=5)
(gradient,) = torch.autograd.grad(outputs[0, 8].sum(), x)  # a loss at step 8
print(f"inputs with a gradient: {int(gradient[0].any(1).sum())}")
