"""A translator small enough to look at, and strings for it to turn around. The probes share them."""

from typing import Any

import torch
from torch import Tensor

from models.text.special import BOS, EOS, SPECIAL_TOKENS
from models.translation.teacher import Schedule
from models.translation.translator import Translator

UNITS, LONGEST = 8, 6  # of the strings


def translator(**chosen: Any) -> Translator:
    """One with random weights, the same each time."""
    torch.manual_seed(0)
    sizes = {"embedding_size": 16, "encoder_size": 16, "hidden_size": 32, "layers": 1, "attention_size": 16, "heads": 1}
    kinds = {"cell": "gru", "attention": "bahdanau", "input_feeding": False, "bridge": "linear", "teacher": Schedule()}
    shares = {"dropout": 0.0, "weight_dropout": 0.0, "label_smoothing": 0.0}
    return Translator(**{"vocabulary_size": len(SPECIAL_TOKENS) + UNITS, **sizes, **kinds, **shares, **chosen})


def strings(rows: int, seed: int) -> dict[str, Tensor]:
    """Random strings of 1 to LONGEST units and their reverses, as the training loop gives them to a translator."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, LONGEST + 1, (rows,), generator=generator)
    source, target = torch.zeros(rows, LONGEST + 1, dtype=torch.int64), torch.zeros(rows, LONGEST + 2, dtype=torch.int64)
    for row, length in enumerate(lengths.tolist()):
        units = torch.randint(len(SPECIAL_TOKENS), len(SPECIAL_TOKENS) + UNITS, (length,), generator=generator).tolist()
        source[row, : length + 1] = torch.tensor([*units, EOS])
        target[row, : length + 2] = torch.tensor([BOS, *units[::-1], EOS])
    return {"source": source, "source_lengths": lengths + 1, "target": target, "target_lengths": lengths + 2}
