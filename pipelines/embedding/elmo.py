"""Contextual vectors: a small ELMo, trained on some of the corpus's sentences."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_model, save_model

from models.embeddings.elmo import ELMo
from models.embeddings.hogwild import Corpus
from models.text.characters import CharacterTokenizer
from models.text.special import SPECIAL_TOKENS
from models.text.spelling import Speller
from models.text.vectors import VOCABULARY, WordVectors
from models.text.words import WordVocabulary
from pipelines.embedding.sentences import SentenceRows, spread
from pipelines.settings.vectors import ElmoVectors
from pipelines.store import Rows
from pipelines.training.batches import loader
from pipelines.training.fit import Job, fit
from pipelines.training.module import Row

HELD_OUT = 10  # the last tenth of the corpus: no review that is trained on has a sentence in it
WORDS_AT_ONCE = 1024  # whose vectors are computed at once
WEIGHTS, CHARACTERS = "model.safetensors", "characters.json"


@dataclass(frozen=True)
class Contextual:
    """A trained model and how it reads words; what `save` writes, `load` reads.

    Args:
        model: its table of spellings is that of the vocabulary.
        speller: how words are spelled.
    """

    model: ELMo
    speller: Speller

    @classmethod
    def build(cls, settings: ElmoVectors, vocabulary: WordVocabulary, characters: CharacterTokenizer) -> "Contextual":
        """With random weights."""
        sizes = settings.model.model_dump(exclude={"longest_word"})
        speller = Speller(characters, settings.model.longest_word + 2)
        spellings = torch.from_numpy(speller.table(vocabulary.words))
        targets = len(SPECIAL_TOKENS) + len(vocabulary)
        return cls(ELMo(spellings=spellings, targets=targets, characters=characters.size, **sizes), speller)

    def save(self, folder: Path) -> None:
        """Write weights and characters into the folder of the vectors."""
        save_model(self.model, str(folder / WEIGHTS))
        self.speller.characters.save(folder / CHARACTERS)

    @classmethod
    def load(cls, settings: ElmoVectors, folder: Path) -> "Contextual":
        """Read what the embed stage made."""
        characters = CharacterTokenizer.load(folder / CHARACTERS)
        made = cls.build(settings, WordVocabulary.load(folder / VOCABULARY), characters)
        load_model(made.model, folder / WEIGHTS)
        return made

    @torch.no_grad()
    def words(self) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Vectors of the vocabulary's words from their characters alone, [V, d]."""
        spellings = self.model.eval().spellings[len(SPECIAL_TOKENS) :]
        return torch.cat([self.model.words(part) for part in torch.split(spellings, WORDS_AT_ONCE)]).numpy()


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
