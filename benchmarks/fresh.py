"""Measurements in a fresh process with minimal imports: `python -m benchmarks.fresh PART FOLDER`.

- memory: peak memory of training on a prepared corpus.
- load: time to load vectors and answer one query.

Prints one number to standard output.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from models.embeddings.hogwild import Corpus
from models.embeddings.word2vec import Word2VecSettings, train_word2vec
from models.text.vectors import VOCABULARY, WordVectors
from models.text.words import WordVocabulary

SETTINGS = Word2VecSettings(dimension=100, window=5, negatives=5, sample=0.001, epochs=1, learning_rate=0.025, last_rate=0.0001)
THREADS = 2
KIB_PER_MIB = 1024


def open_corpus(folder: Path) -> Corpus:
    """Open a prepared corpus, memory-mapped."""
    return Corpus(*(np.load(folder / "train" / name, mmap_mode="r") for name in ("words.npy", "words.offsets.npy")))


def training_memory(folder: Path) -> float:
    """Return skip-gram's peak memory in MiB, without the vocabulary's words and counts but with its vectors."""
    before = _memory("VmRSS")
    vocabulary = WordVocabulary.load(folder / VOCABULARY)
    words = _memory("VmRSS") - before
    train_word2vec("skip_gram", "negative_sampling", open_corpus(folder), vocabulary.counts, SETTINGS, threads=THREADS, seed=0)
    return _memory("VmHWM") - words


def _memory(field: str) -> float:
    """Return the resident memory of this process in MiB: current ("VmRSS") or peak ("VmHWM").

    getrusage is no alternative: its peak starts at the parent's.
    """
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields[field].split()[0]) / KIB_PER_MIB


def loading_time(folder: Path) -> float:
    """Return the seconds to load vectors and find the first nearest words."""
    start = time.perf_counter()
    WordVectors.load(folder).nearest("movie")
    return time.perf_counter() - start


PARTS: dict[str, Callable[[Path], float]] = {"memory": training_memory, "load": loading_time}


def fresh(part: str, folder: Path) -> float:
    """Measure a part in a new process.

    Raises:
        CalledProcessError: the process failed.
    """
    command = [sys.executable, "-m", "benchmarks.fresh", part, str(folder)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)  # noqa: S603


if __name__ == "__main__":
    sys.stdout.write(f"{PARTS[sys.argv[1]](Path(sys.argv[2]))}\n")
