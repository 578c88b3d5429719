"""Skip-gram, CBOW and fastText, trained on a CPU."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from models.cpu.lanes import LANES
from models.embeddings.bags import Bags, mean_vectors
from models.embeddings.hogwild import Corpus, Places, Progress, Schedule, Train, Words, hogwild
from models.embeddings.huffman import Paths, huffman_paths
from models.embeddings.kernels import Method, Objective, word2vec_kernel
from models.embeddings.sampling import alias_table, keep_thresholds, noise_distribution
from models.embeddings.step import BLOCK
from models.embeddings.workspace import (
    Floats,
    Model,
    Noise,
    Shape,
    Workspace,
    aligned_zeros,
    new_inputs,
    new_outputs,
    new_windows,
    padded,
)

PATH_BLOCK, CONTEXT_BLOCK = 4, 4  # outputs in a block where a window has any number of them: few are left over
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Settings:
    """How to train; in brackets, the defaults of word2vec.c and gensim.

    Args:
        dimension: d (100).
        window: most words to each side of a word; each window reaches a random number of words, from 1 to this (5).
        negatives: noise words of a window, in negative sampling (5).
        sample: share of the corpus from which on words are skipped, see `keep_thresholds` (0.001).
        epochs: passes over the corpus (5).
        learning_rate: at the start (0.025).
        last_rate: at the end; it falls linearly (0.0001).
    """

    dimension: int
    window: int
    negatives: int
    sample: float
    epochs: int
    learning_rate: float
    last_rate: float


def train_word2vec(
    method: Literal["skip_gram", "cbow"],
    objective: Objective,
    corpus: Corpus,
    counts: Counts,
    settings: Settings,
    *,
    threads: int,
    seed: int,
    progress: Progress | None = None,
) -> Floats:
    """Vectors of all words. One thread gives the same vectors for the same seed; more do not, as they share them.

    Args:
        method: which vectors predict which.
        objective: what a prediction is.
        corpus: to train on.
        counts: how often each word occurs, V.
        settings: how to train.
        threads: to train with, without locks.
        seed: of all random numbers.
        progress: called with the words of each chunk that is done, `settings.epochs * len(corpus.tokens)` in all.

    Returns:
        [V, d].

    Raises:
        ValueError: the corpus is empty, has one word alone, or does not fit the counts.
        FloatingPointError: the vectors grew beyond what a float holds.
    """
    corpus.check(counts)
    x = initial_inputs(len(counts), np.arange(len(counts)), settings.dimension, seed)
    task = _Task(method, objective, corpus, counts, settings, None)
    return np.ascontiguousarray(_train(task, x, threads, seed, progress))


def train_fasttext(
    corpus: Corpus,
    counts: Counts,
    bags: Bags,
    buckets: int,
    settings: Settings,
    *,
    threads: int,
    seed: int,
    progress: Progress | None = None,
) -> tuple[Floats, Floats]:
    """Vectors of all words and of the buckets of n-grams, by negative sampling; repeatable like those of `train_word2vec`.

    Args:
        corpus: to train on.
        counts: how often each word occurs, V.
        bags: from `subword_bags`.
        buckets: of n-grams.
        settings: how to train.
        threads: to train with, without locks.
        seed: of all random numbers.
        progress: called with the words of each chunk that is done, `settings.epochs * len(corpus.tokens)` in all.

    Returns:
        The mean of each word's bag, [V, d]; the vectors of the buckets, [buckets, d], zero where no word has an n-gram.

    Raises:
        ValueError: the corpus is empty, has one word alone, or does not fit the counts.
        FloatingPointError: the vectors grew beyond what a float holds.
    """
    corpus.check(counts)
    x = initial_inputs(len(counts) + buckets, np.unique(bags.rows), settings.dimension, seed)
    vectors = _train(_Task("fasttext", "negative_sampling", corpus, counts, settings, bags), x, threads, seed, progress)
    return mean_vectors(vectors, bags), vectors[len(counts) :]


def initial_inputs(rows: int, used: npt.NDArray[np.integer], dimension: int, seed: int) -> Floats:
    """Rows that are uniform in +-1/(2d), as in word2vec.c: flattened [rows * width]; zero where not used."""
    width = padded(dimension)
    x = aligned_zeros(rows * width)
    numbers = np.random.default_rng(seed).random((len(used), dimension), np.float32)
    x.reshape(rows, width)[used, :dimension] = (numbers - 0.5) / dimension
    return x


@dataclass(frozen=True)
class _Task:
    """What `_train` is to do."""

    method: Method
    objective: Objective
    corpus: Corpus
    counts: Counts
    settings: Settings
    bags: Bags | None


def _train(task: _Task, x: Floats, threads: int, seed: int, progress: Progress | None) -> Floats:
    """Train input vectors, flattened [rows * width]; gives [rows, d]."""
    settings = task.settings
    schedule = Schedule(settings.epochs, settings.learning_rate, settings.last_rate)
    hogwild(task.corpus, len(task.counts), schedule, _worker(task, x), threads=threads, seed=seed, progress=progress)
    vectors = x.reshape(-1, padded(settings.dimension))[:, : settings.dimension]
    if not np.isfinite(vectors[: len(task.counts)]).all():
        raise FloatingPointError("the word vectors are not finite: the learning rate is too high")
    return vectors


def _worker(task: _Task, x: Floats) -> Callable[[], Train]:
    """What `hogwild` calls in each thread."""
    settings, width = task.settings, padded(task.settings.dimension)
    tables, outputs_per_window, block = _outputs(task)
    model = Model(x, aligned_zeros(len(task.counts) * width))
    keep = keep_thresholds(task.counts, settings.sample)
    shape = Shape((0,) * (width // LANES), (0,) * block)
    rows = task.bags.longest if task.bags else 2 * settings.window
    vectors = 2 * settings.window if task.method == "skip_gram" else 1
    kernel = word2vec_kernel(task.method, task.objective)

    def worker() -> Train:
        windows, state = new_windows(keep, settings.window), np.zeros(1, np.uint64)
        inputs, outputs = new_inputs(rows, vectors, width), new_outputs(outputs_per_window, vectors, block)
        space = Workspace(model, tables, task.bags, windows, inputs, outputs, state, shape)

        def train(words: Words, ends: Places, rate: float, number: int) -> None:
            state[0] = number
            kernel(words, ends, np.float32(rate), space)

        return train

    return worker


def _outputs(task: _Task) -> tuple[Noise | Paths, int, int]:
    """The table that outputs come from, how many a window has at most, and how many make a block."""
    if task.objective == "hierarchical_softmax":
        paths = huffman_paths(task.counts)
        return paths, paths.longest, PATH_BLOCK
    noise = Noise(task.settings.negatives, alias_table(noise_distribution(task.counts)))
    if task.method == "fasttext":
        return noise, 2 * task.settings.window + noise.negatives, CONTEXT_BLOCK
    outputs = 1 + noise.negatives
    return noise, outputs, -(-outputs // -(-outputs // BLOCK))  # blocks of equal length
