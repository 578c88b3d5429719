"""A number for each character, and their sum."""

from pathlib import Path

import torch
from torch import Tensor, nn

from models.loss import Loss
from models.text.characters import CharacterTokenizer
from models.text.special import PAD
from pipelines.data.prepared import TOKENIZER
from pipelines.settings.tasks import Task


class Counter(nn.Module):
    def __init__(self, characters: int, embedding_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, embedding_size, padding_idx=PAD)
        self.output = nn.Linear(embedding_size, 1, bias=False)

    def count(self, characters: Tensor) -> Tensor:
        return self.output(self.embedding(characters).sum(1))[:, 0]

    def forward(self, characters: Tensor, characters_lengths: Tensor, label: Tensor) -> Loss:
        return Loss((self.count(characters) - label).square().sum(), len(characters_lengths))


class CounterGraph(nn.Module):
    def __init__(self, model: Counter) -> None:
        super().__init__()
        self.model = model

    def forward(self, characters: Tensor) -> Tensor:
        return self.model.count(characters)


def build(task: Task, prepared: Path) -> Counter:
    torch.manual_seed(0)
    return Counter(CharacterTokenizer.load(prepared / TOKENIZER).size, **task.model.model_dump())
