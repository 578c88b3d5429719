"""Leaks are detected: planted future values and look-ahead features; a model cannot learn shuffled targets."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from forecasters import begun, demand, prepared_in, series_of, stock, task_of

from models.names import QuantityName
from models.series import quantities
from models.series.arrays import Columns, Values
from models.series.quantities import QUANTITIES
from pipelines.data.series.checks import check_prices, checked_columns
from pipelines.evaluation.walk_forward.losses import qlike
from pipelines.kinds.forecasting.data import recipe_of
from pipelines.kinds.forecasting.settings import ForecastingTask
from pipelines.stage import StageError
from pipelines.training.batches import PaddedRows
from pipelines.training.fit import Job, fit
from pipelines.windows import Windows

HIDDEN: dict[str, Callable[[Values], Values]] = {
    "as it is": lambda x: x,
    "scaled": lambda x: 3 - 2 * x,
    "its exponential": np.exp,
    "with noise": lambda x: x + 0.1 * np.random.default_rng(1).normal(size=len(x)),
}


def planted(column: Callable[[Values], Values]) -> dict[str, Values]:
    series = demand(days=420)
    load = series.columns["load"]
    return {**series.columns, "planted": column(load)}


@pytest.mark.parametrize("hide", HIDDEN)
def test_a_column_with_tomorrows_values_stops_the_preparation(tmp_path: Path, hide: str) -> None:
    task = task_of("quantile", prepare={"inputs": ["heat", "planted"]})
    tomorrow = planted(lambda load: HIDDEN[hide](np.r_[load[1:], load[-1]]))
    with pytest.raises(StageError, match=r"the column 'planted' explains \d+% of the target's innovation"):
        prepared_in(tmp_path / "prepared", task, [replace(demand(), columns=tomorrow)])


@pytest.mark.parametrize("hide", HIDDEN)
def test_a_column_with_yesterdays_or_todays_values_is_accepted(tmp_path: Path, hide: str) -> None:
    task = task_of("quantile", prepare={"inputs": ["heat", "planted"]})
    for back in (0, 1):
        known = planted(lambda load, back=back: HIDDEN[hide](np.roll(load, back)))  # type: ignore[misc]
        prepared_in(tmp_path / "prepared", task, [replace(demand(), columns=known)])


def test_a_column_that_is_not_read_is_not_checked(tmp_path: Path) -> None:
    tomorrow = planted(lambda load: np.r_[load[1:], load[-1]])
    prepared_in(tmp_path / "prepared", task_of("quantile"), [replace(demand(), columns=tomorrow)])


@pytest.mark.parametrize("name", ["range_variance", "squared_return"])
def test_features_that_look_ahead_stop_the_preparation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: QuantityName
) -> None:
    honest = QUANTITIES["range_variance"]

    def ahead(columns: Columns, values: Values, scale: Values) -> Values:
        return honest.steps(columns, values / values.mean(), scale)  # divided by the mean of all days

    changed = {**QUANTITIES, "range_variance": replace(honest, steps=ahead)}
    monkeypatch.setattr("models.series.recipe.QUANTITIES", changed)
    if name == "range_variance":
        with pytest.raises(StageError, match=r"feature 0 of day \d+ is .*: it uses values of later days"):
            prepared_in(tmp_path / "prepared", task_of(), [stock()])
    else:
        prepared_in(tmp_path / "prepared", task_of(prepare={"quantity": "squared_return"}), [stock()])
    assert quantities.QUANTITIES["range_variance"] is honest


LONG = task_of(
    prepare={"horizons": [1], "valid_from": "2003-01-01", "test_from": "2003-10-01"},
    model={"members": 1, "hidden_size": 6, "attention": "last"},
)


def over_climatology(task: ForecastingTask, folder: Path, scratch: Path) -> float:
    """Test QLIKE of a trained forecaster relative to that of the training days' mean."""
    train, valid, test = (Windows(folder, split) for split in ("train", "valid", "test"))
    model = begun(task, folder)
    settings = task.train.model_copy(update={"epochs": 4, "batch_units": 400, "patience": 4})
    weights, _ = fit(model, Job(train, valid, settings, 0, "cpu", "fp32", scratch), lambda _: None)
    model.load_state_dict(weights)
    batch = PaddedRows(test)[list(range(len(test)))]
    with torch.no_grad():
        forecast = torch.exp(model.eval().predict(batch["days"], batch["days_lengths"], batch["linear"])[0])[:, 0, 0]
    came = batch["target"][:, 0].double().numpy()
    climatology = np.full(len(came), float(np.mean(train.targets[train.ends])))
    return float(qlike(came, forecast.double().numpy()).mean() / qlike(came, climatology).mean())


@pytest.mark.slow
def test_shuffled_targets_score_like_climatology_and_real_ones_better(tmp_path: Path) -> None:
    folder = prepared_in(tmp_path / "prepared", LONG, [stock(name, 1500, seed) for seed, name in enumerate("ab")])
    assert over_climatology(LONG, folder, tmp_path / "true") < 0.8
    targets = np.load(folder / "targets.npy")
    known = np.flatnonzero(np.isfinite(targets[:, 0]))
    targets[known] = targets[np.random.default_rng(0).permutation(known)]
    np.save(folder / "targets.npy", targets)
    assert over_climatology(LONG, folder, tmp_path / "shuffled") == pytest.approx(1, abs=0.05)


def test_normalization_uses_only_training_days(tmp_path: Path) -> None:
    task = task_of()
    bound = np.datetime64(task.prepare.valid_from)
    for name in ("step_mean", "step_deviation", "linear_mean", "linear_deviation", "target_mean"):
        models = []
        for factor in (1.0, 7.0):
            later = [replace(one, columns=stirred(one.columns, one.times >= bound, factor)) for one in series_of("qlike")]
            models.append(begun(task, prepared_in(tmp_path / str(factor), task, later)))
        assert torch.equal(*(getattr(model, name) for model in models))


def stirred(columns: Columns, late: "np.ndarray[tuple[int], np.dtype[np.bool_]]", factor: float) -> Columns:
    """Multiplies the log ranges of later days by a factor."""
    close = columns["close"]
    wide = {name: close * np.exp(factor * np.log(values / close)) for name, values in columns.items()}
    return {name: np.where(late, wide[name], values) for name, values in columns.items()}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"high": None}, r"the series 'a' has no column 'high'; did you mean|the series 'a' has no column 'high'"),
        ({"low": 0.0}, "the series 'a': low is not above zero at 3 times, the first of them 2001-01-11T00:00:00$"),
        ({"close": -1.0}, "close is not above zero at 3 times"),
        ({"low": 1e9}, "low is above high at 3 times, the first of them 2001-01-11"),
    ],
)
def test_invalid_prices_are_refused_naming_the_first_day(change: dict[str, float | None], said: str) -> None:
    series = stock()
    ((name, value),) = change.items()
    columns = dict(series.columns)
    bad = columns.pop(name).copy()
    if value is not None:
        bad[[10, 20, 30]] = value
        columns[name] = bad
    with pytest.raises(StageError, match=said):
        checked_columns(replace(series, columns=columns), recipe_of(task_of()))


def test_a_value_may_be_negative_if_the_quantity_may() -> None:
    series = demand()
    assert (series.columns["load"] < 0).any()
    checked_columns(series, recipe_of(task_of("quantile")))
    with pytest.raises(StageError, match="load is not above zero at"):
        checked_columns(series, recipe_of(task_of("quantile", prepare={"quantity": "positive_value"})))
    with pytest.raises(StageError, match=r"has no column 'laod'; did you mean 'load'\?"):
        checked_columns(series, recipe_of(task_of("quantile", prepare={"target": "laod"})))


def test_days_without_a_change_and_long_gaps_are_counted() -> None:
    series = stock(days=101)
    close, times = series.columns["close"].copy(), series.times.copy()
    close[11:31] = close[10]
    times[50:] += np.timedelta64(6, "D")
    other = replace(series, times=times, columns={"close": close})
    assert check_prices([series, other]) == {"unchanged_prices": 0.1, "unchanged_prices_most": 0.2, "long_gaps": 1}
