"""What is measured in a process of its own, which has imported no more than it needs: `python -m benchmarks.fresh PART FOLDER`.

- memory: what training takes at most, of a prepared corpus.
- load: how long vectors take to load and to answer.

One number goes to standard output.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from models.embeddings.hogwild import Corpus
from models.embeddings.word2vec import Settings, train_word2vec
from models.text.vectors import VOCABULARY, WordVectors
from models.text.words import WordVocabulary

SETTINGS = Settings(dimension=100, window=5, negatives=5, sample=0.001, epochs=1, learning_rate=0.025, last_rate=0.0001)
THREADS = 2
KIB_PER_MIB = 1024


def open_corpus(folder: Path) -> Corpus:
    """A prepared corpus, memory-mapped."""
    return Corpus(*(np.load(folder / "train" / name, mmap_mode="r") for name in ("words.npy", "words.offsets.npy")))


def training_memory(folder: Path) -> float:
    """MiB that skip-gram holds at most, beyond the vocabulary: its words and counts, not its vectors."""
    before = _memory("VmRSS")
    vocabulary = WordVocabulary.load(folder / VOCABULARY)
    words = _memory("VmRSS") - before
    train_word2vec("skip_gram", "negative_sampling", open_corpus(folder), vocabulary.counts, SETTINGS, threads=THREADS, seed=0)
    return _memory("VmHWM") - words


def _memory(field: str) -> float:
    """Resident MiB of this process, now ("VmRSS") or at most so far ("VmHWM").

    Not by getrusage: there, a process begins with the peak of the one that started it.
    """
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields[field].split()[0]) / KIB_PER_MIB


def loading_time(folder: Path) -> float:
    """Seconds until the first nearest words are known."""
    start = time.perf_counter()
    WordVectors.load(folder).nearest("movie")
    return time.perf_counter() - start


PARTS: dict[str, Callable[[Path], float]] = {"memory": training_memory, "load": loading_time}


def fresh(part: str, folder: Path) -> float:
    """Measure a part in a new process. Raises CalledProcessError if that failed."""
    command = [sys.executable, "-m", "benchmarks.fresh", part, str(folder)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)  # noqa: S603


if __name__ == "__main__":
    sys.stdout.write(f"{PARTS[sys.argv[1]](Path(sys.argv[2]))}\n")
