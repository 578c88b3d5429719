"""Train skip-gram on eight sentences, and ask which word is nearest to `cat`."""

import numpy as np
import torch
from torch.nn.functional import cosine_similarity

from lessons.word2vec import SkipGram, pairs

ANIMALS = [[animal, *rest] for animal in ("cat", "dog") for rest in (("eats", "fish"), ("sleeps", "here"))]
VEHICLES = [[vehicle, *rest] for vehicle in ("car", "bus") for rest in (("needs", "fuel"), ("drives", "far"))]
documents = ANIMALS + VEHICLES
ids = {word: i for i, word in enumerate(sorted({word for document in documents for word in document}))}
torch.manual_seed(0)
rng, model = np.random.default_rng(0), SkipGram(len(ids), 16)
for _ in range(500):
    batch = torch.from_numpy(pairs(documents, ids, np.ones(len(ids)), rng))
    model.step(batch, torch.randint(len(ids), (len(batch), 5)), rate=0.1)
found = {word: float(cosine_similarity(model.v[ids["cat"]], model.v[ids[word]], dim=0)) for word in ("fish", "dog", "car")}
print(", ".join(f"cat and {word} {cosine:.2f}" for word, cosine in found.items()))
