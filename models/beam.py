"""Beam search over any decoder, a batch of sentences at once (Sutskever et al. 2014, arXiv 1409.3215, section 3.2).

One step is a pure function of tensors. Eager torch runs it in a Python loop, torch.export in `torch.while_loop`, so the whole
search is part of one ONNX graph. Its batch size, lengths and beam width are dynamic.

A hypothesis that ends in EOS leaves the beam and its place is closed, so a beam of K ends after K hypotheses. The score of a
finished hypothesis of n tokens, EOS included, is

    log P(y | x) / ((c + n) / (c + 1))**alpha + beta * sum over j of log min(sum over t of alpha_tj, 1)

alpha = 0 is the plain log-probability. c = 0 divides by n**alpha; with alpha = 1 this is the average per token (Cho et al. 2014,
arXiv 1409.1259). c = 5 is the length normalization of Wu et al. 2016 (arXiv 1609.08144, equation 14). The second term is their
coverage penalty: it is 0 if every source position received at least as much attention as one target token distributes.

Guarantees:

- K = 1 is greedy search, and a beam as wide as the search space finds the best hypothesis.
- A sentence's hypotheses do not depend on the other sentences of the batch (up to the decoder's rounding).
- Early stopping is exact. Log-probabilities and coverage terms are never above 0, so an unfinished hypothesis of sum s,
  completed within the limit of L tokens, scores at most s / ((c + L) / (c + 1))**alpha. The search ends when no sentence's
  n-th best finished score is below that bound: the n best are then the same as those of a search run to its end.
"""

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from models.text.special import BOS, EOS, PAD

while_loop: Any = torch.while_loop  # torch does not annotate it

TINY = 1e-30  # lower bound of attention, so that its logarithm is finite


class Decode(Protocol):
    """One step of a decoder, as a pure function. A forbidden token gets the log-probability -inf."""

    def __call__(self, previous: Tensor, state: Tensor, /) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities [N, K, V], the next state [N, K, P], and attention weights [N, K, S].

        Args:
            previous: the latest tokens, [N, K].
            state: the rest of the decoder's state, [N, K, P].
        """


class Options(NamedTuple):
    """Options of a search. Each is a scalar tensor, so that a graph can take it as an input."""

    length_penalty: Tensor  # alpha >= 0
    length_offset: Tensor  # c >= 0
    coverage_penalty: Tensor  # beta >= 0
    min_length: Tensor  # minimum number of tokens without EOS; the length limit takes precedence
    ngram: Tensor  # n-grams of this size may not repeat within a hypothesis; 0 allows all
    n_best: Tensor  # number of best hypotheses of each sentence to find before the search stops, 1 to K

    def normalized(self, sums: Tensor, lengths: Tensor) -> Tensor:
        """Sums of log-probabilities divided by the length normalization."""
        return sums / ((self.length_offset + lengths) / (self.length_offset + 1)) ** self.length_penalty


class Trace(NamedTuple):
    """The hypotheses in each sentence's beam after each step, finished or not.

    Attributes:
        tokens: the last token of each, [N, L, K].
        rows: the beam position of the hypothesis that it extends, in the step before, [N, L, K].
        sums: its log-probability, -inf at unused positions, [N, L, K].
    """

    tokens: Tensor
    rows: Tensor
    sums: Tensor


class Found(NamedTuple):
    """Each sentence's finished hypotheses, best first, and the search that led to them.

    Attributes:
        tokens: each ends with EOS, then padding, [N, K, L].
        scores: -inf where there is no hypothesis, [N, K].
        attention: of each token, zero after EOS, [N, K, L, S].
        trace: all that was in the beam.
    """

    tokens: Tensor
    scores: Tensor
    attention: Tensor
    trace: Trace


class Beam(NamedTuple):
    """State passed from step to step: K unfinished hypotheses of each sentence, best first, and the finished ones."""

    length: Tensor  # t, length of the unfinished hypotheses, a scalar
    latest: Tensor  # their last tokens, initially BOS, [N, K]
    tokens: Tensor  # [N, K, L], padded
    rows: Tensor  # the beam position where each token was generated, [N, K, L]
    repeats: Tensor  # number of tokens before position p that equal those before the end, [N, K, L]
    sums: Tensor  # of log-probabilities, -inf marks an unused beam position, [N, K]
    state: Tensor  # the decoder's, [N, K, P]
    coverage: Tensor  # attention that each source position has received, [N, K, S]
    attention: Tensor  # of each token, by the beam position where it was generated, [L, N, K, S]
    trace_tokens: Tensor  # see Trace, but [L, N, K]
    trace_rows: Tensor
    trace_sums: Tensor
    done_tokens: Tensor  # [N, K, L]
    done_rows: Tensor  # [N, K, L]
    done_scores: Tensor  # best first, -inf where there is none, [N, K]


def beam_search(
    decode: Decode, state: Tensor, mask: Tensor, limits: Tensor, first: Tensor, longest: int, options: Options
) -> Found:
    """Search for each sentence's most probable outputs.

    Args:
        decode: one step of the decoder.
        state: the first state, [N, P].
        mask: [N, S], True where the source has a unit.
        limits: maximum length of each sentence's output, EOS included, at least 1; the last token can only be EOS: [N].
        first: initial sums of the beam, 0 followed by -inf; its size K is the beam width, [K].
        longest: L, no smaller than any limit.
        options: see Options.
    """

    def wanted(*carried: Tensor) -> Tensor:
        return can_improve(Beam(*carried), limits, options).any()

    def body(*carried: Tensor) -> tuple[Tensor, ...]:
        return tuple(tensor.clone() for tensor in step(decode, Beam(*carried), limits, options))  # outputs must not alias

    beam: tuple[Tensor, ...] = start(state, mask, first, longest)
    if torch.compiler.is_exporting():
        beam = while_loop(wanted, body, beam)
    else:
        while bool(wanted(*beam)):
            beam = step(decode, Beam(*beam), limits, options)
    return found(Beam(*beam))


def start(state: Tensor, mask: Tensor, first: Tensor, longest: int) -> Beam:
    """An empty hypothesis for each sentence. Padding counts as covered."""
    shape = (len(mask), len(first))
    empty = torch.zeros((*shape, longest), dtype=torch.int64, device=mask.device)
    covered = (~mask).to(state.dtype)[:, None].expand(-1, shape[1], -1)
    return Beam(
        length=torch.zeros((), dtype=torch.int64, device=mask.device),
        latest=torch.full(shape, BOS, dtype=torch.int64, device=mask.device),
        tokens=empty,
        rows=empty.clone(),
        repeats=empty.clone(),
        sums=first[None].expand(shape).clone(),
        state=state[:, None].expand(-1, shape[1], -1).clone(),
        coverage=covered.clone(),
        attention=covered.new_zeros((longest, *covered.shape)),
        trace_tokens=empty.new_zeros((longest, *shape)),
        trace_rows=empty.new_zeros((longest, *shape)),
        trace_sums=torch.full((longest, *shape), -torch.inf, dtype=first.dtype, device=mask.device),
        done_tokens=empty.clone(),
        done_rows=empty.clone(),
        done_scores=torch.full(shape, -torch.inf, dtype=first.dtype, device=mask.device),
    )


def can_improve(beam: Beam, limits: Tensor, options: Options) -> Tensor:
    """Whether an unfinished hypothesis of a sentence might still become one of its n best, [N]."""
    bounds = options.normalized(beam.sums.amax(1), limits)
    return bounds > beam.done_scores.index_select(1, (options.n_best - 1).reshape(1))[:, 0]


def step(decode: Decode, beam: Beam, limits: Tensor, options: Options) -> Beam:
    """Extend each hypothesis by one token, and keep each sentence's best, up to its number of open places."""
    width, longest = beam.tokens.shape[1:]
    now = torch.arange(longest, device=limits.device) == beam.length  # [L]
    log_probs, state, attention = decode(beam.latest, beam.state)
    last = limits == beam.length + 1  # [N]
    gains, choices = _choices(_allowed(log_probs, beam, last, options), last, width)  # [N, K, k]
    sums, places = (beam.sums[:, :, None] + gains).flatten(1).topk(width)  # [N, K]
    rows, latest = places // gains.shape[2], choices.flatten(1).gather(1, places)
    open_places = width - torch.isfinite(beam.done_scores).sum(1, keepdim=True)
    sums = torch.where(torch.arange(width, device=limits.device) < open_places, sums, -torch.inf)

    tokens = torch.where(now, latest[:, :, None], pick(beam.tokens, rows))
    history = torch.where(now, rows[:, :, None], pick(beam.rows, rows))
    coverage = pick(beam.coverage + attention, rows)
    ended, length = latest == EOS, beam.length + 1
    covered = coverage.clamp(TINY, 1.0).log().sum(2)
    scores = torch.where(ended, options.normalized(sums, length) + options.coverage_penalty * covered, -torch.inf)
    done_scores, best = torch.cat((beam.done_scores, scores), 1).topk(width)
    return Beam(
        length=length,
        latest=latest,
        tokens=tokens,
        rows=history,
        repeats=_repeats(pick(beam.repeats, rows), tokens, latest),
        sums=torch.where(ended, -torch.inf, sums),
        state=pick(state, rows),
        coverage=coverage,
        attention=torch.where(now[:, None, None, None], attention, beam.attention),
        trace_tokens=torch.where(now[:, None, None], latest, beam.trace_tokens),
        trace_rows=torch.where(now[:, None, None], rows, beam.trace_rows),
        trace_sums=torch.where(now[:, None, None], sums, beam.trace_sums),
        done_tokens=pick(torch.cat((beam.done_tokens, tokens), 1), best),
        done_rows=pick(torch.cat((beam.done_rows, history), 1), best),
        done_scores=done_scores,
    )


def pick(values: Tensor, rows: Tensor) -> Tensor:
    """Select rows of each sentence: [N, K', X] by [N, K] -> [N, K, X]."""
    return values.gather(1, rows[:, :, None].expand(-1, -1, values.shape[2]))


def _allowed(log_probs: Tensor, beam: Beam, last: Tensor, options: Options) -> Tensor:
    """Set a token to -inf if it would repeat an n-gram, and EOS if the hypothesis is too short and not at its last step."""
    repeated = (options.ngram > 0) & (beam.repeats >= options.ngram - 1)  # at unused positions this blocks padding
    short = ((beam.length < options.min_length) & ~last)[:, None, None].expand(-1, beam.latest.shape[1], -1)
    tokens = torch.cat((beam.tokens, torch.full_like(beam.latest, EOS)[:, :, None]), 2)  # [N, K, L + 1]
    highest = torch.where(torch.cat((repeated, short), 2), -torch.inf, torch.inf).to(log_probs.dtype)
    return log_probs.scatter_reduce(2, tokens, highest, "amin")


def _choices(log_probs: Tensor, last: Tensor, beams: int) -> tuple[Tensor, Tensor]:
    """Each hypothesis's best tokens, with their log-probabilities, [N, K, k]; at its `last` step [N] it has only EOS.

    One hypothesis can have at most K of a sentence's K best continuations.
    """
    gains, choices = log_probs.topk(min(beams, log_probs.shape[2]))
    only = torch.arange(gains.shape[2], device=last.device) == 0
    end = torch.where(only, log_probs[:, :, EOS, None], -torch.inf)
    ending = last[:, None, None]
    return torch.where(ending, end, gains), torch.where(ending, EOS, choices)


def _repeats(before: Tensor, tokens: Tensor, latest: Tensor) -> Tensor:
    """For each position, the number of tokens right before it that equal the last tokens of the hypothesis, [N, K, L].

    Updated from `before`, the counts without the last token: n + 1 tokens before p match if the token before p equals the last
    one and n tokens before p - 1 matched.
    """
    longer = torch.where(tokens == latest[:, :, None], before + 1, 0)
    return torch.nn.functional.pad(longer, (1, 0))[:, :, :-1]


def found(beam: Beam) -> Found:
    """The finished hypotheses, with the attention of the beam positions where their tokens were generated, zero after EOS."""
    made_in = beam.done_rows.transpose(1, 2)[..., None]  # [N, L, K, 1]
    by_sentence = beam.attention.transpose(0, 1)  # [N, L, K, S]
    attention = by_sentence.gather(2, made_in.expand(-1, -1, -1, by_sentence.shape[3]))
    written = (beam.done_tokens != PAD)[..., None]
    trace = Trace(*(steps.transpose(0, 1) for steps in (beam.trace_tokens, beam.trace_rows, beam.trace_sums)))
    return Found(beam.done_tokens, beam.done_scores, attention.transpose(1, 2) * written, trace)
