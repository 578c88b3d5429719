"""Contextual vectors: a small ELMo, trained on some of the corpus's sentences."""

from collections.abc import Callable, Mapping

import numpy as np
import torch

from models.embeddings.elmo import ELMo
from models.embeddings.hogwild import Corpus
from models.text.characters import CharacterTokenizer
from models.text.vectors import WordVectors
from models.text.words import WordVocabulary
from pipelines.embedding.contextual import Contextual
from pipelines.embedding.sentences import SentenceRows, spread
from pipelines.settings.vectors import ElmoVectors
from pipelines.store import Rows
from pipelines.training.batches import loader
from pipelines.training.fit import Job, Row, fit

HELD_OUT = 10  # the last tenth of the corpus: no review that is trained on has a sentence in it


def split_corpus(settings: ElmoVectors, corpus: Corpus) -> dict[str, SentenceRows]:
    """Sentences to train on, from the first nine tenths of the corpus, and others to choose the best epoch by and to test.

    Raises:
        ValueError: the corpus is too short.
    """
    sentences = len(corpus.offsets) - 1
    held_out = sentences - sentences // HELD_OUT
    if held_out >= sentences - 1:
        raise ValueError(f"{sentences} sentences are too few: a tenth of them has to give two splits")
    others = spread(held_out, sentences, 2 * settings.held_out)
    chosen = {"train": spread(0, held_out, settings.sentences), "valid": others[::2], "test": others[1::2]}
    return {split: SentenceRows(corpus, numbers, settings.longest) for split, numbers in chosen.items()}


def train_elmo(
    settings: ElmoVectors,
    vocabulary: WordVocabulary,
    test: Rows,
    job: Job,
    provenance: Mapping[str, object],
    report: Callable[[Row], None],
) -> tuple[WordVectors, Contextual, dict[str, float]]:
    """Train to the lowest validation loss, and measure on the test split.

    Args:
        settings: see params.yaml.
        vocabulary: of the corpus.
        test: sentences to measure on.
        job: how to train.
        provenance: of the vectors.
        report: see `fit`.

    Returns:
        the words' vectors without a context, the model that gives those in a context, and its perplexity, the geometric
        mean of both directions'.
    """
    torch.manual_seed(job.seed)
    made = Contextual.build(settings, vocabulary, CharacterTokenizer.train(vocabulary.words, lowercase=False))
    sentences = len(job.train)
    made.model.output.begin_at(torch.tensor([0, 0, sentences, sentences, *vocabulary.counts.tolist()]))  # PAD, UNK, BOS, EOS
    weights, _ = fit(made.model, job, report)
    made.model.load_state_dict(weights)
    measured = {"perplexity": _perplexity(made.model, test, job), "sentences": sentences}
    return WordVectors(vocabulary, made.words(), provenance), made, measured


@torch.no_grad()
def _perplexity(model: ELMo, rows: Rows, job: Job) -> float:
    model.eval()
    losses = [model(**batch) for batch in loader(rows, job.params.batch_units, job.seed, shuffle=False)]
    return float(np.exp(sum(float(loss.total) for loss in losses) / sum(loss.units for loss in losses)))
