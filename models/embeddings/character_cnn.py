"""Word vectors from characters, by convolutions."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.text.special import PAD


class Highway(nn.Module):
    """y = g * x + (1 - g) * relu(W x + b) with the gate g = sigmoid(W_g x + b_g) (Srivastava et al. 2015, arXiv 1505.00387).

    b_g is initially 1, so that at first most of x is carried through.

    Args:
        size: of x and y.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.transform, self.gate = nn.Linear(size, size), nn.Linear(size, size)
        nn.init.ones_(self.gate.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[N, size] -> [N, size]."""
        return torch.lerp(torch.relu(self.transform(x)), x, torch.sigmoid(self.gate(x)))


class CharacterCNN(nn.Module):
    """The network of Kim et al. 2016 (arXiv 1508.06615), as used in ELMo (Peters et al. 2018, arXiv 1802.05365, section 3.4).

    For each width k, filters slide over the character vectors; each keeps its largest response in the word, relu(max + b).
    The responses of all widths go through highway layers and a projection. Batch normalization (Ioffe and Szegedy 2015, arXiv
    1502.03167) of the vectors is not in the papers. The largest of many responses is above zero for every word, so without
    normalization the vectors differ little from their mean, and the next layers learn that mean before they can separate words.

    Args:
        characters: number of character ids.
        character_size: of a character's vector.
        filters: number of filters of width 1, 2, 3 and so on.
        highways: number of highway layers.
        size: d, of a word's vector.
    """

    def __init__(self, *, characters: int, character_size: int, filters: Sequence[int], highways: int, size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, character_size, padding_idx=PAD)
        self.convolutions = nn.ModuleList(nn.Conv1d(character_size, n, k) for k, n in enumerate(filters, start=1))
        self.highways = nn.Sequential(*(Highway(sum(filters)) for _ in range(highways)))
        self.projection, self.normalization = nn.Linear(sum(filters), size), nn.BatchNorm1d(size)

    def forward(self, spellings: Tensor) -> Tensor:
        """Vectors of words.

        Args:
            spellings: character ids of models.text.spelling, [N, C]. C must always be the same, because responses at the
                padding count too, and at least the width of the widest filter.

        Returns:
            [N, d].
        """
        x = self.embedding(spellings).transpose(1, 2)  # [N, character_size, C]
        responses = torch.cat([convolution(x).amax(2) for convolution in self.convolutions], 1)
        vectors: Tensor = self.normalization(self.projection(self.highways(torch.relu(responses))))
        return vectors
