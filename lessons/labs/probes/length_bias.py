"""Beam search over a decoder that ends a sentence with a probability of 0.3 at each step."""

import torch
from torch import Tensor

from models.beam import Options, beam_search
from models.text.special import EOS, SPECIAL_TOKENS


def decode(previous: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The log-probabilities of EOS and of the only word, whatever came before."""
    p = torch.zeros(*previous.shape, len(SPECIAL_TOKENS) + 1)
    p[..., EOS], p[..., len(SPECIAL_TOKENS)] = 0.3, 0.7
    return p.log(), state, torch.ones(*previous.shape, 1)


first = torch.tensor([0.0, -torch.inf, -torch.inf])
options = Options(*(torch.tensor(value) for value in (1.0, 0.0, 0.0, 0, 0, 1)))  # alpha = 1: the mean per token
found = beam_search(decode, torch.zeros(1, 1), torch.ones(1, 1).bool(), torch.tensor([6]), first, 6, options)
print(f"words of the best sentence, which may have up to 5: {found.tokens[0, 0].tolist().index(EOS)}")
