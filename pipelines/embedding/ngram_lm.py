"""Vectors of the neural n-gram language model, and its perplexity beside that of counted n-grams."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.embeddings.ngram_lm import NgramLM
from models.text.special import BOS, SPECIAL_TOKENS
from models.text.vectors import VOCABULARY, WordVectors
from models.text.words import WordVocabulary
from pipelines.evaluation.mixture import best_weight, perplexity
from pipelines.evaluation.ngram import NGram
from pipelines.settings.vectors import NgramVectors
from pipelines.store import Rows, Split
from pipelines.training.fit import Job, Row, fit

NGRAMS_AT_ONCE = 1024
Probabilities = NDArray[np.float64]


def train_ngram_lm(
    settings: NgramVectors,
    prepared: Path,
    order: int,
    job: Job,
    provenance: Mapping[str, object],
    report: Callable[[Row], None],
) -> tuple[WordVectors, dict[str, float]]:
    """Train to the lowest validation loss, and measure on the test split.

    The mixture's weight is the one under which the validation split costs the fewest bits.

    Args:
        settings: see params.yaml.
        prepared: what the prepare stage made of the corpus.
        order: n.
        job: how to train.
        provenance: of the vectors.
        report: see `fit`.

    Returns:
        the vectors, and the perplexities of the model, of modified Kneser-Ney n-grams of the same order and of the two mixed.
    """
    vocabulary = WordVocabulary.load(prepared / VOCABULARY)
    size = len(SPECIAL_TOKENS) + len(vocabulary)
    torch.manual_seed(job.seed)
    model = NgramLM(vocabulary_size=size, order=order, **settings.model.model_dump())
    stream = _stream(job.train, order)
    model.output.begin_at(torch.bincount(torch.from_numpy(stream[order - 1 :]), minlength=size))
    weights, _ = fit(model, job, report)
    model.load_state_dict(weights)
    counted = NGram([np.concatenate(([BOS], stream[order - 1 :]))], size=size, order=order)
    parts = {split: _both(model, counted, Split(prepared / split), order) for split in ("valid", "test")}
    weight = best_weight(parts["valid"])
    perplexities = {
        "perplexity": perplexity(parts["test"], 1),
        "kneser_ney_perplexity": perplexity(parts["test"], 0),
        "mixture_perplexity": perplexity(parts["test"], weight),
        "mixture_weight": weight,
    }
    matrix = model.embedding.weight.detach()[len(SPECIAL_TOKENS) :].numpy()
    return WordVectors(vocabulary, matrix, provenance), perplexities


def _both(model: NgramLM, counted: NGram, split: Rows, order: int) -> Probabilities:
    """Each word's probability by the neural model and by the counted n-grams, [N, 2]."""
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
    """The split's words in one piece again, behind the n - 1 words before the first."""
    rows = [split.row(i)["words"] for i in range(len(split))]
    return np.concatenate([rows[0], *(row[order - 1 :] for row in rows[1:])])
