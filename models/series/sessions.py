"""Trading days of New York's exchanges, by rules that are published years ahead, so that future days are known.

Unscheduled closures (11 to 14 September 2001, presidents' funerals, Hurricane Sandy) follow no rule and are not included.
"""

from datetime import date, timedelta
from functools import cache

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.datetime64]  # of days
MONDAY, THURSDAY = 0, 3
JUNETEENTH = 2022  # the first year in which the exchanges observe it
ONE = timedelta(days=1)


def easter(year: int) -> date:
    """Easter Sunday by the Gregorian computus (Meeus 1991, Astronomical Algorithms, chapter 8)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    rest = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * rest) // 451
    month, day = divmod(h + rest - 7 * m + 114, 31)
    return date(year, month, day + 1)


@cache
def holidays(year: int) -> frozenset[date]:
    """Weekdays of a year on which the exchanges are closed (NYSE Rule 7.2)."""
    fixed = [date(year, 7, 4), date(year, 12, 25)] + ([date(year, 6, 19)] if year >= JUNETEENTH else [])
    new_year = date(year, 1, 1)  # on a Saturday it is not observed, because the Friday before closes the fiscal year
    days = {_observed(day) for day in fixed} | {new_year + ONE if new_year.weekday() == 6 else new_year}
    days |= {_nth(year, 1, MONDAY, 3), _nth(year, 2, MONDAY, 3), _nth(year, 9, MONDAY, 1), _nth(year, 11, THURSDAY, 4)}
    days |= {_nth(year, 6, MONDAY, 1) - 7 * ONE, easter(year) - 2 * ONE}  # Memorial Day is the last Monday of May
    return frozenset(day for day in days if day.weekday() < 5)


@cache
def short_days(year: int) -> frozenset[date]:
    """Trading days that end at 1 p.m.: the Friday after Thanksgiving, and the days before Independence Day and Christmas."""
    days = {_nth(year, 11, THURSDAY, 4) + ONE, date(year, 7, 3), date(year, 12, 24)}
    return frozenset(day for day in days if day.weekday() < 5 and day not in holidays(year))


def trades(day: date) -> bool:
    """Whether the exchanges open on a day."""
    return day.weekday() < 5 and day not in holidays(day.year)


def coming(day: np.datetime64, count: int) -> Days:
    """The next trading days after `day`, [count]."""
    found, latest = list[date](), day.astype("datetime64[D]").astype(date)
    while len(found) < count:
        latest += ONE
        if trades(latest):
            found.append(latest)
    return np.array(found, "datetime64[D]")


def _nth(year: int, month: int, weekday: int, count: int) -> date:
    first = date(year, month, 1)
    return first + ONE * ((weekday - first.weekday()) % 7 + 7 * (count - 1))


def _observed(day: date) -> date:
    """The day itself; for a Saturday the Friday before, for a Sunday the Monday after."""
    return day + {5: -ONE, 6: ONE}.get(day.weekday(), 0 * ONE)
