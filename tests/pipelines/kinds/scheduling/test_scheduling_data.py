"""Orders and their schedules, without look-ahead."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from orders import market, small

from models.series.execution import closed_form, urgency
from models.series.market import COLUMNS, MarketWindow
from models.series.relative import STEPS
from pipelines.data.prepared import rows_of
from pipelines.kinds.scheduling.data import recipe_of, write
from pipelines.kinds.scheduling.evaluation.rows import OrderRows
from pipelines.kinds.scheduling.settings import SchedulingTask
from pipelines.orders import Orders
from pipelines.settings.params import load_params
from pipelines.stage import StageError

ROOT = Path(__file__).parents[4]
DAYS = 420
SPLITS = ("train", "valid", "test")


@pytest.fixture(scope="module")
def task() -> SchedulingTask:
    return small(load_params(ROOT / "params.yaml"))


@pytest.fixture(scope="module")
def prepared(task: SchedulingTask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    write(task, [market(DAYS), market(DAYS, 1, "other")], folder)
    return folder


def orders(folder: Path, split: str) -> Orders:
    rows = rows_of(folder, split)
    assert isinstance(rows, Orders)
    return rows


def test_targets_are_the_closed_form_and_the_observed_volume(task: SchedulingTask, prepared: Path) -> None:
    rows, series, recipe = orders(prepared, "valid"), market(DAYS), recipe_of(task)
    row, end, horizon = rows.row(3), int(rows.columns["end"][3]), int(rows.columns["horizon"][3])
    closes = np.log(series.columns["close"][end + 1 - recipe.window : end + 1])
    sigma = np.sqrt((np.diff(closes) ** 2).mean())
    expected = closed_form(urgency(row["aversion"], sigma, recipe.impact)[None], np.array([horizon]), recipe.longest)
    np.testing.assert_allclose(row["schedule"], expected[0], rtol=1e-5)
    came = series.columns["volume"][end + 1 : end + 1 + horizon]
    np.testing.assert_allclose(row["volumes"][:horizon], came / came.sum(), rtol=1e-5)
    assert (row["volumes"][horizon:] == 0).all()


def test_serving_inputs_equal_prepared_inputs(task: SchedulingTask, prepared: Path) -> None:
    rows, series, recipe = orders(prepared, "valid"), market(DAYS), recipe_of(task)
    end = int(rows.columns["end"][0])
    window = slice(end + 1 - recipe.window, end + 1)
    sent = {name: series.columns[name][window] for name in COLUMNS}
    found, row = MarketWindow.of(sent, series.times[window].astype("datetime64[D]"), recipe), rows.row(0)
    np.testing.assert_allclose(found.days, row["days"], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found.ahead, row["ahead"])
    bare = MarketWindow.of(sent, None, recipe)
    assert (bare.ahead == 0).all()
    assert (bare.days[:, STEPS:] == 0).all()


def test_later_days_do_not_affect_inputs(task: SchedulingTask, prepared: Path, tmp_path: Path) -> None:
    series = market(DAYS)
    cut = DAYS - 20
    changed = {name: np.where(np.arange(DAYS) < cut, values, values[::-1]) for name, values in series.columns.items()}
    write(task, [replace(series, columns=changed)], tmp_path)
    before, after = orders(prepared, "test"), orders(tmp_path, "test")
    some = np.flatnonzero(after.columns["end"] < cut)
    assert len(some) > 20
    for i in some:
        ours, theirs = after.row(int(i)), before.row(int(i))
        for name in ("days", "ahead", "horizon", "aversion", "schedule"):
            np.testing.assert_array_equal(ours[name], theirs[name])


def test_splits_are_purged_and_test_orders_are_not_random(task: SchedulingTask, prepared: Path, tmp_path: Path) -> None:
    times = np.load(prepared / "times.npy").astype("datetime64[s]")
    bounds = np.array(["1970-01-01", "2011-06-01", "2011-10-03", "2100-01-01"], "datetime64[s]")
    for split, low, high in zip(SPLITS, bounds, bounds[1:], strict=False):
        ends = orders(prepared, split).columns["end"]
        assert (times[ends] >= low).all()
        assert (times[ends + task.prepare.longest] < high).all()
    write(task.model_copy(update={"prepare": task.prepare.model_copy(update={"orders": 1})}), [market(DAYS)], tmp_path)
    count = len(orders(tmp_path, "test"))
    for name in ("end", "horizon", "aversion", "side"):
        np.testing.assert_array_equal(orders(tmp_path, "test").columns[name], orders(prepared, "test").columns[name][:count])
    assert orders(prepared, "test").columns["dated"].all()
    assert 0 < orders(prepared, "train").columns["dated"].mean() < 1


def test_undated_orders_have_no_calendar(prepared: Path) -> None:
    rows = orders(prepared, "train")
    for i in range(20):
        for values in (rows.row(i)["ahead"], rows.row(i)["days"][:, STEPS:]):
            assert bool(values.any()) == rows.columns["dated"][i]
    without = OrderRows.read(prepared, "test").without_dates()
    assert not without.ahead.any()
    assert not without.days[:, :, STEPS:].any()


def test_days_without_volume_are_in_no_window(task: SchedulingTask, tmp_path: Path) -> None:
    series, gap = market(DAYS), DAYS - 40
    volume = series.columns["volume"].copy()
    volume[gap] = 0
    found = write(task, [replace(series, columns={**series.columns, "volume": volume})], tmp_path)
    ends = orders(tmp_path, "test").columns["end"]
    assert not ((ends + task.prepare.longest >= gap) & (ends + 1 - task.prepare.window <= gap)).any()
    assert found["without_volume"] == task.prepare.window + task.prepare.longest


@pytest.mark.parametrize(("column", "value", "said"), [("close", 0.0, "not above zero"), ("volume", -1.0, "below zero")])
def test_an_invalid_market_is_refused(task: SchedulingTask, tmp_path: Path, column: str, value: float, said: str) -> None:
    series = market(DAYS)
    broken = series.columns[column].copy()
    broken[100] = value
    with pytest.raises(StageError, match=said):
        write(task, [replace(series, columns={**series.columns, column: broken})], tmp_path)


def test_prices_that_leak_tomorrows_volume_are_refused(task: SchedulingTask, tmp_path: Path) -> None:
    series = market(DAYS)
    planted = np.append(series.columns["volume"][1:], 1e6)
    prices = {"high": 1.01 * planted, "low": 0.99 * planted, "close": planted}
    with pytest.raises(StageError, match="explains"):
        write(task, [replace(series, columns={**series.columns, **prices})], tmp_path)
