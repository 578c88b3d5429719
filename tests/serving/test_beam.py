"""Beam search against plain Python, on random decoders whose every probability depends on the whole history."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.special import BOS, EOS, SPECIAL_TOKENS
from serving.beam import BLOCK, NEVER_PRODUCED, beam_search, lowest

STATES = 32


@dataclass
class Decoder:
    """Log-probabilities by a state that hashes all tokens so far and the sentence."""

    log_probs: np.ndarray  # [STATES, V]
    calls: int = 0

    def follow(self, state, token, sentence):
        return (state * 7 + token * 5 + sentence * 3 + 1) % STATES

    def __call__(self, previous, state, context):
        self.calls += 1
        state = self.follow(state[0], previous, context[0])
        return self.log_probs[state], (state,), np.stack([state, context[0]], axis=1).astype(float)  # attention [R, S = 2]

    def search(self, limits, sentences=None, **options):
        sentences = np.arange(len(limits)) if sentences is None else np.array(sentences)
        return beam_search(self, (np.zeros(len(limits), dtype=int),), (sentences,), limits, **options)


def decoder(seed: int, units: int) -> Decoder:
    logits = np.random.default_rng(seed).normal(scale=2, size=(STATES, len(SPECIAL_TOKENS) + units))
    return Decoder(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


def states(model, sentence, tokens):
    """The decoder's state after BOS and after each token."""
    return list(itertools.accumulate([0, BOS, *tokens], lambda s, t: model.follow(s, t, sentence)))[1:]


def continuations(model, sentence, tokens, total, limit):
    """Everything that may follow a hypothesis, as (tokens, sum), by walking its history anew."""
    state = states(model, sentence, tokens)[-1]
    units = [EOS] if len(tokens) + 1 == limit else [v for v in range(model.log_probs.shape[1]) if v not in NEVER_PRODUCED]
    return [((*tokens, v), total + model.log_probs[state, v]) for v in units]


def plain_beam(model, sentence, limit, beams, alpha):
    """Beam search as the textbook has it: one sentence, lists, run to its end."""
    live, finished = [((), 0.0)], []
    while live:
        grown = [c for tokens, total in live for c in continuations(model, sentence, tokens, total, limit)]
        grown = sorted(grown, key=lambda c: -c[1])[: beams - len(finished)]
        finished += [(t[:-1], total / len(t) ** alpha) for t, total in grown if t[-1] == EOS]
        live = [c for c in grown if c[0][-1] != EOS]
    return sorted(finished, key=lambda h: -h[1])


def greedy(model, sentence, limit):
    tokens, total = (), 0.0
    while not tokens or tokens[-1] != EOS:
        tokens, total = max(continuations(model, sentence, tokens, total, limit), key=lambda c: c[1])
    return tokens[:-1]


def exhaustive(model, sentence, limit, alpha):
    """The best of all outputs there are."""
    units = range(len(SPECIAL_TOKENS), model.log_probs.shape[1])
    scored = []
    for n in range(limit):
        for tokens in itertools.product(units, repeat=n):
            total = sum(model.log_probs[s, v] for s, v in zip(states(model, sentence, tokens), [*tokens, EOS], strict=True))
            scored.append((tokens, total / (n + 1) ** alpha))
    return max(scored, key=lambda h: h[1]), len(scored)


seeds = st.integers(0, 2**32 - 1)
alphas = st.sampled_from([0.0, 0.6, 1.0, 2.0])
limits = st.lists(st.integers(1, 7), min_size=1, max_size=4)


@given(seeds, st.integers(1, 5), limits)
def test_one_beam_is_greedy_search(seed, units, limits):
    model = decoder(seed, units)
    found = model.search(limits, num_beams=1, length_penalty=1.0)
    assert [h.tokens for (h,) in found] == [greedy(model, i, limit) for i, limit in enumerate(limits)]


@given(seeds, st.integers(1, 3), st.integers(1, 4), alphas)
def test_a_beam_as_wide_as_the_search_space_is_exhaustive(seed, units, limit, alpha):
    model = decoder(seed, units)
    (tokens, score), outputs = exhaustive(model, 0, limit, alpha)
    ((best,),) = model.search([limit], num_beams=outputs, length_penalty=alpha)
    assert best.tokens == tokens
    assert best.score == pytest.approx(score)


@given(seeds, st.integers(1, 5), limits, st.integers(1, 6), st.integers(1, 6), alphas)
def test_stopping_early_and_batching_change_nothing(seed, units, limits, beams, n_best, alpha):
    model, n_best = decoder(seed, units), min(n_best, beams)
    found = model.search(limits, num_beams=beams, length_penalty=alpha, n_best=n_best)
    for i, (hypotheses, limit) in enumerate(zip(found, limits, strict=True)):
        expected = plain_beam(model, i, limit, beams, alpha)[:n_best]
        assert [h.tokens for h in hypotheses] == [tokens for tokens, _ in expected]
        assert [h.score for h in hypotheses] == pytest.approx([score for _, score in expected])


def test_a_sentence_that_cannot_improve_is_left():
    model = decoder(0, units=3)
    model.log_probs[:] = np.log([0.01, 0.01, 0.01, 0.9, 0.03, 0.02, 0.02])  # EOS at once
    model.search([50], num_beams=3, length_penalty=0.0)
    assert model.calls == 1


@given(seeds, limits)
def test_attention_rows_belong_to_their_tokens(seed, limits):
    model = decoder(seed, units=4)
    sentences = [3 * i for i in range(len(limits))]
    found = model.search(limits, sentences, num_beams=3, length_penalty=1.0, n_best=3, keep_attention=True)
    for sentence, hypotheses in zip(sentences, found, strict=True):
        for h in hypotheses:
            assert h.attention.tolist() == [[s, sentence] for s in states(model, sentence, h.tokens)]


def test_specials_are_never_produced_and_attention_is_dropped_unless_asked_for():
    model = decoder(1, units=3)
    model.log_probs[:, NEVER_PRODUCED] = 0.0  # as probable as can be
    for hypotheses in model.search([6, 3], num_beams=4, length_penalty=1.0, n_best=4):
        assert all(v >= len(SPECIAL_TOKENS) for h in hypotheses for v in h.tokens)
        assert all(h.attention is None for h in hypotheses)


def test_an_empty_batch_and_more_results_than_beams():
    assert decoder(0, 2).search([], num_beams=2, length_penalty=1.0) == []
    with pytest.raises(ValueError, match="n_best is 3"):
        decoder(0, 2).search([4], num_beams=2, length_penalty=1.0, n_best=3)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12 * BLOCK), st.integers(1, 12), st.integers(1, 4))
def test_the_lowest_costs_of_a_row_are_found_whatever_block_they_are_in(seed, size, k, levels):
    k, rng = min(k, size), np.random.default_rng(seed)
    costs = rng.choice([np.inf, *rng.normal(size=levels * size)], size=(3, size))  # infinite ones and ties among them
    places = lowest(costs, k)
    assert places.shape == (3, k)
    assert all(len(set(row)) == k for row in places.tolist())
    np.testing.assert_array_equal(np.sort(np.take_along_axis(costs, places, 1)), np.sort(costs)[:, :k])
