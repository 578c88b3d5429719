"""What a forget gate leaves of the cell after 20 steps that bring nothing new."""

import torch

from models.recurrent.cells import lstm

inputs = torch.tensor([0.0, 3.0, 0.0, 0.0])  # the biases of the gates i, f, g, o; all weights are 0
state = torch.tensor([0.0, 1.0])  # h_0 = 0, C_0 = 1
for _ in range(20):
    state = lstm(inputs, torch.zeros(4), state)
print(f"C_20 = {float(state[1]):.3f}")
