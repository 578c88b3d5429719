"""Features of a series equal plain loops, use no later times, and need no more times than stated."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from recipes import DAYS, columns, recipe, recipes

from models.names import QuantityName
from models.series.arrays import Columns, Values
from models.series.quantities import QUANTITIES
from models.series.recipe import RECIPE, Recipe
from models.text.json_files import write_json
from serving.predictors.forecasting import read_recipe

QUANTITY_NAMES: tuple[QuantityName, ...] = ("range_variance", "squared_return", "value", "positive_value")
SEEDS = st.integers(0, 1000)


def cut(series: Columns, begin: int, end: int) -> Columns:
    return {name: values[begin:end] for name, values in series.items()}


def loop_linear(read: Recipe, series: Columns) -> list[list[float]]:
    """Inputs of the linear part at each time, as loops."""
    values, scale, found = read.values(series), read.features(series).threshold, list[list[float]]()
    for t in range(DAYS):
        row = [float(values[max(0, t + 1 - count) : t + 1].mean() / scale[t]) for count in read.averages]
        for horizon in read.horizons if read.season else ():
            behind = t + horizon - read.season
            while behind > t:  # the value one season before is not known yet
                behind -= read.season
            row.append(float(values[max(behind, 0)]))
        found.append([float(np.log(one)) for one in row] if read.positive else row)
    return found


@given(recipes(), SEEDS, st.integers(1, DAYS - 1), st.floats(0.1, 10))
def test_features_do_not_depend_on_later_times(read: Recipe, seed: int, now: int, factor: float) -> None:
    series = columns(read, seed=seed)
    changed = {name: np.concatenate([values[:now], factor * values[now:][::-1]]) for name, values in series.items()}
    whole = read.features(series)
    for other in (read.features(cut(series, 0, now)), read.features(changed)):
        for here, there in zip(whole, other, strict=True):
            np.testing.assert_array_equal(here[:now], there[:now])


@given(recipes(), SEEDS)
def test_linear_features_are_means_and_values_one_season_before(read: Recipe, seed: int) -> None:
    series = columns(read, seed=seed)
    np.testing.assert_allclose(read.features(series).linear, loop_linear(read, series), rtol=1e-6, atol=1e-9)


@given(recipes(), SEEDS)
def test_targets_use_only_future_times_and_are_unknown_at_the_end(read: Recipe, seed: int) -> None:
    series = columns(read, seed=seed)
    values, threshold = read.values(series), read.features(series).threshold
    found = read.targets(series, threshold)
    for i, horizon in enumerate(read.horizons):
        assert np.isnan(found[DAYS - horizon :, i]).all()
        for t in range(DAYS - horizon):
            ahead = values[t + 1 : t + 1 + horizon]
            expected = ahead.mean() if read.aggregate == "mean" else ahead[-1]
            if read.level:  # if both are the minimum variance, rounding of sums decides
                assert found[t, i] == (expected > threshold[t]) or expected == pytest.approx(threshold[t], rel=1e-9)
            else:
                assert found[t, i] == pytest.approx(expected, rel=1e-6)


@given(recipes(events=True), SEEDS)
def test_a_threshold_is_the_quantile_of_known_means(read: Recipe, seed: int) -> None:
    series = columns(read, seed=seed)
    values, found = read.values(series), read.features(series).threshold
    horizon = read.horizons[0]
    for t in range(read.history + horizon - 2, DAYS):
        means = sorted(float(values[end + 1 - horizon : end + 1].mean()) for end in range(t + 1 - read.history, t + 1))
        share = sum(mean <= found[t] * (1 + 1e-9) for mean in means) / read.history
        assert share >= read.level - 1e-9
        assert found[t] == pytest.approx(means[max(int(np.ceil(read.level * read.history)) - 1, 0)], rel=1e-6)


def last_window(read: Recipe, series: Columns) -> list[Values]:
    """The inputs of a forecast after the last time."""
    found = read.features(series)
    return [found.steps[-read.window :], found.linear[-1], found.threshold[-1:]]


@given(recipes(), SEEDS, st.integers(0, 9))
def test_the_needed_times_give_the_same_features_as_a_longer_past(read: Recipe, seed: int, more: int) -> None:
    series = columns(read, seed=seed)
    whole = last_window(read, series)
    for part in (cut(series, DAYS - read.needed, DAYS), cut(series, DAYS - read.needed - more, DAYS)):
        for here, there in zip(last_window(read, part), whole, strict=True):
            np.testing.assert_allclose(here, there, rtol=1e-6, atol=1e-9)


@given(recipes(events=False))
def test_one_time_fewer_than_needed_is_too_few(read: Recipe) -> None:
    assume(read.needed > 1)

    def says_as_much(series: Columns) -> bool:
        fewer = cut(series, DAYS - read.needed + 1, DAYS)
        return all(
            np.shape(here) == np.shape(there) and np.allclose(here, there, rtol=1e-6, atol=1e-9)
            for here, there in zip(last_window(read, series), last_window(read, fewer), strict=True)
        )

    assert not all(says_as_much(columns(read, seed=seed)) for seed in range(3))  # in a single series, a price may not have moved


@given(recipes(), SEEDS)
def test_a_series_that_begins_a_day_later_has_the_same_features(read: Recipe, seed: int) -> None:
    series = columns(read, seed=seed)
    whole, later = read.features(series), read.features(cut(series, 1, DAYS))
    for here, there in zip(whole, later, strict=True):
        np.testing.assert_allclose(here[read.needed :], there[read.needed - 1 :], rtol=1e-6, atol=1e-9)


@given(recipes())
def test_a_recipe_round_trips(tmp_path_factory: pytest.TempPathFactory, read: Recipe) -> None:
    folder = tmp_path_factory.mktemp("recipe")
    write_json(folder / RECIPE, asdict(read))
    again = read_recipe(folder)
    assert again == read
    assert again.needed == read.needed


@pytest.mark.parametrize("quantity", QUANTITY_NAMES)
def test_a_recipe_lists_its_columns(quantity: QuantityName) -> None:
    read = recipe(quantity)
    series = columns(read)
    assert read.columns == (QUANTITIES[quantity].columns or ("load", "heat"))
    part = {name: series[name] for name in read.columns}
    np.testing.assert_array_equal(read.features(part).steps, read.features({**series, "other": np.zeros(DAYS)}).steps)


def test_features_are_relative_to_the_events_threshold() -> None:
    read = recipe("squared_return", horizons=(4,), level=0.5, history=20)
    series = columns(read)
    plain, event = replace(read, level=0.0, history=0).features(series), read.features(series)
    np.testing.assert_allclose(event.linear, plain.linear - np.log(event.threshold)[:, None])
    np.testing.assert_allclose(event.steps[:, 1], plain.steps[:, 1] / np.sqrt(event.threshold))
