"""How far back a loss reaches through pieces of four steps."""

import torch

from models.recurrent.layer import Recurrent
from models.recurrent.truncated import truncated

torch.manual_seed(0)
x = torch.randn(1, 400, 4, requires_grad=True)
outputs, _ = truncated(Recurrent("gru", 4, 8), x, torch.tensor([400]), None, steps=4)
(gradient,) = torch.autograd.grad(outputs[0, 398].sum(), x)
print(f"steps that a loss at step 398 sends a gradient to: {int(gradient[0].any(1).sum())}")
