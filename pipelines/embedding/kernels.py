"""The methods that train on a memory-mapped corpus by loops of their own."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import torch
from tqdm import tqdm

from models.embeddings.bags import subword_bags
from models.embeddings.batched import train_batched
from models.embeddings.glove import GloVeSettings, train_glove
from models.embeddings.hogwild import Corpus
from models.embeddings.word2vec import Settings, train_fasttext, train_word2vec
from models.text.subword_ngrams import Subwords
from models.text.vectors import WordVectors
from models.text.words import WordVocabulary
from pipelines.corpora.cooccurrence_files import read_cooccurrences, write_cooccurrences
from pipelines.paths import VECTORS
from pipelines.settings.vectors import FastTextVectors, GloVeVectors, SkipGramVectors, Word2VecVectors
from pipelines.training.hardware import pick_accelerator

MIB = 2**20


def train_words(
    name: str,
    settings: Word2VecVectors | FastTextVectors | GloVeVectors,
    corpus: Corpus,
    vocabulary: WordVocabulary,
    provenance: Mapping[str, object],
    seed: int,
    device: str,
) -> WordVectors:
    """Vectors of all words, by all cores, or by the engine that uses a device.

    Args:
        name: of the method.
        settings: see params.yaml.
        corpus: to train on.
        vocabulary: of its words.
        provenance: of the vectors.
        seed: of first vectors and of all draws.
        device: auto, cpu or cuda; for the engine `batched` alone.

    Raises:
        ValueError: the corpus is empty or does not fit the vocabulary, or the device is not there.
        FloatingPointError: the vectors grew beyond what a float holds.
    """
    threads = os.cpu_count() or 1
    if isinstance(settings, GloVeVectors):
        return WordVectors(vocabulary, _train_glove(settings, corpus, len(vocabulary), threads, seed), provenance)
    plain = settings.model_dump(include={*Settings.__annotations__})
    words, counts = Settings(**plain), vocabulary.counts
    with progress_bar(name, len(corpus.tokens) * settings.epochs, "words") as bar:
        if isinstance(settings, FastTextVectors):
            ngrams = settings.shortest_ngram, settings.longest_ngram
            bags = subword_bags(vocabulary.words, *ngrams, settings.buckets)
            matrix, buckets = train_fasttext(
                corpus, counts, bags, settings.buckets, words, threads=threads, seed=seed, progress=bar.update
            )
            return WordVectors(vocabulary, matrix, provenance, Subwords(buckets, *ngrams))
        if isinstance(settings, SkipGramVectors) and settings.engine == "batched":
            where = torch.device(pick_accelerator(device))
            options = {"batch": settings.batch, "noise": settings.noise, "device": where, "seed": seed, "progress": bar.update}
            return WordVectors(vocabulary, train_batched(corpus, counts, words, **options), provenance)
        method: Literal["skip_gram", "cbow"] = "skip_gram" if name == "skip-gram" else "cbow"
        matrix = train_word2vec(
            method, settings.objective, corpus, counts, words, threads=threads, seed=seed, progress=bar.update
        )
    return WordVectors(vocabulary, matrix, provenance)


def _train_glove(settings: GloVeVectors, corpus: Corpus, size: int, threads: int, seed: int) -> np.ndarray[Any, Any]:
    """Count, then train; the counts are as large as they are many, and do not outlive the training."""
    VECTORS.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=VECTORS) as scratch:
        pairs = write_cooccurrences(
            Path(scratch),
            corpus.tokens,
            corpus.offsets,
            vocabulary_size=size,
            window=settings.window,
            memory=settings.memory_mib * MIB,
        )
        plain = GloVeSettings(**settings.model_dump(include={*GloVeSettings.__annotations__}))
        with progress_bar("glove", pairs * settings.epochs, "pairs") as bar:

            def progress(done: int, _loss: float) -> None:
                bar.update(done)

            return train_glove(read_cooccurrences(Path(scratch)), size, plain, threads=threads, seed=seed, progress=progress)


def progress_bar(name: str, total: int, unit: str) -> "tqdm[Any]":
    """How far training is, how fast, and how long it will take; on a terminal alone."""
    return tqdm(total=total, desc=name, unit=f" {unit}", unit_scale=True, disable=not sys.stderr.isatty())
