"""What a model's training texts look like to it, for a server to compare its traffic with."""

from collections import Counter
from pathlib import Path

import numpy as np

from pipelines.preparation.prepared import read_texts
from serving.bundle import Bundle
from serving.faults import MAX_INPUTS
from serving.meter import Batch, Text
from serving.package import Reference
from serving.predictor import load_predictor

COLUMNS = {"surname": "name", "sentiment": "text", "fr-en": "source"}  # of the tasks whose inputs are like their training texts
SAMPLE = 512  # texts; enough for tenths
TENTHS = np.arange(1, 10) / 10


class _Collector:
    """Keeps what it is told of texts."""

    def __init__(self) -> None:
        self.texts: list[Text] = []

    def batch(self, batch: Batch) -> None:
        """Keep them."""
        self.texts += batch.texts


def reference(folder: Path, bundle: Bundle, prepared: Path) -> Reference:
    """Lengths of a sample of the training texts, and the classes that the model finds most probable of them.

    Texts that it refuses, as too long ones, are left out. A task of another kind of input, such as beginnings of names, has none.
    """
    if bundle.task not in COLUMNS:
        return Reference()
    texts = read_texts(prepared, "train")[COLUMNS[bundle.task]]
    sample = np.random.default_rng(0).permutation(len(texts))[:SAMPLE]
    collector = _Collector()
    predictor = load_predictor(folder, collector)
    for start in range(0, len(sample), MAX_INPUTS):
        predictor.answer([{"inputs": texts[i]} for i in sample[start : start + MAX_INPUTS]])
    labels = Counter(text.label for text in collector.texts if text.label is not None)
    lengths = np.array([text.length for text in collector.texts])
    edges = sorted({int(edge) for edge in np.quantile(lengths, TENTHS)})
    bins = np.bincount(np.searchsorted(edges, lengths), minlength=len(edges) + 1)
    shares = [round(float(share), 4) for share in bins / len(lengths)]
    return Reference(
        length_edges=edges,
        length_shares=shares,
        label_shares={label: round(count / len(collector.texts), 4) for label, count in sorted(labels.items())},
    )
