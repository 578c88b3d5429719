"""Beam search against plain Python, on random decoders whose probabilities depend on the whole history."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.beam import Found, Options, beam_search
from models.text.special import BOS, EOS, PAD, SPECIAL_TOKENS, UNK
from serving.predictors.search import tree

STATES = 10_007  # many, so that two histories do not go through the same states: the order of ties is arbitrary
NEVER = [PAD, UNK, BOS]
Tokens = tuple[int, ...]
Scored = tuple[Tokens, float]
Hypothesis = tuple[Tokens, float, list[list[float]]]  # with the attention of each token
T = TypeVar("T", int, Tensor)  # one state, or those of a batch
F = TypeVar("F", float, Tensor)


@dataclass
class Decoder:
    """Log-probabilities from a state that hashes all previous tokens and the sentence; a state is [hash, sentence]."""

    log_probs: Tensor  # [STATES, V]
    calls: int = field(default=0)

    def follow(self, state: T, token: T, sentence: T) -> T:
        return (state * 7 + token * 5 + sentence * 3 + 1) % STATES

    def attention(self, state: F) -> tuple[F, F]:
        """Attention to two source positions: it depends on the history and sums to 1."""
        share = (state % 5) / 4
        return share, 1 - share

    def __call__(self, previous: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        self.calls += 1
        after = self.follow(state[..., 0], previous, state[..., 1])
        return self.log_probs[after], torch.stack([after, state[..., 1]], -1), torch.stack(self.attention(after.double()), -1)

    def run(self, limits: list[int], sentences: Sequence[int], beams: int, n_best: int, **chosen: Any) -> Found:
        """Search for translations of sentences."""
        state = torch.tensor([[0, sentence] for sentence in sentences])
        first = torch.full((beams,), -torch.inf, dtype=torch.float64)
        first[0] = 0
        options = options_of(n_best=n_best, **chosen)
        mask = torch.ones(len(limits), 2).bool()
        return beam_search(self, state, mask, torch.tensor(limits), first, max(limits), options)

    def search(
        self, limits: list[int], sentences: Sequence[int] | None = None, *, beams: int, n_best: int | None = None, **chosen: Any
    ) -> list[list[Hypothesis]]:
        """Each sentence's hypotheses as (tokens, score, attention)."""
        sentences = range(len(limits)) if sentences is None else sentences
        n_best = beams if n_best is None else n_best
        tokens, scores, attention, _ = self.run(limits, sentences, beams, n_best, **chosen)
        return [
            [
                (tuple(row[: row.index(EOS)]), float(score), weights[: row.index(EOS) + 1])
                for row, score, weights in zip(tokens[i].tolist(), scores[i], attention[i].tolist(), strict=True)
                if math.isfinite(score)
            ][:n_best]
            for i in range(len(limits))
        ]


def options_of(
    *, alpha: float = 1.0, c: float = 0.0, beta: float = 0.0, min_length: int = 0, ngram: int = 0, n_best: int = 1
) -> Options:
    floats = [torch.tensor(value, dtype=torch.float64) for value in (alpha, c, beta)]
    return Options(*floats, *(torch.tensor(value) for value in (min_length, ngram, n_best)))


def decoder(seed: int, units: int) -> Decoder:
    logits = 2 * torch.randn(
        STATES, len(SPECIAL_TOKENS) + units, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    logits[:, NEVER] = -torch.inf
    return Decoder(torch.log_softmax(logits, 1))


def states(model: Decoder, sentence: int, tokens: Tokens) -> list[int]:
    """The decoder's state after BOS and after each token."""
    found = [0]
    for token in (BOS, *tokens):
        found.append(model.follow(found[-1], token, sentence))
    return found[1:]


def repeats(tokens: Tokens, n: int) -> bool:
    grams = [tokens[i : i + n] for i in range(len(tokens) - n + 1)]
    return n > 0 and len(set(grams)) < len(grams)


def continuations(
    model: Decoder, sentence: int, tokens: Tokens, total: float, limit: int, min_length: int = 0, ngram: int = 0
) -> list[Scored]:
    """All continuations of a hypothesis, as (tokens, sum), computed from its whole history."""
    log_probs = model.log_probs[states(model, sentence, tokens)[-1]].tolist()
    units = range(len(SPECIAL_TOKENS), len(log_probs))
    if len(tokens) + 1 == limit:
        return [((*tokens, EOS), total + log_probs[EOS])]
    allowed = [v for v in units if not repeats((*tokens, v), ngram)]
    return [((*tokens, v), total + log_probs[v]) for v in [*allowed, *([EOS] if len(tokens) >= min_length else [])]]


def score_of(
    model: Decoder, sentence: int, tokens: Tokens, total: float, alpha: float, c: float = 0.0, beta: float = 0.0
) -> float:
    """Score of a finished hypothesis, whose tokens include EOS."""
    paid = zip(*(model.attention(s) for s in states(model, sentence, tokens[:-1])), strict=True)
    covered = sum(math.log(min(max(sum(weights), 1e-30), 1)) for weights in paid)
    normalizer: float = ((c + len(tokens)) / (c + 1)) ** alpha
    return total / normalizer + beta * covered


def plain_beam(
    model: Decoder, sentence: int, limit: int, beams: int, alpha: float = 1.0, c: float = 0.0, beta: float = 0.0, **rules: int
) -> list[Scored]:
    """Textbook beam search: one sentence, lists, no early stopping."""
    live: list[Scored] = [((), 0.0)]
    finished: list[Scored] = []
    while live:
        grown = [new for tokens, total in live for new in continuations(model, sentence, tokens, total, limit, **rules)]
        grown = sorted(grown, key=lambda h: -h[1])[: beams - len(finished)]
        finished += [(t[:-1], score_of(model, sentence, t, total, alpha, c, beta)) for t, total in grown if t[-1] == EOS]
        live = [h for h in grown if h[0][-1] != EOS]
    return sorted(finished, key=lambda h: -h[1])


def greedy(model: Decoder, sentence: int, limit: int) -> Tokens:
    tokens: Tokens = ()
    total = 0.0
    while not tokens or tokens[-1] != EOS:
        tokens, total = max(continuations(model, sentence, tokens, total, limit), key=lambda h: h[1])
    return tokens[:-1]


def exhaustive(model: Decoder, sentence: int, limit: int, alpha: float) -> tuple[Scored, int]:
    """The best of all possible outputs."""
    units = range(len(SPECIAL_TOKENS), model.log_probs.shape[1])
    scored = []
    for n in range(limit):
        for tokens in itertools.product(units, repeat=n):
            path = zip(states(model, sentence, tokens), [*tokens, EOS], strict=True)
            scored.append((tokens, sum(float(model.log_probs[s, v]) for s, v in path) / (n + 1) ** alpha))
    return max(scored, key=lambda h: h[1]), len(scored)


seeds = st.integers(0, 2**32 - 1)
alphas = st.sampled_from([0.0, 0.6, 1.0, 2.0])
limits = st.lists(st.integers(1, 7), min_size=1, max_size=4)


def assert_same(found: list[Hypothesis], expected: list[Scored]) -> None:
    assert [tokens for tokens, _, _ in found] == [tokens for tokens, _ in expected]
    assert [score for _, score, _ in found] == pytest.approx([score for _, score in expected])


@given(seeds, st.integers(1, 5), limits)
def test_one_beam_is_greedy_search(seed: int, units: int, limits: list[int]) -> None:
    model = decoder(seed, units)
    found = model.search(limits, beams=1)
    assert [tokens for ((tokens, _, _),) in found] == [greedy(model, i, limit) for i, limit in enumerate(limits)]


@given(seeds, st.integers(1, 3), st.integers(1, 4), alphas)
def test_a_beam_as_wide_as_the_search_space_is_exhaustive(seed: int, units: int, limit: int, alpha: float) -> None:
    model = decoder(seed, units)
    best, outputs = exhaustive(model, 0, limit, alpha)
    (hypotheses,) = model.search([limit], beams=outputs, alpha=alpha, n_best=1)
    assert_same(hypotheses, [best])


@given(seeds, st.integers(1, 5), limits, st.integers(1, 6), st.integers(1, 6), alphas)
def test_early_stopping_and_batching_have_no_effect(
    seed: int, units: int, limits: list[int], beams: int, n_best: int, alpha: float
) -> None:
    model, n_best = decoder(seed, units), min(n_best, beams)
    found = model.search(limits, beams=beams, alpha=alpha, n_best=n_best)
    for i, (hypotheses, limit) in enumerate(zip(found, limits, strict=True)):
        assert_same(hypotheses, plain_beam(model, i, limit, beams, alpha)[:n_best])


@given(seeds, limits, st.integers(1, 4), alphas, st.sampled_from([0.0, 5.0]), st.sampled_from([0.0, 0.2, 1.0]))
def test_scores_are_those_of_the_length_normalization_and_of_the_coverage(
    seed: int, limits: list[int], beams: int, alpha: float, c: float, beta: float
) -> None:
    model = decoder(seed, units=3)
    found = model.search(limits, beams=beams, alpha=alpha, c=c, beta=beta)
    for i, (hypotheses, limit) in enumerate(zip(found, limits, strict=True)):
        assert_same(hypotheses, plain_beam(model, i, limit, beams, alpha, c, beta))


@given(seeds, st.lists(st.integers(1, 12), min_size=1, max_size=3), st.integers(1, 4), st.integers(0, 6), st.integers(0, 3))
def test_too_short_outputs_and_repeated_ngrams_are_excluded(
    seed: int, limits: list[int], beams: int, min_length: int, ngram: int
) -> None:
    model = decoder(seed, units=2)
    found = model.search(limits, beams=beams, min_length=min_length, ngram=ngram)
    for i, (hypotheses, limit) in enumerate(zip(found, limits, strict=True)):
        assert_same(hypotheses, plain_beam(model, i, limit, beams, min_length=min_length, ngram=ngram))
        assert all(not repeats(tokens, ngram) for tokens, _, _ in hypotheses)
        assert all(min(min_length, limit - 1) <= len(tokens) < limit for tokens, _, _ in hypotheses)


@given(seeds, limits, st.integers(1, 4))
def test_the_trace_has_every_hypothesis_that_was_in_the_beam(seed: int, limits: list[int], beams: int) -> None:
    model = decoder(seed, units=3)
    found = model.run(limits, range(len(limits)), beams, beams)
    for i, limit in enumerate(limits):
        tokens, rows, sums = (steps[i].numpy() for steps in found.trace)
        nodes = tree(tokens, rows, sums, [])
        live: list[Scored] = [((), 0.0)]
        ended = 0
        for length in range(1, max(len(node.prefix) for node in nodes) + 1):
            grown = [new for known, total in live for new in continuations(model, i, known, total, limit)]
            grown = sorted(grown, key=lambda h: -h[1])[: beams - ended]
            assert {n.prefix: pytest.approx(n.log_probability) for n in nodes if len(n.prefix) == length} == dict(grown)
            ended += sum(known[-1] == EOS for known, _ in grown)
            live = [h for h in grown if h[0][-1] != EOS]
        for node in nodes:
            assert node.prefix[:-1] == (() if node.parent is None else nodes[node.parent].prefix)


def test_search_stops_for_a_sentence_that_cannot_improve() -> None:
    model = decoder(0, units=3)
    model.log_probs[:] = torch.tensor([0.0, 0.0, 0.0, 0.9, 0.04, 0.03, 0.03]).log()  # EOS at once
    model.search([50], beams=3, alpha=0.0, n_best=1)
    assert model.calls == 1


@given(seeds, limits, st.integers(1, 4))
def test_attention_rows_belong_to_their_tokens(seed: int, limits: list[int], beams: int) -> None:
    model = decoder(seed, units=4)
    sentences = [3 * i for i in range(len(limits))]
    found = model.search(limits, sentences, beams=beams)
    for sentence, hypotheses in zip(sentences, found, strict=True):
        for tokens, _, attention in hypotheses:
            assert attention == [list(model.attention(s)) for s in states(model, sentence, tokens)]
