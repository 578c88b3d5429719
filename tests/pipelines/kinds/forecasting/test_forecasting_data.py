"""Series become windows: each belongs to the split of its day, and none uses a day of a later split."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forecasters import FIRST, calendar, demand, prepared_in, series_of, stock, task_of
from hypothesis import given, settings
from hypothesis import strategies as st

from models.series.arrays import Columns
from pipelines.data.series.source import Series
from pipelines.kinds.forecasting.data import recipe_of
from pipelines.kinds.forecasting.settings import ForecastingTask
from pipelines.stage import StageError
from pipelines.stages.prepare import prepare_series
from pipelines.windows import DAYS, Windows, read_places

DAY = np.timedelta64(1, "D")
PLAIN = {"quantity": "positive_value", "target": "load", "window": 4, "averages": [1, 3]}


def rows_of(folder: Path, split: str) -> list[dict[str, Any]]:
    windows = Windows(folder, split)
    return [windows.row(i) for i in range(len(windows))]


def same_rows(one: Path, other: Path, split: str, last: int | None = None) -> bool:
    pairs = zip(rows_of(one, split)[:last], rows_of(other, split), strict=last is None)
    return all(np.array_equal(a[name], b[name]) for a, b in pairs for name in a)


def plain(days: int, seed: int = 0) -> Series:
    return Series("it", calendar(days), {"load": np.random.default_rng(seed).gamma(2.0, size=days) + 0.1})


def task_with(**prepare: Any) -> ForecastingTask:
    return task_of(prepare={**PLAIN, **prepare})


def cut(series: Series, begin: int, end: int | None = None) -> Series:
    part = slice(begin, end)
    return replace(series, times=series.times[part], columns={name: v[part] for name, v in series.columns.items()})


@settings(max_examples=40)
@given(
    days=st.integers(60, 120),
    valid=st.integers(25, 32),
    test=st.integers(42, 47),
    horizons=st.lists(st.integers(1, 8), min_size=1, max_size=3, unique=True).map(sorted),
    seed=st.integers(0, 99),
)
def test_only_windows_whose_target_reaches_into_the_next_split_are_dropped(
    tmp_path_factory: pytest.TempPathFactory, days: int, valid: int, test: int, horizons: list[int], seed: int
) -> None:
    series, folder = plain(days, seed), tmp_path_factory.mktemp("prepared")
    bounds = [series.times[valid], series.times[test]]
    day = {"valid_from": str(bounds[0])[:10], "test_from": str(bounds[1])[:10]}
    task = task_with(horizons=horizons, **day)
    counted = prepare_series(task, [series], folder)
    ends = {split: np.load(folder / f"{split}.npy") for split in ("train", "valid", "test")}
    places = {"train": (0, valid), "valid": (valid, test), "test": (test, days)}
    for split, (begin, behind) in places.items():
        first = max(begin, recipe_of(task).needed - 1)
        assert ends[split].tolist() == list(range(first, behind - max(horizons)))
        assert counted[f"{split}_rows"] == len(ends[split])
    assert counted["purged"] == 2 * max(horizons)
    assert counted["times"] == days


@pytest.mark.parametrize("loss", ["qlike", "quantile", "event"])
@pytest.mark.parametrize("bound", ["valid_from", "test_from"])
def test_days_from_a_bound_onwards_do_not_affect_earlier_splits(tmp_path: Path, loss: str, bound: str) -> None:
    task = task_of(loss)
    day = np.datetime64(getattr(task.prepare, bound))
    shaken = [replace(one, columns=after(one, day)) for one in series_of(loss)]
    one = prepared_in(tmp_path / "one", task, series_of(loss))
    other = prepared_in(tmp_path / "other", task, shaken)
    assert same_rows(one, other, "train")
    assert same_rows(one, other, "valid") is (bound == "test_from")
    assert not same_rows(one, other, "test")


def after(series: Series, day: np.datetime64) -> Columns:
    """The same values before a day, and twice the reversed values from that day onwards."""
    late = series.times >= day
    return {name: np.where(late, 2 * values[::-1], values) for name, values in series.columns.items()}


@pytest.mark.parametrize("loss", ["qlike", "quantile", "event"])
def test_an_additional_day_at_either_end_does_not_affect_the_rest(tmp_path: Path, loss: str) -> None:
    task, whole = task_of(loss), series_of(loss)
    folder = prepared_in(tmp_path / "whole", task, whole)
    shorter = prepared_in(tmp_path / "shorter", task, [cut(one, 0, -1) for one in whole])
    later = prepared_in(tmp_path / "later", task, [cut(one, 1) for one in whole])
    for split in ("train", "valid"):
        assert same_rows(folder, shorter, split)
    per_series = len(rows_of(folder, "test")) // 2
    assert same_rows(folder, shorter, "test", per_series - 1)
    one, other = rows_of(folder, "valid"), rows_of(later, "valid")
    for a, b in zip(one, other, strict=True):
        for name in a:
            np.testing.assert_allclose(a[name], b[name], rtol=1e-5, atol=1e-5)


def test_a_window_has_the_features_of_the_recipe(tmp_path: Path) -> None:
    task, series = task_of("quantile"), series_of("quantile")
    folder, read = prepared_in(tmp_path / "prepared", task, series), recipe_of(task)
    features = {one.name: read.features(one.columns) for one in series}
    ends, places = np.load(folder / "test.npy"), read_places(folder)
    for name, (first, behind) in places.items():
        own = np.flatnonzero((ends >= first) & (ends < behind))
        row, place = Windows(folder, "test").row(int(own[3])), int(ends[own[3]] - first)
        np.testing.assert_allclose(row[DAYS], features[name].steps[place - 7 : place + 1], rtol=1e-5)
        np.testing.assert_allclose(row["linear"], features[name].linear[place], rtol=1e-5, atol=1e-6)
        load = next(one for one in series if one.name == name).columns["load"]
        np.testing.assert_allclose(row["target"], load[[place + 1, place + 3]], rtol=1e-5)


def test_a_stride_applies_only_to_training_rows(tmp_path: Path) -> None:
    folders = [prepared_in(tmp_path / str(n), task_with(horizons=[1], stride=n), [plain(400)]) for n in (1, 5)]
    every, fifth = ({split: np.load(folder / f"{split}.npy") for split in ("train", "valid", "test")} for folder in folders)
    np.testing.assert_array_equal(fifth["train"], every["train"][::5])
    for split in ("valid", "test"):
        np.testing.assert_array_equal(fifth[split], every[split])


def test_windows_do_not_cross_series(tmp_path: Path) -> None:
    both = series_of("qlike")
    folder = prepared_in(tmp_path / "both", task_of(), both)
    assert read_places(folder) == {"a": (0, 420), "b": (420, 840)}
    for i, one in enumerate(both):
        alone = prepared_in(tmp_path / one.name, task_of(), [one])
        for split in ("train", "valid", "test"):
            count = len(rows_of(alone, split))
            for a, b in zip(rows_of(alone, split), rows_of(folder, split)[i * count :], strict=i == 1):
                assert all(np.array_equal(a[name], b[name]) for name in a)


def test_price_statistics_are_only_computed_for_prices(tmp_path: Path) -> None:
    counted = prepare_series(task_of(), series_of("qlike"), tmp_path / "a")
    assert counted["series"] == 2
    assert {"unchanged_prices", "unchanged_prices_most", "long_gaps"} < counted.keys()
    assert "long_gaps" not in prepare_series(task_of("quantile"), series_of("quantile"), tmp_path / "b")
    assert json.loads((tmp_path / "b/recipe.json").read_text())["target"] == "load"


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        (
            {"valid_from": "1999-01-01"},
            "the train split has no window; valid_from is 1999-01-01, test_from is 2001-12-01: change",
        ),
        ({"valid_from": "2001-11-30"}, "the valid split has no window"),
        ({"test_from": "2003-01-01"}, "the test split has no window"),
    ],
)
def test_a_split_without_windows_is_an_error(tmp_path: Path, bounds: dict[str, str], said: str) -> None:
    with pytest.raises(StageError, match=said):
        prepared_in(tmp_path / "prepared", task_of(prepare={"horizons": [5], **bounds}), [stock()])


@pytest.mark.parametrize("days", [1, 2, 8, 11])
@pytest.mark.parametrize("loss", ["qlike", "quantile"])
def test_a_series_that_is_too_short_is_an_error_naming_the_required_length(tmp_path: Path, loss: str, days: int) -> None:
    task = task_of(loss)
    least = recipe_of(task).needed + max(task.prepare.horizons)
    series = [cut(series_of(loss)[0], 0, min(days, least - 1))]
    with pytest.raises(StageError, match=f"the series 'a' has {len(series[0])} times; a forecast and its target need {least}$"):
        prepared_in(tmp_path / "prepared", task, series)


def test_a_series_of_just_enough_days_has_a_window(tmp_path: Path) -> None:
    read = recipe_of(task_with(horizons=[1]))
    start = np.datetime64(FIRST)
    short = plain(read.needed + 5)
    bounds = {"valid_from": str(start + (read.needed + 1) * DAY), "test_from": str(start + (read.needed + 3) * DAY)}
    folder = prepared_in(tmp_path / "prepared", task_with(horizons=[1], **bounds), [short])
    assert [len(rows_of(folder, split)) for split in ("train", "valid", "test")] == [1, 1, 1]


def test_events_that_never_or_always_occur_are_an_error(tmp_path: Path) -> None:
    quieter = np.cumsum(np.linspace(0.05, 0.001, 420))
    for often, path in (("never", quieter), ("always", quieter[::-1])):
        series = replace(stock(), columns={"close": 50 * np.exp(path)})
        with pytest.raises(
            StageError, match=f"the event {often} occurs after the training windows; change prepare.level, which is 0.8"
        ):
            prepared_in(tmp_path / "prepared", task_of("event"), [series])


def test_demand_has_the_assumed_properties() -> None:
    load = demand(days=2000).columns["load"]
    assert np.corrcoef(load[:-7], load[7:])[0, 1] > 0.8
