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
from models.embeddings.passes import NO_KEEPER, Keeper, Reached
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

PATH_BLOCK, CONTEXT_BLOCK = 4, 4  # outputs in a block where their number varies: small, to waste little of the last block
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Word2VecSettings:
    """Training settings; in brackets, the defaults of word2vec.c and gensim.

    Args:
        dimension: d (100).
        window: largest number of words on each side of a word; each window's is drawn from 1 to this (5).
        negatives: noise words per window, for negative sampling (5).
        sample: relative frequency above which words are skipped, see `keep_thresholds` (0.001).
        epochs: passes over the corpus (5).
        learning_rate: at the start (0.025).
        last_rate: learning rate at the end; it decreases linearly (0.0001).
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
    settings: Word2VecSettings,
    *,
    threads: int,
    seed: int,
    progress: Progress | None = None,
    keeper: Keeper = NO_KEEPER,
) -> Floats:
    """Train vectors of all words. Results are reproducible from the seed with one thread only: several threads race.

    Args:
        method: skip_gram or cbow.
        objective: negative_sampling or hierarchical_softmax.
        corpus: training corpus.
        counts: occurrences of each word, [V].
        settings: training settings.
        threads: number of threads, which use no locks.
        seed: of all random numbers.
        progress: called with the number of words of each finished chunk, `settings.epochs * len(corpus.tokens)` in total.
        keeper: stores finished passes; training resumes from the last one.

    Returns:
        [V, d].

    Raises:
        ValueError: the corpus is empty, has only one distinct word, or does not match the counts.
        FloatingPointError: the vectors diverged.
    """
    corpus.check(counts)
    x = initial_inputs(len(counts), np.arange(len(counts)), settings.dimension, seed)
    task = _Task(method, objective, corpus, counts, settings, None)
    return np.ascontiguousarray(_train(task, x, threads, seed, progress, keeper))


def train_fasttext(
    corpus: Corpus,
    counts: Counts,
    bags: Bags,
    buckets: int,
    settings: Word2VecSettings,
    *,
    threads: int,
    seed: int,
    progress: Progress | None = None,
    keeper: Keeper = NO_KEEPER,
) -> tuple[Floats, Floats]:
    """Train vectors of all words and n-gram buckets with negative sampling; reproducible under the same condition as above.

    Args:
        corpus: training corpus.
        counts: occurrences of each word, [V].
        bags: from `subword_bags`.
        buckets: number of n-gram buckets.
        settings: training settings.
        threads: number of threads, which use no locks.
        seed: of all random numbers.
        progress: called with the number of words of each finished chunk, `settings.epochs * len(corpus.tokens)` in total.
        keeper: stores finished passes; training resumes from the last one.

    Returns:
        The mean of each word's bag, [V, d]; the vectors of the buckets, [buckets, d], zero for buckets without n-grams.

    Raises:
        ValueError: the corpus is empty, has only one distinct word, or does not match the counts.
        FloatingPointError: the vectors diverged.
    """
    corpus.check(counts)
    x = initial_inputs(len(counts) + buckets, np.unique(bags.rows), settings.dimension, seed)
    task = _Task("fasttext", "negative_sampling", corpus, counts, settings, bags)
    vectors = _train(task, x, threads, seed, progress, keeper)
    return mean_vectors(vectors, bags), vectors[len(counts) :]


def initial_inputs(rows: int, used: npt.NDArray[np.integer], dimension: int, seed: int) -> Floats:
    """Rows uniform in +-1/(2d), as in word2vec.c, flattened [rows * width]; unused rows are zero."""
    width = padded(dimension)
    x = aligned_zeros(rows * width)
    numbers = np.random.default_rng(seed).random((len(used), dimension), np.float32)
    x.reshape(rows, width)[used, :dimension] = (numbers - 0.5) / dimension
    return x


@dataclass(frozen=True)
class _Task:
    """Arguments of `_train`."""

    method: Method
    objective: Objective
    corpus: Corpus
    counts: Counts
    settings: Word2VecSettings
    bags: Bags | None


def _train(task: _Task, x: Floats, threads: int, seed: int, progress: Progress | None, keeper: Keeper) -> Floats:
    """Train input vectors, flattened [rows * width]; returns [rows, d]."""
    settings = task.settings
    schedule = Schedule(settings.epochs, settings.learning_rate, settings.last_rate)
    model, done = Model(x, aligned_zeros(len(task.counts) * padded(settings.dimension))), 0
    if last := keeper.last():
        done, model.x[:], model.y[:] = last.passes, last.arrays["inputs"], last.arrays["outputs"]
    for number in range(done, settings.epochs):
        passes, worker = range(number, number + 1), _worker(task, model)
        hogwild(task.corpus, len(task.counts), schedule, worker, threads=threads, seed=seed, progress=progress, passes=passes)
        keeper.keep(Reached(number + 1, {"inputs": model.x, "outputs": model.y}))
    vectors = x.reshape(-1, padded(settings.dimension))[:, : settings.dimension]
    if not np.isfinite(vectors[: len(task.counts)]).all():
        raise FloatingPointError("the word vectors are not finite: the learning rate is too high")
    return vectors


def _worker(task: _Task, model: Model) -> Callable[[], Train]:
    """The function that `hogwild` calls in each thread."""
    settings, width = task.settings, padded(task.settings.dimension)
    tables, outputs_per_window, block = _outputs(task)
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
    """The table that outputs are taken from, the largest number of outputs in a window, and the number in a block."""
    if task.objective == "hierarchical_softmax":
        paths = huffman_paths(task.counts)
        return paths, paths.longest, PATH_BLOCK
    noise = Noise(task.settings.negatives, alias_table(noise_distribution(task.counts)))
    if task.method == "fasttext":
        return noise, 2 * task.settings.window + noise.negatives, CONTEXT_BLOCK
    outputs = 1 + noise.negatives
    return noise, outputs, -(-outputs // -(-outputs // BLOCK))  # blocks of equal length
