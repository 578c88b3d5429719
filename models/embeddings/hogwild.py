"""A corpus in chunks, and threads that train on them at the same time (Hogwild: Niu et al. 2011, arXiv 1106.5730)."""

from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from mmap import MADV_DONTNEED, mmap
from threading import Event, Lock

import numpy as np
import numpy.typing as npt

CHUNK = 10_000  # words that a kernel trains on in one call: some milliseconds
RELEASE = 4_000_000  # words after which memory-mapped pages are given back: 16 MB
Words = npt.NDArray[np.int32]
Places = npt.NDArray[np.int64]
Progress = Callable[[int], None]
Train = Callable[[Words, Places, float, int], None]


@dataclass(frozen=True)
class Corpus:
    """Sentences as one array of words; may be memory-mapped.

    Attributes:
        tokens: word ids, int32 [N].
        offsets: where sentences begin and end, int64 [S + 1], from 0 to N.
    """

    tokens: Words
    offsets: Places

    def check(self, counts: npt.NDArray[np.int64]) -> None:
        """Say what makes a corpus unfit to train on.

        Args:
            counts: how often each word of the vocabulary occurs, [V].

        Raises:
            ValueError: there are fewer than two distinct words, or the bounds of the sentences do not fit the words.
        """
        if not len(self.tokens):
            raise ValueError("the corpus is empty: there is nothing to learn word vectors from")
        if len(counts) < 2 or np.min(counts) < 1:
            raise ValueError(f"word vectors need two distinct words or more; there are {np.count_nonzero(counts)}")
        if len(self.offsets) < 2 or self.offsets[0] != 0 or self.offsets[-1] != len(self.tokens):
            raise ValueError(f"the bounds of the sentences do not go from 0 to {len(self.tokens)}, the number of words")

    def chunk(self, number: int, size: int, vocabulary_size: int) -> tuple[Words, Places]:
        """The words of one of the chunks of `size` words, and where in it sentences end; one that goes on ends with the chunk.

        Raises:
            ValueError: the vocabulary lacks a word.
        """
        start = number * size
        if start % RELEASE < size:
            self._release()
        words = np.array(self.tokens[start : start + size])
        first, last = np.searchsorted(self.offsets, [start, start + len(words)], side="right")
        if words.min() < 0 or words.max() >= vocabulary_size:  # kernels trust their indices
            raise ValueError(f"word ids from {words.min()} to {words.max()} do not fit a vocabulary of {vocabulary_size} words")
        ends = np.array(self.offsets[first : last + 1]) - start
        return words, np.minimum(ends, len(words))

    def _release(self) -> None:
        """Give back the pages of arrays that are mapped to be read, lest the process's memory grow with the corpus."""
        for array in (self.tokens, self.offsets):
            base: object = array
            while isinstance(base, np.ndarray):
                base = base.base
            if isinstance(base, mmap) and not array.flags.writeable:
                base.madvise(MADV_DONTNEED)


@dataclass(frozen=True)
class Schedule:
    """Attributes: passes over the corpus, and the learning rate, which falls linearly from the first to the last chunk."""

    epochs: int
    first_rate: float
    last_rate: float

    def rate(self, done: float) -> float:
        """Learning rate after a share `done` of the training."""
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
) -> None:
    """Train on all chunks, `schedule.epochs` times; each thread takes the next chunk when it has done one.

    Args:
        corpus: N words.
        vocabulary_size: V.
        schedule: of the learning rate.
        worker: called once a thread; gives what trains on words, ends of sentences, learning rate and a seed for the chunk. It
            should release the interpreter lock.
        threads: how many.
        seed: of the seeds.
        progress: called with the words of each chunk that is done, N * epochs in all, by one thread at a time.
    """
    chunks = -(-len(corpus.tokens) // CHUNK)
    numbers, lock, stop = iter(range(chunks * schedule.epochs)), Lock(), Event()
    seeds = int(np.random.SeedSequence(seed).generate_state(1, np.uint32)[0]) << 32  # room for the numbers of the chunks

    def work() -> None:
        train = worker()
        for number in numbers:  # shared: the interpreter lock makes each step of a range one thread's alone
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
