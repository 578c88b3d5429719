"""One step of skip-gram with negative sampling."""

import torch

from lessons.word2vec import SkipGram

torch.manual_seed(0)
model = SkipGram(10_000, 50)
before = torch.cat((model.v, model.u))
model.step(torch.tensor([[5, 3]]), torch.tensor([[7, 7, 9, 11, 3]]), rate=0.05)  # centre 5, neighbour 3, five noise words
changed = (torch.cat((model.v, model.u)) != before).any(1)
print(f"rows that changed: {int(changed.sum())}")
