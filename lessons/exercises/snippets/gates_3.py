"""The gradient of the last state by the first input, 40 steps before, in untrained cells."""

import torch

from lessons.lstm_gru import Recurrent

for cell in ("rnn", "gru", "lstm"):
    torch.manual_seed(0)
    layer, x = Recurrent(cell, 8, 32).double(), torch.randn(1, 40, 8, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x)[0][0, -1].sum(), x)
    print(f"{cell}: {float(gradient[0, 0].norm()):.0e}", end="\n" if cell == "lstm" else ", ")
