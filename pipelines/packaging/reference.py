"""Reference statistics of a model's inputs, with which a server compares its traffic (drift)."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.packaging.texts import SAMPLE, described
from serving.contents import Reference
from serving.contract.faults import MAX_INPUTS
from serving.predictor import load_predictor
from serving.telemetry.meter import Batch, Text

TENTHS = np.arange(1, 10) / 10


class Collector:
    """A meter that collects the texts' measurements."""

    def __init__(self) -> None:
        self.texts: list[Text] = []

    def batch(self, batch: Batch) -> None:
        """Collect a batch."""
        self.texts += batch.texts


def reference(folder: Path, inputs: Sequence[Any]) -> Reference:
    """The distributions of lengths, of predicted classes and of the texts themselves, from a sample of inputs.

    Args:
        folder: of the bundle.
        inputs: like the training inputs; if empty, because requests do not resemble them, the reference is empty. Inputs that
            the model refuses, such as too long ones, are left out.
    """
    if not inputs:
        return Reference()
    sample = np.random.default_rng(0).permutation(len(inputs))[:SAMPLE]
    collector = Collector()
    predictor = load_predictor(folder, collector)
    for start in range(0, len(sample), MAX_INPUTS):
        predictor.answer([{"inputs": inputs[i]} for i in sample[start : start + MAX_INPUTS]])
    labels = Counter(text.label for text in collector.texts if text.label is not None)
    lengths = np.array([text.length for text in collector.texts])
    edges = sorted({int(edge) for edge in np.quantile(lengths, TENTHS)})
    bins = np.bincount(np.searchsorted(edges, lengths), minlength=len(edges) + 1)
    shares = [round(float(share), 4) for share in bins / len(lengths)]
    return Reference(
        length_edges=edges,
        length_shares=shares,
        label_shares={label: round(count / len(collector.texts), 4) for label, count in sorted(labels.items())},
        **described(folder, collector.texts),
    )
