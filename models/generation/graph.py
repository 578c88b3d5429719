"""A language model as exported to ONNX, with the inputs and outputs that serving expects."""

import torch
from torch import Tensor, nn

from models.generation.language_model import LanguageModel


class LanguageModelGraph(nn.Module):
    """A language model that continues from a state: it scores whole texts (T characters) and samples them (one at a time).

    (characters [B, T], label [B], state [B, S]) -> logits [B, T, V], next_state [B, S]. Every row is read to T: its
    padding comes last and changes only the row's own next_state, which is therefore valid only if no row is padded.
    """

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, characters: Tensor, label: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        lengths = torch.full_like(label, characters.shape[1])
        return self.model.logits(characters, lengths, label, state)
