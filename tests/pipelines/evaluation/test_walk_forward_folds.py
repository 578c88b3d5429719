"""Walk-forward splits: every day is tested once, and no training target overlaps a test day."""

from datetime import date, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.series.arrays import Times
from pipelines.evaluation.walk_forward.folds import Fold, folds, origins
from pipelines.stage import StageError

DAYS = np.arange("2015-01-01", "2015-07-01", dtype="datetime64[D]").astype("datetime64[s]")  # 181 of them


def day(position: int) -> str:
    return str(DAYS[position].astype("datetime64[D]"))


@given(
    start=st.integers(0, 180),
    tests=st.integers(1, 181),
    every=st.integers(1, 50),
    horizon=st.integers(1, 30),
    window=st.none() | st.integers(1, 200),
    embargo=st.integers(0, 20),
)
def test_every_day_is_tested_once_and_no_training_target_touches_it(
    start: int, tests: int, every: int, horizon: int, window: int | None, embargo: int
) -> None:
    assume(horizon + embargo < start and start + tests + horizon <= len(DAYS))
    first, last = day(start), day(start + tests - 1)
    found = folds(DAYS, first=first, last=last, every=every, horizon=horizon, window=window, embargo=embargo)
    assert origins(found).tolist() == [*range(start, start + tests)]
    for fold in found:
        assert 1 <= len(fold.test) <= every
        assert 1 <= len(fold.train) <= (window or len(DAYS))
        for row in fold.train:
            assert row + horizon + embargo < fold.test.start
        # and no row is left out without a reason: the next row's target would overlap the test or the embargo
        assert fold.train.stop + horizon + embargo == fold.test.start
        assert window or fold.train.start == 0
    assert all(len(fold.test) == every for fold in found[:-1])


@given(st.integers(1, 40), st.integers(1, 40))
def test_a_longer_horizon_purges_as_many_more_rows(horizon: int, more: int) -> None:
    near, far = (folds(DAYS, first=day(90), every=10, horizon=h, last=day(100)) for h in (horizon, horizon + more))
    assert [len(a.train) - len(b.train) for a, b in zip(near, far, strict=True)] == [more, more]


def test_training_rolls_with_a_window_and_expands_without() -> None:
    rolling = folds(DAYS, first=day(100), every=7, horizon=1, window=30)
    assert {len(fold.train) for fold in rolling} == {30}
    assert all(b.train.start - a.train.start == 7 for a, b in pairwise(rolling))
    expanding = folds(DAYS, first=day(100), every=7, horizon=1)
    assert all(fold.train == range(fold.test.start - 1) for fold in expanding)


def test_the_last_row_is_the_last_with_a_complete_target() -> None:
    assert origins(folds(DAYS, first=day(150), every=9, horizon=5))[-1] == 175  # its target covers the days 176 to 180
    assert folds(DAYS, first=day(179), every=9, horizon=1) == [Fold(range(178), range(179, 180))]


@pytest.mark.parametrize("last", ["2015-05-31", "2015-05", date(2015, 5, 31), np.datetime64("2015-05-31")])
def test_the_whole_of_the_last_date_is_tested(last: str | date | np.datetime64) -> None:
    hours = np.arange("2015-05-01", "2015-06-03", dtype="datetime64[h]").astype("datetime64[s]")
    found = hours[origins(folds(hours, first="2015-05-20", last=last, every=100, horizon=1))]
    assert found[0] == np.datetime64("2015-05-20T00")
    assert found[-1] == np.datetime64("2015-05-31T23")
    noon = folds(hours, first=datetime(2015, 5, 20, 12), last=datetime(2015, 5, 31, 12), every=100, horizon=1)
    assert hours[origins(noon)[[0, -1]]].tolist() == [datetime(2015, 5, 20, 12), datetime(2015, 5, 31, 12)]


def test_days_without_trading_are_skipped() -> None:
    trading = DAYS[np.is_busday(DAYS.astype("datetime64[D]"))]
    first = origins(folds(trading, first="2015-03-07", every=5, horizon=1))[0]  # a Saturday
    assert trading[first] == np.datetime64("2015-03-09")


@pytest.mark.parametrize(
    ("first", "last", "horizon", "message"),
    [
        ("2015-01-03", None, 2, "no training row is complete 2 rows before 2015-01-03"),
        ("2014-01-01", None, 1, "start the test later"),
        ("2015-03-01", "2015-06-29", 2, "no complete target of 2 rows; end the test earlier"),
        ("2015-03-01", "2015-02-27", 1, "no row from 2015-03-01 to 2015-02-27"),
        ("2015-06-30", None, 1, "no row from 2015-06-30 to the end"),
        ("2015-03-01", None, 400, "no row from 2015-03-01 to the end"),
    ],
)
def test_impossible_tests_are_reported(first: str, last: str | None, horizon: int, message: str) -> None:
    with pytest.raises(StageError, match=message):
        folds(DAYS, first=first, last=last, every=5, horizon=horizon)


@pytest.mark.parametrize("wrong", [{"every": 0}, {"horizon": 0}, {"window": 0}, {"embargo": -1}])
def test_numbers_below_their_minimum_are_rejected(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        folds(DAYS, **{"first": day(90), "every": 5, "horizon": 1, **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize("times", [DAYS[::-1], np.repeat(DAYS, 2)])
def test_times_must_ascend(times: Times) -> None:
    with pytest.raises(ValueError, match="ascend"):
        folds(times, first=day(90), every=5, horizon=1)
