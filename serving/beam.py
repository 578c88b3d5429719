"""Beam search over any step function, a batch of sentences at once (Sutskever et al. 2014, arXiv 1409.3215, section 3.2).

A hypothesis that ends in EOS leaves the beam and its place is closed, so a beam of K ends after K hypotheses. A finished
hypothesis of n tokens, EOS included, scores log P(y | x) / n**alpha: alpha = 0 is the plain probability, alpha = 1 the
average per token (Cho et al. 2014, arXiv 1409.1259), and the exponent between them is Wu et al. 2016, arXiv 1609.08144,
section 7.

What is guaranteed:

- K = 1 is greedy search, and a beam as wide as the search space finds the best hypothesis there is.
- A sentence's hypotheses do not depend on the other sentences of the batch (up to what the step function's own rounding does).
- Stopping early loses nothing. A log-probability is never above 0, so whatever an unfinished hypothesis of sum s becomes
  within the limit of L tokens scores at most s / L**alpha. A sentence is left when its n-th best finished score reaches
  that bound: the n best are then the same as those of the search run to its end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.text.special import BOS, EOS, PAD, UNK
from serving.arrays import FloatArray, IntArray

NEVER_PRODUCED: Final = [PAD, UNK, BOS]
BLOCK: Final = 64  # tokens whose lowest cost is looked at first

Arrays = tuple[FloatArray | IntArray, ...]


class Step(Protocol):
    """One step of a decoder, as a pure function."""

    def __call__(self, previous: IntArray, state: Arrays, context: Arrays, /) -> tuple[FloatArray, Arrays, FloatArray]:
        """Log-probabilities [R, V], the next state, and attention weights [R, S].

        Args:
            previous: the latest tokens [R].
            state: arrays [R, ...] that change at each step.
            context: arrays [R, ...] that never do, such as the encoded source.
        """


@dataclass(frozen=True)
class Hypothesis:
    """A finished output: its tokens without EOS, its normalized score, and on request the attention of each token and of EOS."""

    tokens: tuple[int, ...]
    score: float
    attention: FloatArray | None  # [len(tokens) + 1, S]


@dataclass(frozen=True)
class _Beam:
    """The unfinished hypotheses of N sentences, W each, best first. Row r = sentence * W + rank; R = N * W."""

    sentences: IntArray  # [N], places in the caller's batch
    scores: FloatArray  # [N, W], sums of log-probabilities; -inf marks an empty place
    tokens: IntArray  # [R, t], from BOS on
    state: Arrays
    context: Arrays
    attention: FloatArray | None  # [R, t - 1, S], if it is to be kept


def beam_search(
    step: Step,
    state: Arrays,
    context: Arrays,
    max_lengths: Sequence[int],
    *,
    num_beams: int,
    length_penalty: float,
    n_best: int = 1,
    keep_attention: bool = False,
) -> list[list[Hypothesis]]:
    """Search for each sentence's most probable outputs.

    Args:
        step: one step of the decoder.
        state: the first state, a row for each sentence.
        context: what the decoder reads and never changes, a row for each sentence.
        max_lengths: the most tokens of each sentence's output, EOS included, at least 1; the last one can only be EOS.
        num_beams: K, the hypotheses considered for each sentence.
        length_penalty: alpha, 0 or more.
        n_best: hypotheses returned for each sentence, 1 to K.
        keep_attention: return the attention weights, too.

    Returns:
        For each sentence its hypotheses, best first; fewer than `n_best` only where no more exist.
    """
    if not 1 <= n_best <= num_beams:
        raise ValueError(f"n_best is {n_best}; it must be between 1 and num_beams, {num_beams}")
    limits = np.asarray(max_lengths, dtype=np.int64)
    finished: list[list[Hypothesis]] = [[] for _ in max_lengths]
    beam = _start(len(limits), state, context)
    while beam.sentences.size:
        length = beam.tokens.shape[1]  # of the hypotheses that this step makes, EOS included
        log_probs, state, attention = step(beam.tokens[:, -1], beam.state, beam.context)
        history = _append(beam.attention, attention) if keep_attention else None  # [R, t, S]
        costs = _costs(log_probs, np.repeat(limits[beam.sentences] == length, beam.scores.shape[1]))
        places = num_beams - np.array([len(finished[i]) for i in beam.sentences])
        scores, rows, tokens = _best(beam.scores, costs, num_beams, places)

        ended = tokens == EOS
        for i, k in np.argwhere(ended & np.isfinite(scores)):
            row, score = rows[i, k], float(scores[i, k]) / length**length_penalty
            weights = None if history is None else history[row]
            finished[beam.sentences[i]].append(Hypothesis(tuple(beam.tokens[row, 1:].tolist()), score, weights))

        scores = np.where(ended, -np.inf, scores)
        bounds = scores.max(axis=1) / limits[beam.sentences].astype(np.float64) ** length_penalty
        kept = [i for i, s in enumerate(beam.sentences) if _can_improve(finished[s], bounds[i], n_best)]
        beam = _advance(beam, state, history, scores[kept], rows[kept], tokens[kept], np.array(kept, dtype=np.int64))
    return [sorted(hypotheses, key=lambda h: -h.score)[:n_best] for hypotheses in finished]


def _start(sentences: int, state: Arrays, context: Arrays) -> _Beam:
    """One empty hypothesis for each sentence: the beam widens with the first step."""
    tokens = np.full((sentences, 1), BOS, dtype=np.int64)
    return _Beam(np.arange(sentences), np.zeros((sentences, 1)), tokens, state, context, attention=None)


def _append(attention: FloatArray | None, row: FloatArray) -> FloatArray:
    """The attention so far [R, t - 1, S] and this step's [R, S] as [R, t, S]."""
    return row[:, None] if attention is None else np.concatenate([attention, row[:, None]], axis=1)


def _costs(log_probs: FloatArray, last: NDArray[np.bool_]) -> FloatArray:
    """Negative log-probabilities [R, V], infinite where a token may not come: at the `last` step all but EOS."""
    costs = -log_probs
    costs[:, NEVER_PRODUCED] = np.inf
    if last.any():
        end = costs[last, EOS]
        costs[last] = np.inf
        costs[last, EOS] = end
    return costs


def _best(scores: FloatArray, costs: FloatArray, beams: int, places: IntArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Each sentence's best continuations, as many as it has `places` [N]; the others get -inf.

    Returns:
        scores, rows of the hypotheses continued, and tokens, each [N, K] (fewer columns where there are fewer choices).
    """
    n, width = scores.shape
    # No hypothesis can have more than K of the K best. Picking those first keeps the sort small, and independent of W,
    # which depends on the other sentences.
    choices = lowest(costs, min(beams, costs.shape[1]))
    k = choices.shape[1]
    sums = scores.reshape(-1, 1) - np.take_along_axis(costs, choices, axis=1)
    sums = sums.reshape(n, width * k)
    order = np.argsort(-sums, axis=1, kind="stable")[:, :beams]  # [N, K]
    best = np.take_along_axis(sums, order, axis=1)
    best[np.arange(order.shape[1]) >= places[:, None]] = -np.inf
    rows = np.arange(n)[:, None] * width + order // k
    return best, rows, np.take_along_axis(choices.reshape(n, width * k), order, axis=1)


def lowest(costs: FloatArray, k: int) -> IntArray:
    """Places of each row's k lowest costs, in no order: [R, V] -> [R, k].

    To partition whole rows takes as long as the decoder itself. But the k lowest costs lie in the k blocks with the lowest
    minima, and those minima are one fast pass.
    """
    blocks = costs.shape[1] // BLOCK
    if blocks <= k:
        return np.argpartition(costs, k - 1, axis=1)[:, :k]
    minima = costs[:, : blocks * BLOCK].reshape(len(costs), blocks, BLOCK).min(axis=2)
    chosen = np.argpartition(minima, k - 1, axis=1)[:, :k, None] * BLOCK + np.arange(BLOCK)  # [R, k, BLOCK]
    rest = np.arange(blocks * BLOCK, costs.shape[1])  # fewer than a block
    places = np.concatenate([chosen.reshape(len(costs), -1), np.broadcast_to(rest, (len(costs), len(rest)))], axis=1)
    best = np.argpartition(np.take_along_axis(costs, places, axis=1), k - 1, axis=1)[:, :k]
    return np.take_along_axis(places, best, axis=1)


def _can_improve(finished: list[Hypothesis], bound: float, n_best: int) -> bool:
    """Whether a hypothesis that scores at most `bound` might still be one of the n best."""
    if len(finished) < n_best:
        return bool(np.isfinite(bound))
    return bool(bound > sorted((h.score for h in finished), reverse=True)[n_best - 1])


def _advance(
    beam: _Beam,
    state: Arrays,
    history: FloatArray | None,
    scores: FloatArray,
    rows: IntArray,
    tokens: IntArray,
    kept: IntArray,
) -> _Beam:
    """The next step's beam: the sentences `kept`, in the width that the fullest of them needs."""
    width = int(np.isfinite(scores).sum(axis=1).max(initial=0))
    order = np.argsort(-scores, axis=1, kind="stable")[:, :width]  # closes the gaps that finished hypotheses left
    chosen = np.take_along_axis(rows, order, axis=1).ravel()
    latest = np.take_along_axis(tokens, order, axis=1).reshape(-1, 1)
    # A sentence's rows share one context: it needs moving only when the layout changes.
    moved = (len(kept), width) != beam.scores.shape
    return _Beam(
        sentences=beam.sentences[kept],
        scores=np.take_along_axis(scores, order, axis=1),
        tokens=np.concatenate([beam.tokens[chosen], latest], axis=1),
        state=tuple(a[chosen] for a in state),
        context=tuple(a[chosen] for a in beam.context) if moved else beam.context,
        attention=None if history is None else history[chosen],
    )
