"""The loss with label smoothing of a model that is right and more and more certain of it."""

import torch

from models.loss import token_loss

for margin in (2.0, 5.0, 20.0):  # by how much the right one of ten scores exceeds the others
    bias = torch.zeros(10)
    bias[0] = margin
    loss, _ = token_loss(torch.zeros(1, 4), torch.zeros(10, 4), bias, torch.tensor([0]), label_smoothing=0.1)
    print(f"margin {margin:.0f}: loss {float(loss):.2f}", end="\n" if margin == 20 else ", ")
