"""Training of word2vec and fastText: results, reproducibility, and errors."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stopping import Stopping

from models.embeddings.bags import subword_bags
from models.embeddings.batched import make_pairs, skip_frequent, train_batched
from models.embeddings.hogwild import CHUNK, Corpus
from models.embeddings.passes import NO_KEEPER, Keeper
from models.embeddings.word2vec import Word2VecSettings, initial_inputs, train_fasttext, train_word2vec

V, SENTENCE = 20, 10
SETTINGS = Word2VecSettings(dimension=20, window=3, negatives=5, sample=0, epochs=2, learning_rate=0.05, last_rate=0.001)
WORDS = [f"{'even' if n % 2 == 0 else 'odd'}{n}" for n in range(V)]
Trainer = Callable[..., Any]


def two_classes(sentences: int = 2000) -> Corpus:
    """Sentences of only even or only odd words."""
    generator = np.random.default_rng(0)
    words = 2 * generator.integers(0, V // 2, (sentences, SENTENCE)) + generator.integers(0, 2, (sentences, 1))
    return Corpus(words.astype(np.int32).reshape(-1), np.arange(0, sentences * SENTENCE + 1, SENTENCE))


def counts_of(corpus: Corpus) -> Any:
    return np.bincount(corpus.tokens, minlength=V)


def word2vec(method: Any, objective: Any) -> Trainer:
    def train(corpus: Corpus, settings: Word2VecSettings, threads: int, keeper: Keeper = NO_KEEPER) -> Any:
        return train_word2vec(method, objective, corpus, counts_of(corpus), settings, threads=threads, seed=1, keeper=keeper)

    return train


def fasttext(corpus: Corpus, settings: Word2VecSettings, threads: int, keeper: Keeper = NO_KEEPER) -> Any:
    bags = subword_bags([str(n) * 3 for n in range(V)], 3, 4, 50)
    return train_fasttext(corpus, counts_of(corpus), bags, 50, settings, threads=threads, seed=1, keeper=keeper)[0]


def batched(corpus: Corpus, settings: Word2VecSettings, threads: int, keeper: Keeper = NO_KEEPER) -> Any:  # noqa: ARG001
    settings = replace(settings, learning_rate=0.1)
    return train_batched(corpus, counts_of(corpus), settings, batch=500, noise=20, device="cpu", seed=1, keeper=keeper)


TRAINERS = {
    "skip-gram": word2vec("skip_gram", "negative_sampling"),
    "skip-gram by hierarchical softmax": word2vec("skip_gram", "hierarchical_softmax"),
    "CBOW": word2vec("cbow", "negative_sampling"),
    "CBOW by hierarchical softmax": word2vec("cbow", "hierarchical_softmax"),
    "fastText": fasttext,
    "batched": batched,
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("method", TRAINERS)
def test_words_of_a_class_become_similar(method: str, threads: int) -> None:
    vectors = TRAINERS[method](two_classes(), SETTINGS, threads)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = unit @ unit.T
    same = np.arange(V)[:, None] % 2 == np.arange(V) % 2
    off_diagonal = ~np.eye(V, dtype=bool)
    assert similarity[same & off_diagonal].min() > similarity[~same].max() + 0.2


@pytest.mark.parametrize("method", TRAINERS)
def test_one_thread_is_reproducible(method: str) -> None:
    corpus, settings = two_classes(300), replace(SETTINGS, sample=0.01)
    np.testing.assert_array_equal(TRAINERS[method](corpus, settings, 1), TRAINERS[method](corpus, settings, 1))


def test_another_seed_gives_other_vectors() -> None:
    corpus = two_classes(100)
    first, second = (
        train_word2vec("skip_gram", "negative_sampling", corpus, counts_of(corpus), SETTINGS, threads=1, seed=seed)
        for seed in (1, 2)
    )
    assert np.abs(first - second).min() > 0


def test_sentences_of_one_word_do_not_train() -> None:
    corpus = Corpus(np.arange(V, dtype=np.int32), np.arange(V + 1))
    first = initial_inputs(V, np.arange(V), SETTINGS.dimension, 1).reshape(V, -1)[:, : SETTINGS.dimension]
    for method in ("skip-gram", "CBOW", "skip-gram by hierarchical softmax", "CBOW by hierarchical softmax"):
        np.testing.assert_array_equal(TRAINERS[method](corpus, SETTINGS, 1), first)


def test_fasttext_gives_a_vector_to_each_used_bucket_and_zeros_to_others() -> None:
    corpus, bags = two_classes(300), subword_bags(WORDS, 3, 6, 1000)
    words, ngrams = train_fasttext(corpus, counts_of(corpus), bags, 1000, SETTINGS, threads=1, seed=1)
    used = np.unique(bags.rows[bags.rows >= V]) - V
    assert (np.abs(ngrams[used]).max(1) > 0).all()
    assert not np.delete(ngrams, used, axis=0).any()
    assert words.shape == (V, SETTINGS.dimension)


def test_a_mapped_corpus_gives_the_same_vectors(tmp_path: Path) -> None:
    corpus = two_classes(1500)
    np.save(tmp_path / "tokens.npy", corpus.tokens)
    np.save(tmp_path / "offsets.npy", corpus.offsets)
    mapped = Corpus(*(np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("tokens", "offsets")))
    train = TRAINERS["skip-gram"]
    np.testing.assert_array_equal(train(mapped, SETTINGS, 1), train(corpus, SETTINGS, 1))


@pytest.mark.parametrize("size", [7, 30, 1000])
def test_chunks_hold_all_words_and_all_ends_of_sentences(size: int) -> None:
    offsets = np.array([0, 0, 3, 3, 10, 60, 61, 100])
    corpus = Corpus(np.arange(100, dtype=np.int32), offsets)
    words, ends = zip(*(corpus.chunk(n, size, 100) for n in range(-(-100 // size))), strict=True)
    np.testing.assert_array_equal(np.concatenate(words), corpus.tokens)
    assert all(end[-1] == len(part) for part, end in zip(words, ends, strict=True))
    found = {n * size + end for n, part in enumerate(ends) for end in part.tolist()}
    assert found == {*offsets[2:].tolist(), *range(size, 100, size), 100}


@pytest.mark.parametrize("train", TRAINERS.values(), ids=TRAINERS)
def test_a_resumed_training_equals_an_uninterrupted_one(train: Trainer) -> None:
    corpus, keeper = two_classes(300), Stopping()
    settings = replace(SETTINGS, epochs=3)
    with pytest.raises(InterruptedError):
        train(corpus, settings, 1, keeper)
    np.testing.assert_array_equal(train(corpus, settings, 1, keeper), train(corpus, settings, 1))


def test_progress_counts_all_words() -> None:
    corpus, seen = two_classes(2500), list[int]()
    assert len(corpus.tokens) > 2 * CHUNK
    train_word2vec("cbow", "negative_sampling", corpus, counts_of(corpus), SETTINGS, threads=2, seed=1, progress=seen.append)
    assert sum(seen) == SETTINGS.epochs * len(corpus.tokens)


def test_an_error_in_a_thread_ends_training() -> None:
    corpus = two_classes(5000)

    def fail(_words: int) -> None:
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        train_word2vec("cbow", "negative_sampling", corpus, counts_of(corpus), SETTINGS, threads=2, seed=1, progress=fail)


def corpus_of(*tokens: int) -> Corpus:
    return Corpus(np.array(tokens, np.int32), np.array([0, len(tokens)]))


@pytest.mark.parametrize(
    ("corpus", "counts", "message"),
    [
        (corpus_of(), [1, 1], "the corpus is empty"),
        (corpus_of(0, 0, 0), [3], "two distinct words"),
        (corpus_of(0, 1), [2, 0], "two distinct words"),
        (Corpus(np.zeros(5, np.int32), np.array([0, 4])), [3, 2], "from 0 to 5"),
        (corpus_of(0, 1, 2), [2, 1], "ids from 0 to 2 do not fit a vocabulary of 2 words"),
        (corpus_of(0, -1), [2, 1], "ids from -1 to 0"),
    ],
)
def test_an_invalid_corpus_is_rejected(corpus: Corpus, counts: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train_word2vec("skip_gram", "negative_sampling", corpus, np.array(counts), SETTINGS, threads=1, seed=1)
    with pytest.raises(ValueError, match=message):
        train_batched(corpus, np.array(counts), SETTINGS, batch=10, noise=2, device="cpu", seed=1)


def test_vectors_that_overflow_are_an_error() -> None:
    corpus = two_classes(300)
    with pytest.raises(FloatingPointError, match="learning rate"):
        TRAINERS["CBOW"](corpus, replace(SETTINGS, learning_rate=1e30), 1)


def test_batches_have_the_same_pairs_as_windows() -> None:
    torch.manual_seed(0)
    words, sentences = torch.arange(100, 106), torch.tensor([0, 0, 0, 1, 1, 2])
    contexts, centres = make_pairs(words, sentences, 1)
    assert sorted(zip(contexts.tolist(), centres.tolist(), strict=True)) == [
        (100, 101), (101, 100), (101, 102), (102, 101), (103, 104), (104, 103)
    ]  # fmt: skip
    contexts, centres = make_pairs(torch.arange(100_000), torch.zeros(100_000, dtype=torch.long), 4)
    found = torch.bincount((contexts - centres).abs())
    assert found.tolist() == pytest.approx([0, 200_000, 150_000, 100_000, 50_000], rel=0.02)


def test_batches_skip_frequent_words() -> None:
    torch.manual_seed(0)
    words, ends = torch.arange(10).repeat(100), torch.arange(10, 1001, 10)
    keep = torch.arange(10) / 9
    kept, sentences = skip_frequent(words, ends, keep)
    assert torch.bincount(kept).tolist() == pytest.approx((100 * keep).tolist(), abs=20)
    assert set(sentences.tolist()) <= set(range(100))
    assert (torch.bincount(sentences, minlength=100) < 10).all()
