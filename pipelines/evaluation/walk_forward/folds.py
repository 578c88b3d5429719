"""Walk-forward splits: a model is fitted on the past, tested on the following days, and refitted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from models.series.arrays import Times
from pipelines.stage import StageError

Date = str | date | np.datetime64  # a string in ISO 8601 format: 2018-12-31, or 2018-12 for the whole month


@dataclass(frozen=True)
class Fold:
    """One fit and its test. A row is a time at which a forecast is made: its features are known by that time.

    Attributes:
        train: indices of the rows to fit on, in chronological order.
        test: indices of the rows to forecast from, all of them later.
    """

    train: range
    test: range


def folds(
    times: Times,
    *,
    first: Date,
    every: int,
    horizon: int,
    window: int | None = None,
    embargo: int = 0,
    last: Date | None = None,
) -> list[Fold]:
    """Split the times from `first` to `last` into tests, each with the training rows whose targets were complete before it.

    The target of row t covers the times t + 1 to t + horizon. Row t is used for training only if t + horizon + embargo is
    before the test's first row: overlapping rows are purged (López de Prado 2018, Advances in Financial Machine Learning,
    section 7.4).

    Args:
        times: ascending, [T].
        first: earliest date to forecast from.
        every: number of rows of one test, after which the model is refitted. The last test may be shorter.
        horizon: horizon of the target, in rows.
        window: number of latest rows to train on, at most; if None, all rows.
        embargo: number of additional rows to leave out before each test.
        last: latest date to forecast from; if None, that of the last row with a complete target.

    Returns:
        the folds in chronological order. Together their tests contain each row from `first` to `last` once.

    Raises:
        StageError: no row is left to train on or to test, or a target would end after the last time.
        ValueError: the times do not ascend, or a number is below its minimum.
    """
    if np.any(times[1:] <= times[:-1]):
        raise ValueError("times must ascend")
    if min(every, horizon, 1 if window is None else window) < 1 or embargo < 0:
        raise ValueError("every, horizon and window must be at least 1, and embargo at least 0")
    start, stop = _tested(times, first, last, horizon)
    gap = horizon + embargo
    if start <= gap:
        raise StageError(f"no training row is complete {gap} rows before {first}, where the test starts; start the test later")
    return [
        Fold(_train(begin - gap, window), range(begin, min(begin + every, stop)))  # t + gap < begin
        for begin in range(start, stop, every)
    ]


def _tested(times: Times, first: Date, last: Date | None, horizon: int) -> tuple[int, int]:
    """Index range of the rows to forecast from, end exclusive."""
    start = int(np.searchsorted(times, np.datetime64(first)))
    complete = len(times) - horizon
    # A date covers a whole span of time, up to the last hour of the day.
    stop = complete if last is None else int(np.searchsorted(times, np.datetime64(last) + 1))
    if stop > complete and last is not None:
        raise StageError(f"rows until {last} have no complete target of {horizon} rows; end the test earlier")
    if start >= stop:
        raise StageError(f"no row from {first} to {'the end' if last is None else last} has a complete target to test")
    return start, stop


def _train(stop: int, window: int | None) -> range:
    return range(0 if window is None else max(0, stop - window), stop)


def origins(parts: Sequence[Fold]) -> NDArray[np.intp]:
    """Indices of all rows to forecast from, in the order of the folds."""
    return np.concatenate([np.arange(fold.test.start, fold.test.stop) for fold in parts])
