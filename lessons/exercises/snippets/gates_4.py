"""A GRU whose update gate is wide open, for 50 steps."""

import torch

from models.recurrent.cells import gru

inputs = torch.tensor([0.0, 20.0, 20.0])  # what r, z and the candidate n get: z is nearly 1, and so is n
state = torch.tensor([0.4])
for _ in range(50):
    state = gru(inputs, torch.zeros(3), state)
print(f"h_50 = {float(state):.2f}")
