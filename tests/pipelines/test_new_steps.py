"""Steps and seasons of series."""

import numpy as np
import pytest

from models.series.arrays import Times, Values
from pipelines.new.series.seasons import season_of, swings_grow
from pipelines.new.series.steps import step_of
from pipelines.stage import StageError

HOURS = np.arange(24 * 7 * 12)
NOISE = np.random.default_rng(0)


def every(step: int, unit: str, begin: str = "2021-01-01", count: int = 200) -> Times:
    times: Times = (np.datetime64(begin).astype(f"datetime64[{unit}]") + step * np.arange(count)).astype("datetime64[s]")
    return times


def ends_of_months() -> Times:
    times: Times = every(1, "M", "2015-01").astype("datetime64[M]") + 1
    return (times.astype("datetime64[D]") - 1).astype("datetime64[s]")


def days_of_trade() -> Times:
    """Days without weekends and two holidays."""
    days = every(1, "D").astype("datetime64[D]")
    holidays = np.array(["2021-01-18", "2021-04-02"], "datetime64[D]")
    times: Times = days[np.is_busday(days, holidays=holidays)].astype("datetime64[s]")
    return times


@pytest.mark.parametrize(
    ("times", "name", "cycles"),
    [
        (every(1, "h"), "hour", (24, 168)),
        (every(15, "m"), "15 minutes", (4, 96, 672)),
        (every(5, "m"), "5 minutes", (12, 288, 2016)),
        (every(1, "D"), "day", (7,)),
        (every(7, "D"), "week", (52,)),
        (every(1, "M", "2015-01"), "month", (12,)),
        (ends_of_months(), "month", (12,)),
        (every(3, "M", "1970-01"), "quarter", (4,)),
        (every(12, "M", "1800-01"), "year", ()),
        (days_of_trade(), "working day", (5,)),
        (every(7, "s"), "7 seconds", ()),
    ],
)
def test_steps_of_any_length_are_named(times: Times, name: str, cycles: tuple[int, ...]) -> None:
    step = step_of(times, "x")
    assert (step.name, step.cycles) == (name, cycles)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (np.delete(every(1, "h"), [5, 6]), "2 of 200 are missing, the first between 2021-01-01T04:00:00 and 2021-01-01T07:00:00"),
        (np.delete(every(1, "D"), 100), "1 of 200 are missing, the first between 2021-04-10 and 2021-04-12; write a record"),
        (np.delete(every(1, "M", "2015-01"), 3), "times are one month apart, and 1 of 200 are missing"),
        (
            np.sort(np.append(every(1, "h"), np.datetime64("2021-01-01T03:20", "s"))),
            "not regular: most are one hour",
        ),
    ],
)
def test_missing_or_irregular_times_are_named(times: Times, message: str) -> None:
    with pytest.raises(StageError, match=r"^x: ") as caught:
        step_of(times, "x")
    assert message in str(caught.value)


def test_daily_times_give_no_hint_about_clock_changes() -> None:
    with pytest.raises(StageError) as caught:
        step_of(np.delete(every(1, "D"), 100), "x")
    assert "clocks" not in str(caught.value)


def day(size: float = 10) -> Values:
    values: Values = size * np.sin(2 * np.pi * HOURS / 24)
    return values


def noise(scale: float = 3) -> Values:
    return NOISE.normal(scale=scale, size=len(HOURS))


def test_daily_and_weekly_seasons_are_distinguished() -> None:
    weekend = 8.0 * (HOURS % 168 < 48)
    assert season_of([day() + noise()], (24, 168)).steps == 24
    assert season_of([day(3) + weekend + noise(2)], (24, 168)).steps == 168
    assert season_of([day() + 0.05 * HOURS + noise()], (24, 168)).steps == 24  # with a trend


def test_a_series_without_repetition_has_no_season() -> None:
    for _ in range(20):
        steps = noise()
        assert season_of([steps], (24, 168)).steps == 0
        assert season_of([np.cumsum(steps)], (24, 168)).steps == 0
    assert season_of([np.ones(500)], (24,)).steps == 0
    assert season_of([day()[:60]], (24,)).steps == 0  # not seen three times


def test_the_season_of_most_series_is_used_for_all() -> None:
    assert season_of([day() + noise(), day() + noise(), noise()], (24, 168)).steps == 24


def test_swings_that_grow_with_the_level_are_detected() -> None:
    level = np.linspace(50, 200, len(HOURS))
    assert swings_grow(level * (1 + 0.02 * day() + 0.01 * noise(1)), 24)
    assert not swings_grow(level + day() + noise(1), 24)
    assert not swings_grow(day() + noise(), 24)  # not above zero
