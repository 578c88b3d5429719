"""The classifier with every cell, direction and depth: the result for a text depends only on that text."""

import pytest
import torch

from models.classification.classifier import Classifier
from models.names import CellName

CELLS: list[CellName] = ["rnn", "rnn_relu", "lstm", "peephole", "gru"]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("layers", "bidirectional"), [(1, False), (1, True), (2, True)])
def test_a_text_is_classified_the_same_alone_and_with_longer_ones(cell: CellName, layers: int, *, bidirectional: bool) -> None:
    torch.manual_seed(0)
    model = Classifier(
        vocabulary_size=12,
        classes=3,
        cell=cell,
        embedding_size=4,
        hidden_size=5,
        layers=layers,
        bidirectional=bidirectional,
        ngram_buckets=32,
        longest_ngram=2,
        input_dropout=0.2,
        dropout=0.5,
        label_smoothing=0.1,
    ).eval()
    texts, lengths = torch.randint(4, 12, (3, 7)), torch.tensor([7, 2, 4])
    batch = model.logits(texts, lengths)
    for i, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(model.logits(texts[i : i + 1, :length], lengths[i : i + 1])[0], batch[i], atol=1e-5, rtol=0)
