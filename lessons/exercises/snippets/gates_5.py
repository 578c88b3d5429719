"""An LSTM that counts."""

import torch

from models.recurrent.cells import lstm

inputs = torch.tensor([0.0, 50.0, 50.0, 50.0])  # i, f, g, o: the input gate half open, all else at its highest
state = torch.zeros(2)  # h, C
for _ in range(64):
    state = lstm(inputs, torch.zeros(4), state)
print(f"h = {float(state[0]):.2f}, C = {float(state[1]):.2f}")
