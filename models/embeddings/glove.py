"""GloVe: vectors whose dot products fit the logarithms of co-occurrence counts (Pennington et al. 2014)."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from models.embeddings.cooccurrence import Cooccurrences
from models.embeddings.glove_kernel import glove_kernel, initial_parameters, sum_vectors
from models.embeddings.passes import NO_KEEPER, Keeper, Reached

CHUNK, CHUNKS_PER_BLOCK = 1024, 64  # a chunk of one array fills a page of memory; a block trains in some 30 ms
Progress = Callable[[int, float], None]


class GloVe(nn.Module):
    """The objective, for any entries of X.

        J = 1/2 sum over i, j of f(X_ij) (w_i^T w~_j + b_i + b~_j - log X_ij)^2     (8)
        f(x) = min(1, (x / x_max)^alpha)                                            (9)

    The factor 1/2, which is in the authors' code but not in the paper, cancels the 2 of the derivative.

    Args:
        vocabulary_size: V.
        dimension: d.
        x_max: count above which all pairs have the same weight.
        alpha: exponent of the weight of rarer pairs.
    """

    def __init__(self, vocabulary_size: int, dimension: int, *, x_max: float, alpha: float) -> None:
        super().__init__()
        self.x_max, self.alpha = x_max, alpha
        self.word, self.word_bias = nn.Embedding(vocabulary_size, dimension), nn.Embedding(vocabulary_size, 1)  # w, b
        self.context, self.context_bias = nn.Embedding(vocabulary_size, dimension), nn.Embedding(vocabulary_size, 1)  # w~, b~

    def forward(self, rows: Tensor, columns: Tensor, counts: Tensor) -> Tensor:
        """J over N entries.

        Args:
            rows: i, [N].
            columns: j, [N].
            counts: X_ij > 0, [N].

        Returns:
            A scalar.
        """
        product = (self.word(rows) * self.context(columns)).sum(1)  # [N]
        error = product + self.word_bias(rows)[:, 0] + self.context_bias(columns)[:, 0] - counts.log()
        importance = (counts / self.x_max).pow(self.alpha).clamp(max=1)
        loss: Tensor = (importance * error.square()).sum() / 2
        return loss


@dataclass(frozen=True)
class GloVeSettings:
    """Training settings.

    Args:
        dimension: d.
        epochs: number of passes over the entries.
        learning_rate: eta of AdaGrad (see `glove_kernel`); the paper's is 0.05.
        x_max: of (9); the paper's is 100, for billions of words. 10 suits millions.
        alpha: of (9); the paper's is 3/4.
    """

    dimension: int
    epochs: int
    learning_rate: float
    x_max: float
    alpha: float


def train_glove(
    cooccurrences: Cooccurrences,
    vocabulary_size: int,
    settings: GloVeSettings,
    *,
    threads: int,
    seed: int,
    progress: Progress | None = None,
    keeper: Keeper = NO_KEEPER,
) -> npt.NDArray[np.float32]:
    """Train vectors w + w~ of all words. Results are reproducible from the seed with one thread only: several threads race.

    Args:
        cooccurrences: X; each pair trains X_ij and X_ji.
        vocabulary_size: V. A word without pairs keeps its small random vector.
        settings: training settings.
        threads: number of threads, which use no locks.
        seed: of the initial vectors and of the order.
        progress: called with the number of pairs since the last call and their part of J, for
            `settings.epochs * len(cooccurrences)` pairs in total.
        keeper: stores finished passes; training resumes from the last one.

    Returns:
        [V, d].

    Raises:
        ValueError: there are no pairs, or a word id or a count is out of range.
        FloatingPointError: the vectors diverged.
    """
    _check(cooccurrences, vocabulary_size)
    parameters, done = initial_parameters(vocabulary_size, settings.dimension, np.random.default_rng(seed)), 0
    if last := keeper.last():
        done, parameters[:] = last.passes, last.arrays["parameters"]
    step = glove_kernel(settings.dimension)

    def train(chunks: npt.NDArray[np.int64]) -> tuple[int, float]:
        block = interleave(chunks, len(cooccurrences))
        counts = cooccurrences.weights[block]
        importance = np.minimum((counts / settings.x_max) ** settings.alpha, 1)
        rows, columns = cooccurrences.rows[block], cooccurrences.columns[block]
        return len(block), step(parameters, rows, columns, np.log(counts), importance, settings.learning_rate)

    with ThreadPoolExecutor(threads) as pool:
        for number in range(done, settings.epochs):
            order = np.random.default_rng((seed, number))
            for pairs, loss in pool.map(train, shuffled_chunks(len(cooccurrences), order)):
                if progress:
                    progress(pairs, loss)
            keeper.keep(Reached(number + 1, {"parameters": parameters}))
    vectors = sum_vectors(parameters, settings.dimension)
    if not np.isfinite(vectors).all():
        raise FloatingPointError("GloVe's vectors are not finite: the learning rate is too high")
    return vectors


def _check(cooccurrences: Cooccurrences, vocabulary_size: int) -> None:
    """Check indices and counts, because the kernel does not."""
    if not len(cooccurrences):
        raise ValueError("GloVe has no training data: no two words of the corpus are within one window")
    lowest = min(cooccurrences.rows.min(), cooccurrences.columns.min())
    highest = max(cooccurrences.rows.max(), cooccurrences.columns.max())
    if lowest < 0 or highest >= vocabulary_size:
        raise ValueError(f"word ids from {lowest} to {highest} do not fit a vocabulary of {vocabulary_size} words")
    if not (cooccurrences.weights.min() > 0 and np.isfinite(cooccurrences.weights.max())):  # False for NaN
        raise ValueError("a co-occurrence count is not a positive number")


def shuffled_chunks(pairs: int, generator: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """All chunks in random order, in blocks."""
    chunks = generator.permutation(-(-pairs // CHUNK))
    yield from (chunks[start : start + CHUNKS_PER_BLOCK] for start in range(0, len(chunks), CHUNKS_PER_BLOCK))


def interleave(chunks: npt.NDArray[np.int64], pairs: int) -> npt.NDArray[np.int64]:
    """Indices of the pairs of some chunks: the first of each chunk, then the second of each, and so on.

    Chunks are read sequentially, but their pairs are trained interleaved. Consecutive pairs have words from the whole vocabulary,
    as after a full shuffle (and J ends as low), but X is not copied, the disk is read in pages, and the block's few rows stay in
    the processor's cache.
    """
    places = chunks * CHUNK + np.arange(CHUNK)[:, None]  # [CHUNK, chunks]
    return places[places < pairs]
