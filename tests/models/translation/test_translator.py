"""Encoder, bridge and schedules; every translator learns to reverse strings."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from models.beam import Options
from models.names import BridgeName, CellName, ContextName
from models.text.special import BOS, EOS, SPECIAL_TOKENS
from models.translation.encoder import Bridge, Encoder
from models.translation.graph import TranslatorGraph
from models.translation.teacher import Schedule
from models.translation.translator import Translator

UNITS, LONGEST = 8, 6  # of the strings to reverse
SIZES = {"embedding_size": 32, "encoder_size": 32, "hidden_size": 64, "layers": 1, "attention_size": 32, "heads": 4}


def translator_of(**chosen: Any) -> Translator:
    torch.manual_seed(0)
    defaults = {
        "vocabulary_size": UNITS + len(SPECIAL_TOKENS),
        "cell": "gru",
        "attention": "bahdanau",
        "input_feeding": False,
        "bridge": "linear",
        "dropout": 0.0,
        "weight_dropout": 0.0,
        "label_smoothing": 0.0,
        "teacher": Schedule(),
    }
    return Translator(**{**defaults, **SIZES, **chosen})


def strings(rows: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Random strings and their reverses, as a padded batch."""
    lengths = torch.randint(1, LONGEST + 1, (rows,), generator=generator)
    source, target = torch.zeros(rows, LONGEST + 1, dtype=torch.int64), torch.zeros(rows, LONGEST + 2, dtype=torch.int64)
    for i, n in enumerate(lengths.tolist()):
        units = torch.randint(len(SPECIAL_TOKENS), len(SPECIAL_TOKENS) + UNITS, (n,), generator=generator)
        source[i, : n + 1] = torch.tensor([*units.tolist(), EOS])
        target[i, : n + 2] = torch.tensor([BOS, *units.flip(0).tolist(), EOS])
    return {"source": source, "source_lengths": lengths + 1, "target": target, "target_lengths": lengths + 2}


@pytest.mark.parametrize(
    ("attention", "cell", "input_feeding"),
    [
        ("bahdanau", "gru", False),
        *(
            pytest.param(*way, marks=pytest.mark.slow)
            for way in (("general", "lstm", True), ("multihead", "gru", False), ("fixed", "lstm", False))
        ),
    ],
)
def test_a_translator_learns_to_turn_strings_around(attention: ContextName, cell: CellName, input_feeding: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    model = translator_of(attention=attention, cell=cell, input_feeding=input_feeding)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.005)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.005, total_steps=500)
    for _ in range(500):
        optimizer.zero_grad()
        loss = model(**strings(64, generator))
        torch.autograd.backward(loss.total / loss.units)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    unseen = strings(200, generator)
    first = torch.tensor([0.0, -torch.inf, -torch.inf])
    options = Options(*(torch.tensor([value]) for value in (1.0, 0.0, 0.0, 0, 0, 1)))
    with torch.no_grad():
        tokens, *_ = TranslatorGraph(model.eval())(unseen["source"], unseen["source_lengths"], first, *options)
    best, wanted = tokens[:, 0], unseen["target"][:, 1:]
    right = [(row[: wanted.shape[1]] == target).all() for row, target in zip(best, wanted, strict=True)]
    assert sum(right) >= 0.9 * len(right)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("layers", [1, 2])
def test_bridges(cell: CellName, layers: int) -> None:
    torch.manual_seed(0)
    encoder = Encoder(nn.Embedding(9, 5), cell, 3, layers, dropout=0.0)
    source, lengths = torch.randint(9, (2, 4)), torch.tensor([4, 2])
    memory, final = encoder(source, lengths)
    kinds: tuple[BridgeName, ...] = ("zeros", "copy", "linear")
    zeros, copy, linear = (Bridge(kind, cell, 3, 6, layers)(final) for kind in kinds)
    assert zeros.shape == copy.shape == linear.shape == (2, layers * 6 * (2 if cell == "lstm" else 1))
    assert not zeros.any()
    top = copy.chunk(layers, 1)[-1][:, :6]  # h of the last layer
    ends = torch.stack([torch.cat((memory[i, n - 1, :3], memory[i, 0, 3:])) for i, n in enumerate(lengths.tolist())])
    torch.testing.assert_close(top, ends)
    assert linear.abs().max() < 1
    with pytest.raises(ValueError, match="hidden_size to be twice encoder_size, not 5 and 3"):
        Bridge("copy", cell, 3, 5, layers)


def test_padding_changes_no_translation() -> None:
    model = translator_of().eval()
    batch = strings(5, torch.Generator().manual_seed(2))
    whole = model(**batch).total.detach()
    alone = 0.0
    for i in range(5):
        s, t = int(batch["source_lengths"][i]), int(batch["target_lengths"][i])
        lengths = {"source_lengths": torch.tensor([s]), "target_lengths": torch.tensor([t])}
        alone += float(model(source=batch["source"][[i], :s], target=batch["target"][[i], :t], **lengths).total.detach())
    assert float(whole) == pytest.approx(alone, rel=1e-5)


@pytest.mark.parametrize(
    ("schedule", "step", "share"),
    [
        (Schedule(), 10**6, 1.0),
        (Schedule("constant", 0.25), 10, 0.25),
        (Schedule("linear", 0.01), 30, 0.7),
        (Schedule("linear", 0.01, 0.2), 10**6, 0.2),
        (Schedule("exponential", 0.99), 100, 0.99**100),
        (Schedule("inverse_sigmoid", 50.0), 0, 50 / 51),
        (Schedule("inverse_sigmoid", 50.0), 200, 50 / (50 + math.exp(4))),
        (Schedule("inverse_sigmoid", 1.0), 10**6, 0.0),
    ],
)
def test_schedules_are_those_of_the_paper(schedule: Schedule, step: int, share: float) -> None:
    assert schedule.share(step) == pytest.approx(share)
    assert schedule.is_teacher_forcing == (schedule == Schedule())


@pytest.mark.parametrize("kind", ["constant", "linear", "exponential"])
def test_an_invalid_k_is_rejected(kind: Any) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Schedule(kind, 1.5)
    with pytest.raises(ValueError, match="at least 1"):
        Schedule("inverse_sigmoid", 0.5)


def test_the_model_counts_and_saves_its_training_steps() -> None:
    model, batch = translator_of(teacher=Schedule("linear", 0.1)), strings(3, torch.Generator().manual_seed(3))
    for _ in range(4):
        model(**batch)
    with torch.no_grad():
        model.eval()(**batch)
    again = translator_of(teacher=Schedule("linear", 0.1))
    again.load_state_dict(model.state_dict())
    assert int(again.steps) == 4
