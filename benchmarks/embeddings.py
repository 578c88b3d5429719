"""Word vectors compared with gensim: speed, quality, memory. `python -m benchmarks.embeddings [part ...]`, all parts by default.

- speed: training throughput in corpus words per second, ours and gensim's in alternation, medians. One epoch is timed, without
  building the vocabulary (for fastText, with the n-grams of the words) and without compiling our kernels. gensim reads a text
  file, because that is how it uses several cores.
  With ATEN_CPU_CAPABILITY=avx2, OPENBLAS_CORETYPE=Haswell, NUMBA_CPU_NAME=haswell and
  NUMBA_CPU_FEATURES=+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+sse4.2,+ssse3,+popcnt in the environment, both behave as on a CPU without
  AVX-512, and the keys end in _avx2.
- quality: Spearman's rho on WordSim-353 and analogy accuracy in percent, for skip-gram, mean over seeds. The same evaluator
  scores both.
- memory: peak memory of training skip-gram on the corpus, and on ten copies of its text.
- ngram: perplexity of the neural n-gram model, trained for some minutes, compared with count-based n-grams.
- gpu: training throughput of skip-gram with the batched engine; skipped without a GPU.
- glove: time to load 400,000 vectors from disk and find the first nearest words; time to answer all analogies.

The corpus is the one that the stages train on: run `make repro` and commit first.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gensim.models import FastText, Word2Vec
from tqdm import tqdm

from benchmarks.fresh import SETTINGS, THREADS, fresh, open_corpus
from benchmarks.ngram_lm import measure_ngram_lm
from benchmarks.parts import run_parts
from benchmarks.timing import SUFFIX
from models.embeddings.bags import subword_bags
from models.embeddings.batched import train_batched
from models.embeddings.hogwild import Corpus
from models.embeddings.kernels import Method
from models.embeddings.word2vec import Word2VecSettings, train_fasttext, train_word2vec
from models.text.vectors import VOCABULARY, WordVectors
from models.text.words import WordVocabulary
from pipelines.evaluation.words import analogies, read_pairs, read_questions, similarity
from pipelines.paths import PREPARED, RAW, VECTORS
from pipelines.report.record import Figures
from pipelines.store import GrowingArray

PACKAGES = ("gensim", "lightning-fabric", "numba", "numpy", "scipy", "torch")
CORPUS, GLOVE = PREPARED / "reviews", VECTORS / "vectors/glove-6b"
RELATIONS = RAW / "word-relations/gensim/test/test_data"
TRAININGS: tuple[tuple[Method, int], ...] = (("skip_gram", 1), ("skip_gram", 2), ("cbow", 2), ("fasttext", 2))  # threads
SHORTEST, LONGEST, BUCKETS = 3, 6, 200_000  # n-grams for fastText, as in params.yaml
REPETITIONS = 3
QUALITY_EPOCHS, SEEDS = 5, (1, 2, 3)
ANALOGY_LIMIT = 300_000  # number of most frequent words to consider: gensim's default
FEW = 1000  # sentences, enough to trigger compilation of a kernel
REPEATS = 10
GPU_BATCH, GPU_NOISE, GPU_RATE = 100_000, 2000, 0.1  # as in params.yaml; the rate is AdaGrad's

Training = Callable[[], npt.NDArray[np.float32]]
"""Trains from scratch and returns the vectors, [V, d]."""


@dataclass(frozen=True)
class Text:
    """The corpus in our format and in gensim's.

    Attributes:
        corpus: word ids, memory-mapped.
        vocabulary: words and counts.
        lines: text file with one sentence per line, for gensim.
    """

    corpus: Corpus
    vocabulary: WordVocabulary
    lines: Path


@dataclass(frozen=True)
class Task:
    """A training to run. The objective is negative sampling; fastText uses skip-gram."""

    text: Text
    method: Method
    settings: Word2VecSettings = SETTINGS
    threads: int = THREADS
    seed: int = 0


@contextmanager
def open_text() -> Iterator[Text]:
    """Provide the corpus that the stages train on, for the duration of the block."""
    corpus, vocabulary = open_corpus(CORPUS), WordVocabulary.load(CORPUS / VOCABULARY)
    with tempfile.TemporaryDirectory(prefix="seqline-") as folder:
        text = Text(corpus, vocabulary, Path(folder) / "sentences.txt")
        with text.lines.open("w", encoding="utf-8") as file:
            for start, end in pairwise(corpus.offsets.tolist()):
                file.write(" ".join(vocabulary.words[i] for i in corpus.tokens[start:end].tolist()) + "\n")
        yield text


def ours(task: Task) -> Training:
    """Return our training."""
    corpus, words, counts = task.text.corpus, task.text.vocabulary.words, task.text.vocabulary.counts
    method, settings, threads, seed = task.method, task.settings, task.threads, task.seed
    if method != "fasttext":
        return lambda: train_word2vec(method, "negative_sampling", corpus, counts, settings, threads=threads, seed=seed)
    bags = subword_bags(words, SHORTEST, LONGEST, BUCKETS)
    return lambda: train_fasttext(corpus, counts, bags, BUCKETS, settings, threads=threads, seed=seed)[0]


def gensims(task: Task) -> Training:
    """Return gensim's training. It uses our word ids, as it does not sort the vocabulary again."""
    corpus, vocabulary, model = task.text.corpus, task.text.vocabulary, _gensim_model(task)
    model.build_vocab_from_freq(dict(zip(vocabulary.words, vocabulary.counts.tolist(), strict=True)))
    size = {"total_examples": len(corpus.offsets) - 1, "total_words": len(corpus.tokens)}

    def train() -> npt.NDArray[np.float32]:
        model.train(corpus_file=str(task.text.lines), epochs=task.settings.epochs, **size)
        vectors: npt.NDArray[np.float32] = model.wv.vectors
        return vectors

    return train


def _gensim_model(task: Task) -> Any:
    settings = task.settings
    options = {
        "vector_size": settings.dimension,
        "window": settings.window,
        "negative": settings.negatives,
        "sample": settings.sample,
        "alpha": settings.learning_rate,
        "min_alpha": settings.last_rate,
        "min_count": 1,
        "sorted_vocab": 0,
        "workers": task.threads,
        "seed": task.seed,
    }
    if task.method == "fasttext":
        return FastText(sg=1, min_n=SHORTEST, max_n=LONGEST, bucket=BUCKETS, **options)
    return Word2Vec(sg=int(task.method == "skip_gram"), **options)


CONTENDERS: dict[str, Callable[[Task], Training]] = {"": ours, "gensim_": gensims}  # key prefix of the figures -> contender


def time_training() -> Figures:
    """Measure words per second for each method and number of threads, and the ratios."""
    figures: Figures = {}
    with open_text() as text:
        for method, threads in TRAININGS:
            figures |= _time_training(Task(text, method, threads=threads))
    return figures


def _time_training(task: Task) -> Figures:
    _compile(task)
    times: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for seed in tqdm(range(REPETITIONS), desc=f"{task.method}, {task.threads} threads", unit="turn"):
        for name, contender in CONTENDERS.items():
            training = contender(replace(task, seed=seed))
            times[name].append(_seconds(training))
    words = len(task.text.corpus.tokens) * task.settings.epochs
    speeds = {name: words / median(seconds) for name, seconds in times.items()}
    method, threads = task.method.replace("_", ""), f"{task.threads}t"
    figures = {f"{name}{method}_words_per_s_{threads}": speed for name, speed in speeds.items()}
    figures[f"{method}_ratio_{threads}"] = speeds[""] / speeds["gensim_"]
    return {f"{key}{SUFFIX}": value for key, value in figures.items()}


def _compile(task: Task) -> None:
    """Train on a few sentences, so that the kernel is compiled."""
    offsets = task.text.corpus.offsets[: FEW + 1]
    few = Corpus(task.text.corpus.tokens[: offsets[-1]], offsets)
    ours(replace(task, text=replace(task.text, corpus=few)))()


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def time_gpu() -> Figures:
    """Measure words per second of the `batched` engine over one epoch, after a warm-up epoch."""
    if not torch.cuda.is_available():
        return {}
    corpus, counts = open_corpus(CORPUS), WordVocabulary.load(CORPUS / VOCABULARY).counts
    settings, device = replace(SETTINGS, learning_rate=GPU_RATE), "cuda"

    def train() -> None:
        train_batched(corpus, counts, settings, batch=GPU_BATCH, noise=GPU_NOISE, device=device, seed=0)

    train()
    return {"gpu_skipgram_words_per_s": len(corpus.tokens) / median(_seconds(train) for _ in range(REPETITIONS))}


def compare_quality() -> Figures:
    """Compare the quality of our skip-gram vectors with gensim's: rho, and analogy accuracy in percentage points."""
    scores: dict[str, list[list[float | None]]] = {name: [] for name in CONTENDERS}
    questions, pairs = read_questions(RELATIONS / "questions-words.txt"), read_pairs(RELATIONS / "wordsim353.tsv")
    with open_text() as text:
        for seed in tqdm(SEEDS, desc="quality", unit="seed"):
            task = Task(text, "skip_gram", replace(SETTINGS, epochs=QUALITY_EPOCHS), seed=seed)
            for name, contender in CONTENDERS.items():
                vectors = WordVectors(text.vocabulary, contender(task)(), {})
                accuracy = analogies(vectors, questions, ANALOGY_LIMIT).total.accuracy
                scores[name].append([similarity(vectors, pairs).rho, 100 * accuracy])
    means = {name: np.mean(np.array(rows, dtype=np.float64), axis=0) for name, rows in scores.items()}
    figures = {f"{name}skipgram_rho": float(mean[0]) for name, mean in means.items()}
    figures |= {f"{name}skipgram_analogy_percent": float(mean[1]) for name, mean in means.items()}
    rho, points = means[""] - means["gensim_"]
    return {**figures, "rho_minus_gensim": float(rho), "analogy_points_minus_gensim": float(points)}


def measure_memory() -> Figures:
    """Measure peak training memory in MiB, without the vocabulary, on the corpus and on a longer one, and their ratio."""
    with tempfile.TemporaryDirectory(prefix="seqline-") as folder:
        repeat_corpus(CORPUS, Path(folder), REPEATS)
        once, repeated = fresh("memory", CORPUS), fresh("memory", Path(folder))
    return {"memory_mib_1x": once, f"memory_mib_{REPEATS}x": repeated, f"memory_ratio_{REPEATS}x": repeated / once}


def repeat_corpus(source: Path, folder: Path, times: int) -> None:
    """Write a copy of a prepared corpus that repeats its text `times` times."""
    corpus, vocabulary = open_corpus(source), WordVocabulary.load(source / VOCABULARY)
    WordVocabulary(vocabulary.words, vocabulary.counts * times).save(folder / VOCABULARY)
    train = folder / "train"
    train.mkdir()
    with GrowingArray(train / "words.npy", np.int32) as words, GrowingArray(train / "words.offsets.npy", np.int64) as offsets:
        offsets.append(corpus.offsets[:1])
        for _ in range(times):
            offsets.append(corpus.offsets[1:] + words.length)
            words.append(corpus.tokens)


def time_glove() -> Figures:
    """Measure the seconds to load the pretrained vectors and answer one query, and to answer all analogies."""
    questions, times, asked = read_questions(RELATIONS / "questions-words.txt"), [], 0
    for _ in tqdm(range(REPETITIONS), desc="analogies", unit="turn"):
        vectors = WordVectors.load(GLOVE)
        start = time.perf_counter()
        asked = analogies(vectors, questions, len(vectors.vocabulary)).total.asked
        times.append(time.perf_counter() - start)
    loading = median(fresh("load", GLOVE) for _ in range(REPETITIONS))
    return {"glove_load_s": loading, "analogies_s": median(times), "analogies_asked": asked}


PARTS: dict[str, Callable[[], Figures]] = {
    "speed": time_training,
    "quality": compare_quality,
    "memory": measure_memory,
    "ngram": measure_ngram_lm,
    "gpu": time_gpu,
    "glove": time_glove,
}


if __name__ == "__main__":
    run_parts("embeddings", "Compare word vectors with gensim.", PARTS, PACKAGES)
