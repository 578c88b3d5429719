"""Padding whose score is 0, beside real positions whose scores are -2."""

import torch

from models.attention.interface import weighted_mean

mask = torch.tensor([[True, True, False, False]])  # two units, two places of padding
scores = torch.tensor([[-2.0, -2.0, 7.0, 7.0]])
wrong = torch.softmax(scores.masked_fill(~mask, 0.0), 1)  # "0 means no attention"
_, right = weighted_mean(scores, torch.zeros(4, 1), mask)
shares = [float(weights[0, 2:].sum()) for weights in (right, wrong)]
print(f"weight of the padding: masked with minus infinity {shares[0]:.3f}, with 0 {shares[1]:.3f}")
