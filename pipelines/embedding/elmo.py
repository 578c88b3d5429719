"""Contextual vectors: a small ELMo, trained on a sample of the corpus's sentences."""

import numpy as np
import torch

from models.embeddings.elmo import ELMo
from models.embeddings.hogwild import Corpus
from models.text.characters import CharacterTokenizer
from models.text.words import WordVocabulary
from pipelines.embedding.contextual import Contextual
from pipelines.embedding.sentences import SentenceRows, spread
from pipelines.settings.vectors import ElmoVectors
from pipelines.store import Rows
from pipelines.training.batches import loader

HELD_OUT = 10  # hold out the last tenth of the corpus, so that it shares no review with training


def split_corpus(settings: ElmoVectors, corpus: Corpus) -> dict[str, SentenceRows]:
    """Training sentences from the first nine tenths of the corpus, validation and test sentences from the last tenth.

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


def build_elmo(settings: ElmoVectors, vocabulary: WordVocabulary, sentences: int, seed: int) -> Contextual:
    """The model before training.

    Args:
        settings: see params.yaml.
        vocabulary: of the corpus.
        sentences: number of training sentences; the model also predicts their BOS and EOS.
        seed: of its weights.
    """
    torch.manual_seed(seed)
    made = Contextual.build(settings, vocabulary, CharacterTokenizer.train(vocabulary.words, lowercase=False))
    made.model.output.begin_at(torch.tensor([0, 0, sentences, sentences, *vocabulary.counts.tolist()]))  # PAD, UNK, BOS, EOS
    return made


@torch.no_grad()
def perplexity(model: ELMo, rows: Rows, batch_units: int) -> float:
    """The perplexity, as the geometric mean over both directions."""
    model.eval()
    losses = [model(**batch) for batch in loader(rows, batch_units, 0, shuffle=False)]
    return float(np.exp(sum(float(loss.total) for loss in losses) / sum(loss.units for loss in losses)))
