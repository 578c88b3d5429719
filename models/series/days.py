"""Calendar features of a trading day, which are known in advance."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

import numpy as np

from models.series.arrays import Values
from models.series.sessions import Days, coming, short_days, trades

ONE: Final = timedelta(days=1)
QUARTERS: Final = (3, 6, 9, 12)
FRIDAY: Final = 4
DAYS_KEPT: Final = 10_000  # whose features are cached: 40 years
NAMES: Final = (
    "dated",  # 1 if the date is known; otherwise all features are zero
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "month_begins",
    "month_ends",
    "quarter_ends",
    "expiry",  # the third Friday, on which options expire
    "quarterly_expiry",  # in March, June, September and December, when futures expire, too
    "before_holiday",
    "after_holiday",
    "short_day",
    "short_week",  # one with a holiday
    "year_end",  # the last trading days of the year, from 23 December
)
SIZE: Final = len(NAMES)


def calendar(days: Days) -> Values:
    """Calendar features of days, in the order of NAMES: [T] -> [T, SIZE]."""
    found = np.array([_features(day.astype("datetime64[D]").astype(date)) for day in days], np.float64)
    return found.reshape(len(days), SIZE)


def undated(count: int) -> Values:
    """Calendar features of days without dates: zeros, [count, SIZE]."""
    return np.zeros((count, SIZE))


def calendar_after(day: np.datetime64, count: int) -> Values:
    """Calendar features of the next trading days after a day, [count, SIZE]."""
    return calendar(coming(day, count))


@lru_cache(maxsize=DAYS_KEPT)
def _features(day: date) -> Sequence[float]:
    friday = day.weekday() == FRIDAY
    quarter, before, after = day.month in QUARTERS, _trading(day, -ONE), _trading(day, ONE)
    third, ends = friday and 15 <= day.day <= 21, after.month != day.month
    flags = {
        "dated": True,
        "month_begins": before.month != day.month,
        "month_ends": ends,
        "quarter_ends": ends and quarter,
        "expiry": third,
        "quarterly_expiry": third and quarter,
        "before_holiday": _rests(day, after),
        "after_holiday": _rests(before, day),
        "short_day": day in short_days(day.year),
        "short_week": any(not trades(day + ONE * (i - day.weekday())) for i in range(5)),
        "year_end": day.month == 12 and day.day >= 23,
    }
    weekdays = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    flags[weekdays[day.weekday()]] = True
    return tuple(float(flags.get(name, False)) for name in NAMES)


def _trading(day: date, step: timedelta) -> date:
    """The nearest trading day before or after."""
    day += step
    while not trades(day):
        day += step
    return day


def _rests(day: date, after: date) -> bool:
    """Whether there is a holiday between two trading days."""
    between = (day + ONE * i for i in range(1, (after - day).days))
    return any(one.weekday() <= FRIDAY for one in between)
