"""A corpus in chunks, and threads that train on them in parallel (Hogwild: Niu et al. 2011, arXiv 1106.5730)."""

from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event, Lock

import numpy as np
import numpy.typing as npt

from models.mapped import release

CHUNK = 10_000  # words that a kernel trains on in one call: some milliseconds
RELEASE = 4_000_000  # words after which memory-mapped pages are released: 16 MB
Words = npt.NDArray[np.int32]
Places = npt.NDArray[np.int64]
Progress = Callable[[int], None]
Train = Callable[[Words, Places, float, int], None]


@dataclass(frozen=True)
class Corpus:
    """Sentences as one array of words. The arrays may be memory-mapped.

    Attributes:
        tokens: word ids, int32 [N].
        offsets: where sentences begin and end, int64 [S + 1], from 0 to N.
    """

    tokens: Words
    offsets: Places

    def check(self, counts: npt.NDArray[np.int64]) -> None:
        """Check that the corpus can be trained on.

        Args:
            counts: occurrences of each word of the vocabulary, [V].

        Raises:
            ValueError: there are fewer than two distinct words, or the sentence offsets do not match the words.
        """
        if not len(self.tokens):
            raise ValueError("the corpus is empty: there is no text to train word vectors on")
        if len(counts) < 2 or np.min(counts) < 1:
            raise ValueError(f"word vectors need at least two distinct words; there are {np.count_nonzero(counts)}")
        if len(self.offsets) < 2 or self.offsets[0] != 0 or self.offsets[-1] != len(self.tokens):
            raise ValueError(f"the sentence offsets do not run from 0 to {len(self.tokens)}, the number of words")

    def chunk(self, number: int, size: int, vocabulary_size: int) -> tuple[Words, Places]:
        """The words of chunk `number` of `size` words, and where sentences end in it; the last one is cut off at the chunk's end.

        Raises:
            ValueError: a word id is not in the vocabulary.
        """
        start = number * size
        if start % RELEASE < size:
            release((self.tokens, self.offsets))
        words = np.array(self.tokens[start : start + size])
        first, last = np.searchsorted(self.offsets, [start, start + len(words)], side="right")
        if words.min() < 0 or words.max() >= vocabulary_size:  # kernels do not check indices
            raise ValueError(f"word ids from {words.min()} to {words.max()} do not fit a vocabulary of {vocabulary_size} words")
        ends = np.array(self.offsets[first : last + 1]) - start
        return words, np.minimum(ends, len(words))


@dataclass(frozen=True)
class Schedule:
    """The number of passes over the corpus, and the learning rate, which decreases linearly from the first to the last chunk."""

    epochs: int
    first_rate: float
    last_rate: float

    def rate(self, done: float) -> float:
        """Learning rate after the fraction `done` of the training."""
        return self.first_rate + (self.last_rate - self.first_rate) * done


def hogwild(
    corpus: Corpus,
    vocabulary_size: int,
    schedule: Schedule,
    worker: Callable[[], Train],
    *,
    threads: int,
    seed: int,
    progress: Progress | None,
    passes: range,
) -> None:
    """Train on all chunks, once per pass; each thread takes the next chunk when it has finished one.

    Args:
        corpus: N words.
        vocabulary_size: V.
        schedule: of the learning rate.
        worker: called once per thread; returns a function that trains on words, ends of sentences, a learning rate and a seed for
            the chunk. That function should release the interpreter lock.
        threads: number of threads.
        seed: the chunks' seeds are derived from it.
        progress: called with the number of words of each finished chunk, N * passes in total, by one thread at a time.
        passes: numbers of the passes to run, among those of the schedule.
    """
    chunks = -(-len(corpus.tokens) // CHUNK)
    numbers, lock, stop = iter(range(chunks * passes.start, chunks * passes.stop)), Lock(), Event()
    seeds = int(np.random.SeedSequence(seed).generate_state(1, np.uint32)[0]) << 32  # leaves room to add the chunk number

    def work() -> None:
        train = worker()
        for number in numbers:  # shared by all threads: the interpreter lock makes each step of a range atomic
            words, ends = corpus.chunk(number % chunks, CHUNK, vocabulary_size)
            train(words, ends, schedule.rate(number / (chunks * schedule.epochs)), seeds + number)
            with lock:
                if progress:
                    progress(len(words))
            if stop.is_set():
                break

    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work) for _ in range(threads)]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()
        for future in futures:
            future.result()
