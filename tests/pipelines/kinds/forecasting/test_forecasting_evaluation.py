"""Reports on forecasts of known quality: the truth beats every baseline, and a baseline ties with itself."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from forecasters import LEVELS, LOSSES, prepared_in, series_of, stock, task_of

from models.series.arrays import Values
from pipelines.evaluation.walk_forward.folds import folds
from pipelines.evaluation.walk_forward.har import ewma, log_har, random_walk
from pipelines.kinds.forecasting.evaluation import STATED, evaluate, events, quantiles, variance
from pipelines.kinds.forecasting.evaluation.baselines import ALPHAS, of_events, of_values, of_variance
from pipelines.kinds.forecasting.evaluation.faithfulness import faithfulness
from pipelines.kinds.forecasting.evaluation.figures import attention_map, forecast_figure
from pipelines.kinds.forecasting.evaluation.rows import SplitRows, assert_served_alike
from pipelines.stage import StageError
from serving.bundle import Forecast
from serving.predictors.arrays import FloatArray
from serving.predictors.forecasting import Forecaster, Forecasts

SPLITS = ("train", "valid", "test")
Rows = tuple[SplitRows, SplitRows, SplitRows]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rows]:
    """Loss -> train, valid and test."""
    root = tmp_path_factory.mktemp("evaluated")
    found = dict[str, Rows]()
    for loss in LOSSES:
        folder = prepared_in(root / loss, task_of(loss), series_of(loss))
        train, valid, test = (SplitRows.read(folder, split) for split in SPLITS)
        found[loss] = (train, valid, test)
    return found


def of_quantiles() -> Forecaster:
    return cast(Forecaster, SimpleNamespace(about=Forecast(loss="quantile", levels=LEVELS, attention=False)))


def test_the_truth_beats_every_baseline_of_a_variance(rows: dict[str, Rows]) -> None:
    _, valid, test = rows["qlike"]
    report = variance.report(task_of(), test.targets, valid, test, 0)
    for horizon in (1, 5):
        assert report.metrics[f"qlike_{horizon}"] == pytest.approx(0, abs=1e-12)
        assert cast(float, report.metrics[f"qlike_diff_high_{horizon}"]) < 0
        for name in ("random_walk", "ewma", "har"):
            assert report.metrics[f"qlike_over_{name}_{horizon}"] == pytest.approx(0, abs=1e-9)
    table = report.tables["series.csv"]
    assert [(row["series"], row["horizon"]) for row in table] == [("a", 1), ("a", 5), ("b", 1), ("b", 5)]
    assert all(row["model"] == pytest.approx(0, abs=1e-12) and row["bias"] == pytest.approx(1) for row in table)


def test_log_har_ties_with_itself(rows: dict[str, Rows]) -> None:
    _, valid, test = rows["qlike"]
    metrics = variance.report(task_of(), of_variance(task_of(), test, valid)["har"], valid, test, 0).metrics
    for horizon in (1, 5):
        assert metrics[f"qlike_over_har_{horizon}"] == 1
        assert [metrics[f"qlike_diff{end}_{horizon}"] for end in ("", "_low", "_high")] == [0, 0, 0]
        assert metrics[f"diebold_mariano_p_{horizon}"] == 1


def test_metrics_have_no_suffix_for_a_single_horizon(tmp_path: Path) -> None:
    task = task_of(prepare={"horizons": [5]})
    folder = prepared_in(tmp_path / "prepared", task, [stock()])
    valid, test = SplitRows.read(folder, "valid"), SplitRows.read(folder, "test")
    assert {"qlike", "har_qlike", "qlike_over_har", "qlike_diff_high"} < variance.report(
        task, test.targets, valid, test, 0
    ).metrics.keys()


def test_the_baselines_of_a_variance_are_those_of_the_walk_forward_module(rows: dict[str, Rows]) -> None:
    task, (_, valid, test) = task_of(), rows["qlike"]
    found = of_variance(task, test, valid)
    for part in test.parts:
        cut = folds(part.times, first=task.prepare.test_from, every=20, horizon=5, window=150)
        for i, horizon in enumerate((1, 5)):
            np.testing.assert_array_equal(found["har"][part.rows, i], log_har(part.values, cut, horizon, (1, 5)))
            np.testing.assert_array_equal(found["random_walk"][part.rows, i], random_walk(part.values, horizon)[part.places])
            some = [ewma(part.values, alpha)[part.places] for alpha in ALPHAS]
            assert any(np.array_equal(found["ewma"][part.rows, i], one) for one in some)


def test_for_events_the_truth_beats_baselines_and_a_baseline_ties_with_itself(rows: dict[str, Rows]) -> None:
    (train, _, test), task = rows["event"], task_of("event")
    perfect, same = (events.report(task, found, train, test, 0) for found in (test.targets, of_events(train, test)["har"]))
    assert perfect.metrics["brier"] == 0
    assert perfect.metrics["brier_skill_over_har"] == 1
    assert cast(float, perfect.metrics["brier_skill_low"]) > 0
    assert perfect.metrics["ece"] == pytest.approx(0, abs=1e-9)
    assert [same.metrics[f"brier_skill_{key}"] for key in ("over_har", "low", "high")] == [0, 0, 0]
    assert perfect.metrics["event_share"] == test.targets.mean()
    assert sum(cast(int, row["days"]) for row in perfect.tables["years.csv"]) == len(test.targets)
    assert sum(cast(int, row["count"]) for row in same.tables["calibration.csv"]) == len(test.targets)


def test_climatology_is_the_share_of_the_training_days(rows: dict[str, Rows]) -> None:
    train, _, test = rows["event"]
    found = of_events(train, test)
    assert np.unique(found["climatology"]).tolist() == [train.targets.mean()]
    assert ((found["har"] > 0) & (found["har"] < 1)).all()


def test_for_quantiles_the_truth_beats_baselines_and_the_best_baseline_ties_with_itself(rows: dict[str, Rows]) -> None:
    task, splits = task_of("quantile"), rows["quantile"]
    test = splits[2]

    def report(median: Values) -> dict[str, float | str]:
        forecasts = np.stack([median - 1, median, median + 1], axis=-1)
        return dict(quantiles.report(task, of_quantiles(), forecasts, splits, 0).metrics)

    perfect = report(test.targets)
    assert (perfect["mae"], perfect["coverage"]) == (0, 1)
    assert perfect["coverage_wanted"] == pytest.approx(0.8)
    assert perfect["pinball"] == pytest.approx((0.1 + 0 + 0.1) / 3)
    best = str(perfect["best_baseline"])
    same = report(of_values(task, splits[0], splits[1], test)[best])
    assert same[f"mae_over_{best}"] == 1
    assert (same["mae_diff_low"], same["mae_diff_high"], same["diebold_mariano_p"]) == (0, 0, 1)


def test_the_baselines_of_a_value_match_their_names(rows: dict[str, Rows]) -> None:
    task, (train, valid, test) = task_of("quantile"), rows["quantile"]
    found = of_values(task, train, valid, test)
    for part in test.parts:
        for i, horizon in enumerate((1, 3)):
            np.testing.assert_array_equal(found["naive"][part.rows, i], part.values[part.places])
            np.testing.assert_array_equal(found["seasonal_naive"][part.rows, i], part.values[part.places + horizon - 7])
    assert found.keys() == {"naive", "seasonal_naive", "smoothing", "linear"}
    assert np.abs(found["linear"] - test.targets).mean() < np.abs(found["naive"] - test.targets).mean()


def test_a_series_that_ends_before_the_test_split_is_left_out(tmp_path: Path) -> None:
    task, long = task_of(), stock("b", seed=1)
    short = replace(stock("a"), times=stock().times[:330], columns={k: v[:330] for k, v in stock().columns.items()})
    folder = prepared_in(tmp_path / "prepared", task, [short, long])
    valid, test = SplitRows.read(folder, "valid"), SplitRows.read(folder, "test")
    assert [part.name for part in valid.parts] == ["a", "b"]
    assert [part.name for part in test.parts] == ["b"]
    report = variance.report(task, test.targets, valid, test, 0)
    assert {row["series"] for row in report.tables["series.csv"]} == {"b"}


class Reader:
    """Its forecasts depend on the largest value of the days, or on none of them."""

    def __init__(self, positive: bool, extreme: bool = True) -> None:
        self.recipe, self._extreme = SimpleNamespace(positive=positive), extreme

    def run(self, days: FloatArray, _: FloatArray) -> tuple[Values, FloatArray]:
        read = days[:, :-1, 0]
        z = (read.max(axis=1) if self._extreme else 0 * read.sum(axis=1))[:, None, None].astype(np.float64)
        return np.exp(z) if self.recipe.positive else z - 2, np.zeros(days.shape[:2])


def days_of(count: int = 200, length: int = 31) -> SplitRows:
    days = np.random.default_rng(0).normal(size=(count, length, 1)).astype(np.float32)
    return cast(SplitRows, SimpleNamespace(days=days, linear=np.zeros((count, 1), np.float32)))


@pytest.mark.parametrize("positive", [True, False])
def test_faithfulness_is_high_if_attention_is_on_the_relevant_days(positive: bool) -> None:
    test, model = days_of(), cast(Forecaster, Reader(positive))
    peaked = np.exp(5 * test.days[..., 0])
    peaked /= peaked.sum(axis=1, keepdims=True)
    found = faithfulness(model, test, peaked, 0)
    assert found["attention_faithfulness"] > 3
    assert found["attention_change"] > found["random_change"] > 0
    assert 0.5 < found["attention_of_top_days"] <= 1


@pytest.mark.parametrize("positive", [True, False])
def test_faithfulness_is_about_one_for_uniform_attention(positive: bool) -> None:
    test, model = days_of(500), cast(Forecaster, Reader(positive))
    even = np.full((500, 31), 1 / 31)
    assert faithfulness(model, test, even, 0)["attention_faithfulness"] == pytest.approx(1, abs=0.3)


def test_faithfulness_is_one_if_days_have_no_effect() -> None:
    even = np.full((200, 31), 1 / 31)
    found = faithfulness(cast(Forecaster, Reader(positive=False, extreme=False)), days_of(), even, 0)
    assert (found["attention_faithfulness"], found["attention_change"], found["random_change"]) == (1, 0, 0)


class Served:
    """Answers with given forecasts plus an error."""

    def __init__(self, values: Values, off: float, positive: bool) -> None:
        self.recipe = SimpleNamespace(positive=positive, needed=8, columns=("load", "heat"))
        self.about, self._values, self._off = SimpleNamespace(deviation=(2.0, 2.0)), values, off

    def forecast(self, series: list[dict[str, Values]]) -> Forecasts:
        chosen = np.random.default_rng(0).permutation(len(self._values))[: len(series)]
        return Forecasts(self._values[chosen] + self._off, np.zeros((1, 1)), np.zeros(1))


@pytest.mark.parametrize(("off", "same"), [(1e-6, True), (1e-2, False), (float("nan"), False)])
def test_served_forecasts_may_differ_only_by_rounding_even_near_zero(tmp_path: Path, off: float, same: bool) -> None:
    folder = prepared_in(tmp_path / "prepared", task_of("quantile"), series_of("quantile"))
    values = 1e-9 * np.random.default_rng(0).normal(size=(len(np.load(folder / "test.npy")), 2, 1))
    served = cast(Forecaster, Served(values, off, positive=False))
    if same:
        assert_served_alike(served, folder, values, 0)
    else:
        with pytest.raises(StageError, match="served forecasts differ from the evaluated ones"):
            assert_served_alike(served, folder, values, 0)


def test_figures_have_date_axes(rows: dict[str, Rows], tmp_path: Path) -> None:
    _, _, test = rows["qlike"]
    own = test.parts[0].rows
    shares = np.random.default_rng(0).dirichlet(np.ones(8), size=len(own))
    figures = {
        "forecasts.png": forecast_figure(test, test.targets[:, 0], test.targets[:, 0], 1),
        "attention.png": attention_map(test, shares, 5),
    }
    for name, figure in figures.items():
        figure.savefig(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 10_000
        labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
        assert any("200" in label or "-" in label or label.isalpha() for label in labels)


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_an_exported_model_is_evaluated_for_every_loss(forecasters: dict[str, Path], tmp_path: Path, loss: str) -> None:
    task = task_of(loss, model={"attention": "last"} if loss == "event" else {})
    report = evaluate(forecasters[loss], forecasters[loss].parent / "prepared" / loss, task, 0)
    assert all(np.isfinite(value) for value in report.metrics.values() if not isinstance(value, str))
    assert ("attention_faithfulness" in report.metrics) == (loss != "event")
    report.write_plots(tmp_path / "plots")
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {*report.tables, *report.figures}
    assert set(STATED) == {"unchanged_prices_most", "purged"}
