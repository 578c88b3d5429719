"""Beam search over a decoder that ends a sentence with a probability of 0.3 at each step, and surely after five words."""

import torch
from torch import Tensor

from lessons.seq2seq_translation import EOS, beam_search

WORD, V = 4, 5


def decode(_last: list[int], states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """The log-probabilities after each beginning; a state is how many words it has."""
    p = torch.zeros(len(states), V)
    for row, words in zip(p, states, strict=True):
        row[EOS] = 0.3 if words < 5 else 1.0
        row[WORD] = 1 - row[EOS]
    return p.log(), [words + 1 for words in states]


lengths = [len(beam_search(decode, torch.tensor(0), K=3, longest=10, alpha=alpha)[0][1]) - 1 for alpha in (0.0, 1.0)]
print(f"words of the best translation: {lengths[0]} with alpha = 0, {lengths[1]} with alpha = 1")
