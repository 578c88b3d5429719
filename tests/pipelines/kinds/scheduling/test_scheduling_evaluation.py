"""Baselines, regret and simulated costs; a scheduler runs through all stages."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from orders import market, small

from models.series.execution import Impact
from models.series.market import RECIPE
from pipelines.data.prepared import rows_of
from pipelines.kinds import parts
from pipelines.kinds.scheduling.data import write
from pipelines.kinds.scheduling.evaluation import costs, evaluate, regret, score, volumes
from pipelines.kinds.scheduling.evaluation.rows import OrderRows
from pipelines.kinds.scheduling.settings import SchedulingTask
from pipelines.packaging.examples import answered
from pipelines.settings.params import load_params
from pipelines.stage import StageError
from pipelines.stages.export import export
from pipelines.training.loop import Loop

ROOT = Path(__file__).parents[4]
IMPACT = Impact(spread=0.0001, temporary=0.01, permanent=0.001)
FRIDAY = 5  # index of the effect in models.series.days.NAMES


@pytest.fixture(scope="module")
def task() -> SchedulingTask:
    return small(load_params(ROOT / "params.yaml"))


@pytest.fixture(scope="module")
def prepared(task: SchedulingTask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    write(task, [market(520)], folder)
    return folder


@pytest.fixture(scope="module")
def rows(prepared: Path) -> OrderRows:
    return OrderRows.read(prepared, "test")


def test_the_closed_form_has_no_regret_and_twap_has(rows: OrderRows) -> None:
    found = regret.report(rows, rows.schedules, IMPACT, seed=1, block=10)
    assert found["schedule_regret"] == pytest.approx(0, abs=1e-6)
    assert found["twap_regret"] > 0.01
    assert (regret.regret(rows, rows.even, IMPACT) >= 0).all()


def test_baselines_are_shares(rows: OrderRows, prepared: Path) -> None:
    found = volumes.baselines(rows, np.load(prepared / "effects.npy"))
    assert set(found) == {"equal", "recent", "calendar"}
    for shares in found.values():
        np.testing.assert_allclose(shares.sum(axis=1), 1)
        assert (shares[~rows.within] == 0).all()


def test_calendar_and_pattern_baselines_find_busy_fridays(rows: OrderRows, prepared: Path) -> None:
    beside = volumes.baselines(rows, np.load(prepared / "effects.npy"))
    errors = {name: volumes.errors(rows, shares).mean() for name, shares in beside.items()}
    assert errors["calendar"] < 0.8 * errors["equal"]
    assert errors["recent"] < 0.9 * errors["equal"]


def test_the_pattern_uses_only_the_last_twenty_days(rows: OrderRows, prepared: Path) -> None:
    raw = rows.raw.copy()
    later = int(rows.ends[0]) + 1
    raw[later:] *= 3
    changed, effects = replace(rows, raw=raw), np.load(prepared / "effects.npy")
    np.testing.assert_array_equal(volumes.baselines(changed, effects)["recent"][0], volumes.baselines(rows, effects)["recent"][0])


def test_perfect_shares_have_no_error(task: SchedulingTask, rows: OrderRows, prepared: Path) -> None:
    found = volumes.report(task, rows, rows.volumes, rows.even, np.load(prepared / "effects.npy"), seed=1)
    assert found["volume_share_mae"] == found["volume_share_ratio"] == 0
    assert found["best_baseline"] in ("calendar", "recent")
    assert found["undated_volume_share_ratio"] == pytest.approx(1)


def test_slippage_of_a_flat_market_is_the_expected_cost(rows: OrderRows) -> None:
    """With constant prices and usual volumes, the simulated cost equals Almgren and Chriss's expected cost."""
    raw = np.ones_like(rows.raw)
    flat = costs.slippage(replace(rows, raw=raw), rows.even, IMPACT, 0.1)
    amount = 0.1 * rows.horizons
    expected = IMPACT.spread / 2 + IMPACT.permanent * amount / 2 + IMPACT.effective * amount / rows.horizons
    np.testing.assert_allclose(flat, expected)


def test_a_price_move_has_opposite_effects_for_buyers_and_sellers(rows: OrderRows) -> None:
    free = Impact(spread=0.0, temporary=0.0, permanent=0.0)
    bought = costs.slippage(replace(rows, sides=np.ones(len(rows.ends))), rows.schedules, free, 0.1)
    sold = costs.slippage(replace(rows, sides=-np.ones(len(rows.ends))), rows.schedules, free, 0.1)
    np.testing.assert_allclose(bought, -sold)
    assert np.abs(bought).max() > 0.001


@pytest.fixture(scope="module")
def untrained(task: SchedulingTask, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    model = parts.build(task, prepared)
    parts.training(task).begin(model, task, prepared, rows_of(prepared, "train"))
    folder = tmp_path_factory.mktemp("untrained") / "execution"
    export("execution", task, model, prepared, folder)
    return folder


def test_each_order_has_a_score(task: SchedulingTask, untrained: Path, prepared: Path, rows: OrderRows) -> None:
    found = score(untrained, prepared, task)
    assert (found.values > 0).all()
    assert len(found.values) == len(rows.ends) == len(found.slices["horizon"]) == len(found.slices["risk aversion"])


def test_orders_that_were_prepared_with_other_settings_are_refused(
    task: SchedulingTask, untrained: Path, prepared: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(prepared, tmp_path / "prepared")
    recipe = json.loads((other / RECIPE).read_text(encoding="utf-8"))
    recipe["impact"]["temporary"] *= 2
    (other / RECIPE).write_text(json.dumps(recipe), encoding="utf-8")
    with pytest.raises(StageError, match=r"other settings \(impact"):
        score(untrained, other, task)


@pytest.mark.slow
def test_a_scheduler_runs_through_all_stages(task: SchedulingTask, prepared: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    model, train, valid = parts.build(task, prepared), rows_of(prepared, "train"), rows_of(prepared, "valid")
    parts.training(task).begin(model, task, prepared, train)
    settings = task.train.model_copy(update={"epochs": 12, "batch_units": 640, "learning_rate": 0.02})
    loop = Loop(model, train, valid, settings, 1, Fabric(accelerator="cpu", devices=1))
    before = loop.validate()
    for epoch in range(settings.epochs):
        loop.train(epoch)
    assert loop.validate() < before / 4
    folder = tmp_path / "execution"
    assert export("execution", task, model, prepared, folder) < 1e-4
    found = evaluate(folder, prepared, task, seed=1)
    assert float(found.metrics["schedule_regret"]) < float(found.metrics["twap_regret"])
    assert found.metrics["best_baseline"] in ("calendar", "recent")
    found.write_plots(tmp_path / "plots")
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {"orders.csv", "schedules.png", "volumes.png"}
    examples = answered(folder, parts.showing(task).requests(task, prepared))
    assert [len(example.answer) for example in examples if isinstance(example.answer, list)] == [2]
