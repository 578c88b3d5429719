"""New York's trading days by rule, and their calendar features."""

from datetime import date

import numpy as np
import pytest
from real_prices import prices

from models.series.days import NAMES, calendar, calendar_after
from models.series.sessions import coming, easter, holidays, short_days, trades

# Unscheduled closures: terror attacks, three presidents' funerals, a hurricane.
UNFORESEEN = {"2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14", "2004-06-11", "2007-01-02", "2012-10-29", "2012-10-30"} | {
    "2018-12-05"
}


def said(day: str) -> dict[str, float]:
    return dict(zip(NAMES, calendar(np.array([day], "datetime64[D]"))[0].tolist(), strict=True))


@pytest.mark.parametrize(("year", "day"), [(1999, (4, 4)), (2000, (4, 23)), (2008, (3, 23)), (2018, (4, 1)), (2038, (4, 25))])
def test_easter(year: int, day: tuple[int, int]) -> None:
    assert easter(year) == date(year, *day)


def test_holidays_of_a_year() -> None:
    days = [(1, 2), (1, 16), (2, 20), (4, 14), (5, 29), (7, 4), (9, 4), (11, 23), (12, 25)]
    assert holidays(2017) == {date(2017, *day) for day in days}  # New Year's Day was a Sunday
    assert date(2023, 6, 19) in holidays(2023)
    assert date(2010, 12, 31) not in holidays(2010)  # New Year's Day 2011 was a Saturday: not observed
    assert short_days(2013) == {date(2013, 7, 3), date(2013, 11, 29), date(2013, 12, 24)}


def test_rules_match_the_actual_trading_days() -> None:
    for series in prices().values():
        days = series.times.astype("datetime64[D]")
        known = set(days.tolist())
        by_rule = coming(days[0], len(days) + len(UNFORESEEN))
        by_rule = by_rule[by_rule <= days[-1]]
        assert {str(day) for day in by_rule if day.astype(date) not in known} == UNFORESEEN
        assert known - {days[0].astype(date)} <= set(by_rule.tolist())


def test_coming_days_are_trading_days_in_order() -> None:
    found = coming(np.datetime64("2018-12-20"), 8)
    assert (np.diff(found) > np.timedelta64(0)).all()
    assert all(trades(day.astype(date)) for day in found)
    assert [str(day) for day in found[:4]] == ["2018-12-21", "2018-12-24", "2018-12-26", "2018-12-27"]


def test_features_of_days() -> None:
    expiry = said("2018-12-21")
    assert (expiry["expiry"], expiry["quarterly_expiry"], expiry["friday"], expiry["dated"]) == (1, 1, 1, 1)
    assert (said("2018-10-19")["expiry"], said("2018-10-19")["quarterly_expiry"]) == (1, 0)
    eve = said("2018-12-24")
    assert (eve["before_holiday"], eve["short_day"], eve["short_week"], eve["year_end"]) == (1, 1, 1, 1)
    assert (said("2018-12-26")["after_holiday"], said("2018-12-26")["before_holiday"]) == (1, 0)
    assert (said("2018-11-19")["before_holiday"], said("2018-11-19")["after_holiday"]) == (0, 0)  # a weekend is not a holiday
    assert (said("2018-06-29")["month_ends"], said("2018-06-29")["quarter_ends"], said("2018-07-02")["month_begins"]) == (1, 1, 1)


def test_features_of_coming_days_use_only_the_calendar() -> None:
    day = np.datetime64("2012-10-26")  # before the hurricane's two unscheduled closures, which are not in the calendar
    np.testing.assert_array_equal(calendar_after(day, 3), calendar(np.array(["2012-10-29", "2012-10-30", "2012-10-31"], "M8[D]")))
