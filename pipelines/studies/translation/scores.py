"""BLEU from sentence statistics, fast enough for resampling, with intervals of BLEU and of a difference.

A bootstrap of sentences (Koehn 2004, W04-3250): resample r contains sentence i w_ri times, and its corpus BLEU is computed from
the sum of w_ri times the statistics of i. The statistics of S seeds are stacked, and their score is their mean BLEU.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU

from pipelines.evaluation.interval import Interval

Statistics = NDArray[np.int64]  # n-grams of 1 to 4 words found in the reference, n-grams, and words of both sides: [..., N, 10]
Scores = NDArray[np.float64]


def statistics(hypotheses: Sequence[str], references: Sequence[str]) -> Statistics:
    """The statistics of each of N sentences from which corpus BLEU is computed, by sacrebleu, [N, 10]."""
    metric = BLEU()
    scores = [metric.corpus_score([ours], [[theirs]]) for ours, theirs in zip(hypotheses, references, strict=True)]
    return np.array([[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in scores])


def bleu(sentences: Statistics) -> float:
    """Corpus BLEU, 0 to 100, averaged over the seeds: [S, N, 10]."""
    return float(_means(sentences, np.ones((1, sentences.shape[1]), dtype=np.int64))[0])


def bleu_interval(sentences: Statistics, resamples: int) -> Interval:
    """Corpus BLEU with its 95 % interval by a bootstrap of the sentences."""
    return _percentiles(bleu(sentences), _means(sentences, _weights(sentences.shape[1], resamples)))


def gain(ours: Statistics, theirs: Statistics, resamples: int) -> Interval:
    """Difference in BLEU between two systems on the same sentences, with its 95 % interval by a paired bootstrap.

    Args:
        ours: statistics for each of S seeds, [S, N, 10].
        theirs: the other system's statistics for each of its seeds, [S', N, 10].
        resamples: number of bootstrap samples.
    """
    weights = _weights(ours.shape[1], resamples)
    return _percentiles(bleu(ours) - bleu(theirs), _means(ours, weights) - _means(theirs, weights))


def _weights(sentences: int, resamples: int) -> Statistics:
    """Number of times that each resample contains each sentence, [R, N]."""
    return np.random.default_rng(0).multinomial(sentences, np.full(sentences, 1 / sentences), size=resamples)


def _means(sentences: Statistics, weights: Statistics) -> Scores:
    """Mean BLEU over the seeds for each resample: [S, N, 10], [R, N] -> [R]."""
    means: Scores = np.array([[_score(total) for total in weights @ of_seed] for of_seed in sentences]).mean(axis=0)
    return means


def _score(total: NDArray[Any]) -> float:
    """BLEU of summed statistics, [10], with sacrebleu's default smoothing."""
    counts, totals, (words, reference_words) = np.split(total, [4, 8])
    score = BLEU.compute_bleu(counts.tolist(), totals.tolist(), int(words), int(reference_words), smooth_method="exp")
    return float(score.score)


def _percentiles(point: float, drawn: Scores) -> Interval:
    """Percentile interval (Efron and Tibshirani 1993, chapter 13)."""
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(point, float(low), float(high))
