"""The scores of single test rows, and how much two models differ on the same ones."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray

from pipelines.evaluation.calibration import calibration_bins, expected_calibration_error
from pipelines.evaluation.interval import Interval
from pipelines.stage import StageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RESAMPLES: Final = 2_000
PARTS: Final = 4  # slices by length: quarters of the rows
BY_ROW: Final = ("values", "blocks", "confidence", "correct")


@dataclass(frozen=True)
class Scores:
    """One model's scores on the rows of a split.

    Attributes:
        name: of the score, such as accuracy.
        values: one per row, [N].
        larger_is_better: false for losses.
        slices: name -> each row's group, [N]. Rows of a group can be better or worse than the mean.
        blocks: rows of one block depend on each other, such as those of one month; by default each row is a block, [N].
        confidence: the probability of each answer, [N]; None if the model gives no probabilities.
        correct: whether each answer is right, [N]; given with `confidence`.
    """

    name: str
    values: NDArray[np.float64]
    larger_is_better: bool
    slices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    blocks: NDArray[np.int64] | None = None
    confidence: NDArray[np.float64] | None = None
    correct: NDArray[np.bool_] | None = None

    def only(self, some: NDArray[np.bool_]) -> Self:
        """The scores of some of the rows, given as a mask, [N]."""
        slices = {name: [group for group, kept in zip(groups, some, strict=True) if kept] for name, groups in self.slices.items()}
        arrays = {name: values[some] for name in BY_ROW if (values := getattr(self, name)) is not None}
        return replace(self, slices=slices, **arrays)

    @property
    def mean(self) -> float:
        """The mean score."""
        return float(self.values.mean())

    @property
    def calibration(self) -> float | None:
        """The expected calibration error; None if the model gives no probabilities."""
        if self.confidence is None or self.correct is None:
            return None
        return expected_calibration_error(calibration_bins(self.confidence, self.correct))

    def interval(self, seed: int, confidence: float = 0.95) -> Interval:
        """The mean with the bounds of its confidence interval, see `bootstrap`."""
        return bootstrap(self.values, self.blocks, seed, confidence)


def gain(ours: Scores, theirs: Scores) -> NDArray[np.float64]:
    """How much better the first model is on each row; below 0 if it is worse, [N].

    Raises:
        StageError: the scores are not of the same rows, or not the same scores.
    """
    if ours.name != theirs.name or len(ours.values) != len(theirs.values):
        raise StageError(f"{ours.name} of {len(ours.values)} rows cannot be compared with {theirs.name} of {len(theirs.values)}")
    return (ours.values - theirs.values) * (1 if ours.larger_is_better else -1)


def require_same(of_model: "DataclassInstance", of_rows: "DataclassInstance") -> None:
    """Check that a model reads the rows as they were prepared.

    Args:
        of_model: the settings of the model's inputs.
        of_rows: those of the prepared rows.

    Raises:
        StageError: they differ, so that the rows are not the model's inputs.
    """
    prepared = asdict(of_rows)
    different = [f"{name} {value}, now {prepared[name]}" for name, value in asdict(of_model).items() if value != prepared[name]]
    if different:
        raise StageError(
            f"a model cannot be compared on the test rows, because it was made with other settings ({'; '.join(different)}); "
            "decide yourself: seqline promote TASK --force REASON"
        )


def bootstrap(values: NDArray[np.float64], blocks: NDArray[np.int64] | None, seed: int, confidence: float = 0.95) -> Interval:
    """The mean with a percentile interval by the bootstrap (Efron 1979); blocks are drawn as a whole (Künsch 1989).

    For the differences of two models on the same rows it is the paired bootstrap of Koehn 2004, "Statistical Significance Tests
    for Machine Translation Evaluation", EMNLP.

    Args:
        values: one per row, [N].
        blocks: each row's block, [N]; None if the rows are independent.
        seed: of the draws.
        confidence: share of such intervals that contain the true mean.
    """
    names = np.arange(len(values)) if blocks is None else np.unique(blocks, return_inverse=True)[1]
    sums, counts = np.bincount(names, weights=values), np.bincount(names)
    rng, means = np.random.default_rng(seed), np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        drawn = rng.integers(0, len(sums), len(sums))
        means[i] = sums[drawn].sum() / counts[drawn].sum()
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def by_length(texts: Sequence[str]) -> list[str]:
    """Slices of texts by length: which quarter of the rows each belongs to, named by the lengths in characters."""
    lengths = np.array([len(text) for text in texts])
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, PARTS + 1)[1:-1]).astype(int))
    bounds = [0, *edges.tolist(), int(lengths.max(initial=0))]
    names = [f"{low + 1} to {high} characters" for low, high in pairwise(bounds)]
    return [names[i] for i in np.searchsorted(edges, lengths)]
