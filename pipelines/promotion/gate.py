"""The gate: whether a challenger may replace the champion, given the scores of both on the same rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.evaluation.scores import Scores, bootstrap, gain
from pipelines.settings.gate import Gate

FEWEST_BLOCKS: Final = 10  # of dependent rows in a slice


@dataclass(frozen=True)
class Measured:
    """What the gate needs to know about a model.

    Attributes:
        scores: on the test rows.
        latency_ms: median latency of its example requests, in milliseconds.
        size: of its archive, in bytes.
        refused: number of the champion's example requests that it does not answer.
    """

    scores: Scores
    latency_ms: float
    size: int
    refused: int = 0


@dataclass(frozen=True)
class Check:
    """One condition of the gate.

    Attributes:
        name: of the condition.
        holds: whether the challenger meets it.
        champion: the champion's figure.
        challenger: the challenger's figure.
        reason: in one line, with the limit.
    """

    name: str
    holds: bool
    champion: float
    challenger: float
    reason: str


def checks(gate: Gate, champion: Measured, challenger: Measured, seed: int) -> list[Check]:
    """Compare a challenger with the champion.

    Args:
        gate: the conditions.
        champion: the model in service.
        challenger: the model to promote.
        seed: of the bootstrap.

    Returns:
        one check each for score, calibration, latency, size and example requests, and one for each slice that fails.

    Raises:
        StageError: the scores are not of the same rows.
    """
    return [
        _score(gate, champion.scores, challenger.scores, seed),
        *_slices(gate, champion.scores, challenger.scores, seed),
        *_calibration(gate, champion.scores, challenger.scores),
        _ratio("latency", gate.latency, champion.latency_ms, challenger.latency_ms, "ms"),
        _ratio("size", gate.size, champion.size / 1e6, challenger.size / 1e6, "MB"),
        _examples(champion.refused, challenger.refused),
    ]


def held_back(found: Sequence[Check]) -> list[Check]:
    """The checks that fail; none if the challenger passes the gate."""
    return [check for check in found if not check.holds]


def _score(gate: Gate, champion: Scores, challenger: Scores, seed: int) -> Check:
    """The score must not be significantly worse, nor by more than `worse`, however few the rows are."""
    mean, low, high = bootstrap(gain(challenger, champion), champion.blocks, seed, gate.confidence)
    allowed = gate.worse * abs(champion.mean)
    reason = (
        f"{champion.name} {champion.mean:.4g} -> {challenger.mean:.4g}; gain {mean:+.4g}, {gate.confidence:.0%} interval "
        f"{low:+.4g} to {high:+.4g}; the interval must reach 0, and the gain at least {-allowed:.4g}"
    )
    return Check(champion.name, bool(high >= 0 and mean >= -allowed), champion.mean, challenger.mean, reason)


def _slices(gate: Gate, champion: Scores, challenger: Scores, seed: int) -> Iterator[Check]:
    """A slice fails if the loss is significantly larger than `slice_worse`; several slices share the error (Bonferroni)."""
    gains = gain(challenger, champion)
    groups = [
        (f"{name} {group}", some)
        for name, of_rows in champion.slices.items()
        for group in sorted(set(of_rows))
        if _is_large((some := np.array(of_rows) == group), champion.blocks, gate.slice_rows)
    ]
    confidence = 1 - (1 - gate.confidence) / max(len(groups), 1)
    for name, some in groups:
        before, after = float(champion.values[some].mean()), float(challenger.values[some].mean())
        allowed = gate.slice_worse * abs(before)
        if gains[some].mean() >= -allowed:
            continue
        blocks = None if champion.blocks is None else champion.blocks[some]
        high = bootstrap(gains[some], blocks, seed, confidence).high
        if high < -allowed:
            reason = f"{champion.name} of {name}: {before:.4g} -> {after:.4g}; the gain is at most {high:+.4g} of {-allowed:.4g}"
            yield Check(name, False, before, after, reason)


def _is_large(some: NDArray[np.bool_], blocks: NDArray[np.int64] | None, rows: int) -> bool:
    """Whether a slice can be judged: the rows of one or two blocks are much alike, however many they are."""
    return bool(some.sum() >= rows) and (blocks is None or len(np.unique(blocks[some])) >= FEWEST_BLOCKS)


def _calibration(gate: Gate, champion: Scores, challenger: Scores) -> Iterator[Check]:
    if champion.calibration is None or challenger.calibration is None:
        return
    before, after = champion.calibration, challenger.calibration
    reason = f"expected calibration error {before:.4f} -> {after:.4f}; at most {before + gate.calibration:.4f}"
    yield Check("calibration", after <= before + gate.calibration, before, after, reason)


def _examples(before: int, after: int) -> Check:
    reason = f"example requests that are refused: {before} -> {after}; at most {before}"
    return Check("examples", after <= before, before, after, reason)


def _ratio(name: str, limit: float, before: float, after: float, unit: str) -> Check:
    reason = f"{name} {before:.3g} {unit} -> {after:.3g} {unit}; at most {limit:g} times as much"
    return Check(name, after <= limit * before, before, after, reason)
