"""The networks' translations, scored."""

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
    """A network's line of the table, and what it is computed from."""

    found: Found
    sentences: Statistics  # [S, N, 10]
    bleu: Interval
    chrf: float

    def row(self, network: Network) -> Row:
        """As it is written."""
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
    """BLEU on the sources of each bin of lengths that has some.

    Args:
        lines: by network.
        lengths: subwords of each source, [N].
        bounds: the longest source that may be in each bin but the last.
    """
    place = np.searchsorted(bounds, lengths)  # [N], the number of the bin
    for i in np.unique(place):
        here = place == i
        own = lengths[here]
        extent = {"shortest": int(own.min()), "longest": int(own.max()), "mean_length": float(own.mean()), "sources": len(own)}
        for network, line in lines.items():
            yield {"network": str(network), **extent, "bleu": bleu(line.sentences[:, here])}


def sampling(lines: Lines, resamples: int) -> Iterator[Row]:
    """Networks trained with scheduled sampling, each with what it gains over the same one taught by the reference alone."""
    for network, line in lines.items():
        if network.sampled:
            forced = lines[network._replace(sampled=False)]
            losses = {"valid_loss": line.found.valid_loss, "forced_valid_loss": forced.found.valid_loss}
            scores = {**named("bleu", line.bleu), **named("forced_bleu", forced.bleu)}
            more = gain(line.sentences, forced.sentences, resamples)
            yield {"network": str(network), **losses, **scores, **named("gain", more)}
