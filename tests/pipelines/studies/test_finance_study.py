"""The study of market data: refits do not see their tests, gates equal those of the cells, and breaks are found."""

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from forecasters import begun, loosened, prepared_in, series_of, task_of
from matplotlib.figure import Figure

from models.forecasting.forecaster import Forecaster
from models.forecasting.member import Member
from pipelines.evaluation.walk_forward.losses import brier
from pipelines.kinds.forecasting.settings import ForecastingTask
from pipelines.settings.params import read_settings
from pipelines.stage import StageError
from pipelines.studies.finance import gates, table
from pipelines.studies.finance.figures import Protocol, gate_figure, protocol_figure, year_figure
from pipelines.studies.finance.forecast import task_of as task_of_variant
from pipelines.studies.finance.panel import Panel
from pipelines.studies.finance.settings import SETTINGS, FinanceStudy, settings
from pipelines.training.batches import PaddedRows
from pipelines.windows import Windows

EVENT: dict[str, Any] = {"window": 24}


def task(cell: str = "gru", **prepare: Any) -> ForecastingTask:
    return task_of("event", prepare=EVENT | prepare, model={"cell": cell, "attention": "last", "members": 1})


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_in(tmp_path_factory.mktemp("finance") / "prepared", task(), series_of("event"))


def model_of(cell: str, prepared: Path) -> tuple[Forecaster, Member]:
    model = loosened(begun(task(cell), prepared))
    return model, cast(Member, model.members[0])


def test_its_settings_are_checked_like_those_of_the_pipeline(tmp_path: Path) -> None:
    study = settings()
    shown = task_of_variant(study.variant("attention-uniform"))
    assert (shown.model.members, shown.model.cell, shown.model.attention) == (1, "gru", "uniform")
    with pytest.raises(StageError, match="there is no variant 'rnn'; valid: volatility-rnn, "):
        study.variant("rnn")
    wrong = tmp_path / "params.yaml"
    wrong.write_text(SETTINGS.read_text(encoding="utf-8").replace("refit_every:", "refit_evry:"), encoding="utf-8")
    with pytest.raises(StageError, match="unknown key 'refit_evry'; did you mean 'refit_every'"):
        read_settings(wrong, FinanceStudy)


@pytest.mark.parametrize(("every", "valid_days"), [(7, 10), (30, 40), (500, 20)])
def test_refits_test_every_day_once_and_do_not_train_on_it(prepared: Path, every: int, valid_days: int) -> None:
    panel, longest = Panel.read(task(), prepared), 5
    times, known = (dict(zip(panel.ends.tolist(), some.tolist(), strict=True)) for some in (panel.times, panel.known))
    refits = list(panel.refits(task(), every, valid_days))
    tested = np.concatenate([refit.test for refit in refits])
    begin = np.datetime64(task().prepare.test_from)
    assert sorted(tested.tolist()) == panel.ends[panel.times >= begin].tolist()
    for refit in refits:
        first_test, first_valid = (min(times[end] for end in part.tolist()) for part in (refit.test, refit.valid))
        assert max(known[end] for end in refit.train.tolist()) < first_valid
        assert max(known[end] for end in refit.valid.tolist()) < first_test
        assert len({times[end] for end in refit.test.tolist()}) <= every
        assert len({times[end] for end in refit.valid.tolist()}) == valid_days
    assert (panel.known - panel.times == np.timedelta64(longest, "D")).all()


def test_a_refit_trains_on_each_window_of_the_stride(prepared: Path) -> None:
    every, third = (next(Panel.read(task(), prepared).refits(task(stride=n), 50, 20)) for n in (1, 3))
    np.testing.assert_array_equal(third.train, every.train[::3])
    np.testing.assert_array_equal(third.valid, every.valid)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_measured_gates_equal_those_of_the_cell(cell: str, prepared: Path) -> None:
    _, member = model_of(cell, prepared)
    days = torch.randn(5, 24, 3)
    with torch.no_grad():
        kept, last = gates.keep_gates(member, days)
        _, final = member.recurrent(days, torch.full((5,), 24))
        still, _ = gates.keep_gates(member, days, torch.full((4,), 0.25))
    torch.testing.assert_close(last, final[-1][:, :4], atol=1e-5, rtol=1e-5)
    assert ((kept > 0) & (kept < 1)).all()
    assert (still == 0.25).all()


def test_a_gru_with_a_keep_gate_of_1_keeps_its_zero_state(prepared: Path) -> None:
    _, member = model_of("gru", prepared)
    with torch.no_grad():
        assert not gates.keep_gates(member, torch.randn(3, 24, 3), torch.ones(4))[1].any()


def test_a_regime_breaks_with_a_large_move_after_a_quiet_month() -> None:
    steps = np.zeros((120, 3), np.float32)
    steps[[30, 40, 63, 100], 1] = [4, -5, 2.9, -3.1]  # 40 follows 30 within a month, and 63 is not large
    assert gates.breaks(steps, 0, 120).tolist() == [30, 100]
    assert gates.breaks(steps, 35, 120).tolist() == [40, 100]  # another series starts at 35


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_gates_are_measured_around_breaks_and_fixing_them_is_scored(cell: str, prepared: Path) -> None:
    (model, member), rows = model_of(cell, prepared), Windows(prepared, "test")
    found = rows.ends[5:9] - gates.AROUND
    with torch.no_grad():
        around = gates.around_breaks(member, model, rows, found)
        day = PaddedRows(rows.at(found))[[0, 1, 2, 3]]["days"]  # windows that end with the break
        at_break = gates.keep_gates(member, (day - model.step_mean) / model.step_deviation)[0][:, -1].mean(1)
        score, held = gates.ablated(model, member, rows, np.load(prepared / "train.npy"), np.asarray(rows.ends))
        batch = PaddedRows(rows)[list(range(len(rows)))]
        probability = model.predict(batch["days"], batch["days_lengths"], batch["linear"])[0][:, 0, 0].double().numpy()
    assert around.shape == (4, 2 * gates.AROUND + 1)
    np.testing.assert_allclose(around[:, gates.AROUND], at_break.numpy(), atol=0.05)  # days before the window fade
    assert score == pytest.approx(float(brier(batch["target"][:, 0].double().numpy(), probability).mean()), rel=1e-4)
    assert held > 0


def test_breaks_are_test_days_with_all_surrounding_days(prepared: Path) -> None:
    test = np.load(prepared / "test.npy")
    found = gates.breaks_of(prepared, test)
    assert set(found.tolist()) | set((found + gates.AROUND).tolist()) <= set(test.tolist())


def test_the_days_of_a_variant_come_in_the_order_of_the_series(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "FOUND", tmp_path)
    monkeypatch.setattr(table, "PREPARED", tmp_path)
    (tmp_path / "regimes").symlink_to(prepared)
    ends = np.random.default_rng(0).permutation(np.load(prepared / "test.npy"))
    np.savez(tmp_path / "regimes-gru.npz", ends=ends, forecasts=np.stack([ends, -ends]))
    walked = table.Walked.read("regimes-gru", settings())
    assert walked.ends.tolist() == sorted(ends.tolist())
    np.testing.assert_array_equal(walked.forecasts, np.stack([walked.ends, -walked.ends]))
    np.testing.assert_array_equal(walked.rows.targets, np.load(prepared / "targets.npy")[walked.ends])


def test_seeds_that_attend_to_the_same_days_are_stable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "FOUND", tmp_path)
    shares = np.random.default_rng(0).dirichlet(np.ones(20), size=(5, 300))
    for attention, expected in ((np.repeat(shares[:1], 5, axis=0), 1), (shares, 0)):
        np.savez(tmp_path / "attention-bahdanau.npz", attention=attention.astype(np.float16))
        assert table._stability() == pytest.approx(expected, abs=0.02)


def test_the_change_of_a_gate_is_that_on_the_day_of_the_break(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "FOUND", tmp_path)
    runs = [{"around": [0.5, 0.5, base, 0.9, 0.9], "brier": 0.2, "brier_held": 0.22} for base in (0.3, 0.4)]
    (tmp_path / "gates-regimes-gru.json").write_text(json.dumps({"breaks": 7, "runs": runs}))
    figures, curves = table.gate_figures(["regimes-gru"])
    assert figures["gate_change_gru"] == pytest.approx(-0.15)
    assert figures["gate_change_gru_low"] < -0.15 < figures["gate_change_gru_high"]
    assert figures["gate_held_cost_gru"] == pytest.approx(0.1)
    assert figures["regime_breaks"] == 7
    assert curves["gru"].shape == (2, 5)


def test_figures_are_drawn(tmp_path: Path) -> None:
    days = [np.datetime64(day) for day in ("1999-01-01", "2011-01-01", "2013-01-01", "2019-01-01")]
    years = [{"year": year, "days": 250, "event_share": 0.2, "model": 0.1, "har": 0.12} for year in (2008, 2009)]
    figures: list[Figure] = [
        protocol_figure([Protocol("volatility", days[0], days[1], days[2], days[3], 1)] * 2),
        gate_figure({"gru": np.random.default_rng(0).random((5, 21)), "lstm": np.zeros((5, 21))}),
        year_figure(years),
    ]
    for i, figure in enumerate(figures):
        figure.savefig(tmp_path / f"{i}.png")
        assert (tmp_path / f"{i}.png").stat().st_size > 5_000


def test_a_cell_without_a_keep_gate_is_rejected() -> None:
    with pytest.raises(StageError, match="rnn has no gate that keeps the past; choose a variant with a GRU or an LSTM"):
        gates.main("volatility-rnn")
