"""Vectors of the neural n-gram language model, and its perplexity compared with count-based n-grams."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.embeddings.ngram_lm import NgramLM
from models.text.special import BOS
from pipelines.evaluation.mixture import best_weight, perplexity
from pipelines.evaluation.ngram import NGram
from pipelines.settings.vectors import NgramVectors
from pipelines.store import Rows, Split

NGRAMS_AT_ONCE = 1024
Probabilities = NDArray[np.float64]


def build_ngram_lm(settings: NgramVectors, size: int, order: int, train: Rows, seed: int) -> NgramLM:
    """The model before training.

    Args:
        settings: see params.yaml.
        size: of the vocabulary, special tokens included.
        order: n.
        train: training rows; their word frequencies initialize the output bias.
        seed: of its weights.
    """
    torch.manual_seed(seed)
    model = NgramLM(vocabulary_size=size, order=order, **settings.model.model_dump())
    model.output.begin_at(torch.bincount(torch.from_numpy(_stream(train, order)[order - 1 :]), minlength=size))
    return model


def perplexities(model: NgramLM, prepared: Path, size: int, order: int) -> dict[str, float]:
    """Perplexities on the test split: of the model, of modified Kneser-Ney n-grams of the same order, and of their mixture.

    The mixture's weight minimizes the cross-entropy of the validation split.

    Args:
        model: trained.
        prepared: the prepare stage's output for the corpus.
        size: of the vocabulary, special tokens included.
        order: n.
    """
    stream = _stream(Split(prepared / "train"), order)
    counted = NGram([np.concatenate(([BOS], stream[order - 1 :]))], size=size, order=order)
    parts = {split: _both(model, counted, Split(prepared / split), order) for split in ("valid", "test")}
    weight = best_weight(parts["valid"])
    return {
        "perplexity": perplexity(parts["test"], 1),
        "kneser_ney_perplexity": perplexity(parts["test"], 0),
        "mixture_perplexity": perplexity(parts["test"], weight),
        "mixture_weight": weight,
    }


def _both(model: NgramLM, counted: NGram, split: Rows, order: int) -> Probabilities:
    """Each word's probability under the neural model and under the count-based n-grams, [N, 2]."""
    stream = _stream(split, order)
    by_counts = counted.probabilities([stream], counted.estimate_discounts())[order - 2 :]
    return np.stack([_neural(model, stream, order), by_counts], 1)


@torch.no_grad()
def _neural(model: NgramLM, stream: NDArray[np.int64], order: int) -> Probabilities:
    model.eval()
    ngrams = torch.from_numpy(stream).unfold(0, order, 1)  # [N, n]
    parts = [model.log_probability(part, torch.full((len(part),), order)) for part in torch.split(ngrams, NGRAMS_AT_ONCE)]
    probabilities: Probabilities = torch.cat(parts).double().exp().numpy()
    return probabilities


def _stream(split: Rows, order: int) -> NDArray[np.int64]:
    """The split's words as one sequence again, after the n - 1 words before the first."""
    rows = [split.row(i)["words"] for i in range(len(split))]
    return np.concatenate([rows[0], *(row[order - 1 :] for row in rows[1:])])
