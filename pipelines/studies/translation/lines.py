"""Scores of the networks' translations."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.chrf import CHRF

from pipelines.evaluation.interval import Interval
from pipelines.studies.translation.found import Found
from pipelines.studies.translation.scores import Statistics, bleu, bleu_interval, gain, statistics
from pipelines.studies.translation.settings import Network

Row = dict[str, str | int | float]


@dataclass(frozen=True)
class Line:
    """A network's row of the table, and the data it is computed from."""

    found: Found
    sentences: Statistics  # [S, N, 10]
    bleu: Interval
    chrf: float

    def row(self, network: Network) -> Row:
        """The row as written."""
        parts = {"network": str(network), "attention": network.attention, "cell": network.cell}
        costs = {"parameters": self.found.runs[0].parameters, "tokens_s": self.found.tokens_s}
        return {**parts, **costs, "valid_loss": self.found.valid_loss, **named("bleu", self.bleu), "chrf": self.chrf}


Lines = Mapping[Network, Line]


def named(name: str, score: Interval) -> dict[str, float]:
    """A score and its bounds as columns or figures."""
    return {name: score.mean, f"{name}_low": score.low, f"{name}_high": score.high}


def line_of(found: Found, references: Sequence[str], resamples: int) -> Line:
    """Score a network's translations of the test split; the scores of several seeds are their means."""
    sentences = np.stack([statistics(run.hypotheses, references) for run in found.runs])
    chrf = np.mean([CHRF().corpus_score(run.hypotheses, [references]).score for run in found.runs])
    return Line(found, sentences, bleu_interval(sentences, resamples), float(chrf))


def by_length(lines: Lines, lengths: NDArray[np.int64], bounds: Sequence[int]) -> Iterator[Row]:
    """BLEU by source length, for each bin that is not empty.

    Args:
        lines: scores by network.
        lengths: number of subwords of each source, [N].
        bounds: maximum length of each bin except the last.
    """
    place = np.searchsorted(bounds, lengths)  # [N], index of the bin
    for i in np.unique(place):
        here = place == i
        own = lengths[here]
        extent = {"shortest": int(own.min()), "longest": int(own.max()), "mean_length": float(own.mean()), "sources": len(own)}
        for network, line in lines.items():
            yield {"network": str(network), **extent, "bleu": bleu(line.sentences[:, here])}


def sampling(lines: Lines, resamples: int) -> Iterator[Row]:
    """Networks trained with scheduled sampling, each with its gain over the same network trained by teacher forcing."""
    for network, line in lines.items():
        if network.sampled:
            forced = lines[network._replace(sampled=False)]
            losses = {"valid_loss": line.found.valid_loss, "forced_valid_loss": forced.found.valid_loss}
            scores = {**named("bleu", line.bleu), **named("forced_bleu", forced.bleu)}
            more = gain(line.sentences, forced.sentences, resamples)
            yield {"network": str(network), **losses, **scores, **named("gain", more)}
