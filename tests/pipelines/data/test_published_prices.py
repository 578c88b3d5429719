"""The known problems of the published prices are as documented: a package version with other prices is detected."""

import csv
import gzip
from datetime import date

import numpy as np
import pytest
from real_prices import ROOT, SET, prices, stocks

from pipelines.data.series.checks import LONG_GAP, check_prices

INDICES = ("sp500", "nasdaq")
MILLENNIUM = np.datetime64("2000-01-01")


@pytest.mark.parametrize("name", INDICES)
def test_days_and_prices_of_an_index_are_consistent(name: str) -> None:
    series = prices()[name]
    assert len(series) == 5031
    assert [str(day) for day in series.times[[0, -1]].astype("datetime64[D]")] == ["1999-01-04", "2018-12-31"]
    high, low, close = (series.columns[column] for column in ("high", "low", "close"))
    assert ((low <= close) & (close <= high)).all()
    assert (low > 0).all()
    assert "open" not in series.columns


@pytest.mark.parametrize(("name", "stale"), [("sp500", 2004), ("nasdaq", 8)])
def test_the_number_of_stale_opening_prices_is_as_documented(name: str, stale: int) -> None:
    prices()  # skips the test if there are none
    with gzip.open(ROOT / "data/raw" / SET / f"arch/data/{name}/{name}.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    opens, closes = (np.array([float(row[column]) for row in rows]) for column in ("Open", "Close"))
    assert int((opens[1:] == closes[:-1]).sum()) == stale


def test_the_stocks_have_the_same_days() -> None:
    series = stocks()
    assert len(series) == 20
    for one in series.values():
        assert np.array_equal(one.times, series["RRC"].times)
        assert (one.columns["close"] > 0).all()
    assert len(series["RRC"]) == 8313
    assert [str(day) for day in series["RRC"].times[[0, -1]].astype("datetime64[D]")] == ["1990-01-02", "2022-12-28"]


def test_the_number_of_unchanged_prices_is_as_documented() -> None:
    rrc = stocks()["RRC"]
    still = np.diff(rrc.columns["close"]) == 0
    assert int(still[rrc.times[1:] < MILLENNIUM].sum()) == 955
    assert int(still.sum()) == 1078
    counted = check_prices(list(stocks().values()))
    assert counted["unchanged_prices_most"] == pytest.approx(1078 / 8312)
    assert 0.02 < counted["unchanged_prices"] < 0.05


def test_the_only_long_gap_is_september_2001() -> None:
    """Trading stopped in September 2001, and in no other week."""
    for one in prices().values():
        behind = np.flatnonzero(np.diff(one.times) > LONG_GAP)
        assert one.times[behind].astype("datetime64[D]").tolist() == [date(2001, 9, 10)]
    assert check_prices(list(prices().values()))["long_gaps"] == 2
