"""Beam search against plain Python, on random decoders whose every probability depends on the whole history."""

import itertools
import math
from dataclasses import dataclass, field

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.beam import Options, beam_search
from models.text.special import BOS, EOS, PAD, SPECIAL_TOKENS, UNK

STATES, NEVER = 32, [PAD, UNK, BOS]


@dataclass
class Decoder:
    """Log-probabilities by a state that hashes all tokens so far and the sentence; a state is [hash, sentence]."""

    log_probs: torch.Tensor  # [STATES, V]
    calls: int = field(default=0)

    def follow(self, state, token, sentence):
        return (state * 7 + token * 5 + sentence * 3 + 1) % STATES

    def attention(self, state):
        """Of two source positions: it depends on the history, and adds up to 1."""
        share = (state % 5) / 4
        return torch.stack([share, 1 - share], -1) if isinstance(share, torch.Tensor) else (share, 1 - share)

    def __call__(self, previous, state):
        self.calls += 1
        after = self.follow(state[..., 0], previous, state[..., 1])
        return self.log_probs[after], torch.stack([after, state[..., 1]], -1), self.attention(after.double())

    def search(self, limits, sentences=None, *, beams, **chosen):
        """Each sentence's hypotheses as (tokens, score, attention)."""
        sentences = range(len(limits)) if sentences is None else sentences
        state = torch.tensor([[0, sentence] for sentence in sentences])
        first = torch.full((beams,), -torch.inf, dtype=torch.float64)
        first[0] = 0
        n_best = chosen.setdefault("n_best", beams)
        tokens, scores, attention = beam_search(
            self, state, torch.ones(len(limits), 2).bool(), torch.tensor(limits), first, max(limits), options_of(**chosen)
        )
        return [
            [
                (tuple(row[: row.index(EOS)]), float(score), weights[: row.index(EOS) + 1])
                for row, score, weights in zip(tokens[i].tolist(), scores[i], attention[i].tolist(), strict=True)
                if math.isfinite(score)
            ][:n_best]
            for i in range(len(limits))
        ]


def options_of(*, alpha=1.0, c=0.0, beta=0.0, min_length=0, ngram=0, n_best=1):
    floats = [torch.tensor(value, dtype=torch.float64) for value in (alpha, c, beta)]
    return Options(*floats, *(torch.tensor(value) for value in (min_length, ngram, n_best)))


def decoder(seed: int, units: int) -> Decoder:
    logits = 2 * torch.randn(
        STATES, len(SPECIAL_TOKENS) + units, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    logits[:, NEVER] = -torch.inf
    return Decoder(torch.log_softmax(logits, 1))


def states(model, sentence, tokens):
    """The decoder's state after BOS and after each token."""
    return list(itertools.accumulate([0, BOS, *tokens], lambda s, t: model.follow(s, t, sentence)))[1:]


def repeats(tokens, n):
    grams = [tokens[i : i + n] for i in range(len(tokens) - n + 1)]
    return n > 0 and len(set(grams)) < len(grams)


def continuations(model, sentence, tokens, total, limit, min_length=0, ngram=0):
    """Everything that may follow a hypothesis, as (tokens, sum), by walking its history anew."""
    log_probs = model.log_probs[states(model, sentence, tokens)[-1]].tolist()
    units = range(len(SPECIAL_TOKENS), len(log_probs))
    if len(tokens) + 1 == limit:
        return [((*tokens, EOS), total + log_probs[EOS])]
    allowed = [v for v in units if not repeats((*tokens, v), ngram)]
    return [((*tokens, v), total + log_probs[v]) for v in [*allowed, *([EOS] if len(tokens) >= min_length else [])]]


def score_of(model, sentence, tokens, total, alpha, c=0.0, beta=0.0):
    """Of a finished hypothesis, EOS among its tokens."""
    paid = zip(*(model.attention(s) for s in states(model, sentence, tokens[:-1])), strict=True)
    covered = sum(math.log(min(max(sum(weights), 1e-30), 1)) for weights in paid)
    return total / ((c + len(tokens)) / (c + 1)) ** alpha + beta * covered


def plain_beam(model, sentence, limit, beams, alpha=1.0, c=0.0, beta=0.0, **rules):
    """Beam search as the textbook has it: one sentence, lists, run to its end."""
    live, finished = [((), 0.0)], []
    while live:
        grown = [new for tokens, total in live for new in continuations(model, sentence, tokens, total, limit, **rules)]
        grown = sorted(grown, key=lambda h: -h[1])[: beams - len(finished)]
        finished += [(t[:-1], score_of(model, sentence, t, total, alpha, c, beta)) for t, total in grown if t[-1] == EOS]
        live = [h for h in grown if h[0][-1] != EOS]
    return sorted(finished, key=lambda h: -h[1])


def greedy(model, sentence, limit):
    tokens, total = (), 0.0
    while not tokens or tokens[-1] != EOS:
        tokens, total = max(continuations(model, sentence, tokens, total, limit), key=lambda h: h[1])
    return tokens[:-1]


def exhaustive(model, sentence, limit, alpha):
    """The best of all outputs there are."""
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


def assert_same(found, expected):
    assert [tokens for tokens, _, _ in found] == [tokens for tokens, _ in expected]
    assert [score for _, score, _ in found] == pytest.approx([score for _, score in expected])


@given(seeds, st.integers(1, 5), limits)
def test_one_beam_is_greedy_search(seed, units, limits):
    model = decoder(seed, units)
    found = model.search(limits, beams=1)
    assert [tokens for ((tokens, _, _),) in found] == [greedy(model, i, limit) for i, limit in enumerate(limits)]


@given(seeds, st.integers(1, 3), st.integers(1, 4), alphas)
def test_a_beam_as_wide_as_the_search_space_is_exhaustive(seed, units, limit, alpha):
    model = decoder(seed, units)
    best, outputs = exhaustive(model, 0, limit, alpha)
    (hypotheses,) = model.search([limit], beams=outputs, alpha=alpha, n_best=1)
    assert_same(hypotheses, [best])


@given(seeds, st.integers(1, 5), limits, st.integers(1, 6), st.integers(1, 6), alphas)
def test_stopping_early_and_batching_change_nothing(seed, units, limits, beams, n_best, alpha):
    model, n_best = decoder(seed, units), min(n_best, beams)
    found = model.search(limits, beams=beams, alpha=alpha, n_best=n_best)
    for i, (hypotheses, limit) in enumerate(zip(found, limits, strict=True)):
        assert_same(hypotheses, plain_beam(model, i, limit, beams, alpha)[:n_best])


@given(seeds, limits, st.integers(1, 4), alphas, st.sampled_from([0.0, 5.0]), st.sampled_from([0.0, 0.2, 1.0]))
def test_scores_are_those_of_the_length_normalization_and_of_the_coverage(seed, limits, beams, alpha, c, beta):
    model = decoder(seed, units=3)
    found = model.search(limits, beams=beams, alpha=alpha, c=c, beta=beta)
    for i, (hypotheses, limit) in enumerate(zip(found, limits, strict=True)):
        assert_same(hypotheses, plain_beam(model, i, limit, beams, alpha, c, beta))


@given(seeds, st.lists(st.integers(1, 12), min_size=1, max_size=3), st.integers(1, 4), st.integers(0, 6), st.integers(0, 3))
def test_too_short_outputs_and_repeated_ngrams_are_left_out(seed, limits, beams, min_length, ngram):
    model = decoder(seed, units=2)
    found = model.search(limits, beams=beams, min_length=min_length, ngram=ngram)
    for i, (hypotheses, limit) in enumerate(zip(found, limits, strict=True)):
        assert_same(hypotheses, plain_beam(model, i, limit, beams, min_length=min_length, ngram=ngram))
        assert all(not repeats(tokens, ngram) for tokens, _, _ in hypotheses)
        assert all(min(min_length, limit - 1) <= len(tokens) < limit for tokens, _, _ in hypotheses)


def test_a_sentence_that_cannot_improve_is_left():
    model = decoder(0, units=3)
    model.log_probs[:] = torch.tensor([0.0, 0.0, 0.0, 0.9, 0.04, 0.03, 0.03]).log()  # EOS at once
    model.search([50], beams=3, alpha=0.0, n_best=1)
    assert model.calls == 1


@given(seeds, limits, st.integers(1, 4))
def test_attention_rows_belong_to_their_tokens(seed, limits, beams):
    model = decoder(seed, units=4)
    sentences = [3 * i for i in range(len(limits))]
    found = model.search(limits, sentences, beams=beams)
    for sentence, hypotheses in zip(sentences, found, strict=True):
        for tokens, _, attention in hypotheses:
            assert attention == [list(model.attention(s)) for s in states(model, sentence, tokens)]
