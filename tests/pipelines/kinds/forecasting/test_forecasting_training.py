"""A forecaster starts as the least-squares linear forecast, and ends with the quantiles of its errors."""

from pathlib import Path

import numpy as np
import pytest
import torch
from forecasters import LEVELS, begun, loosened, prepared_in, series_of, task_of

from models.forecasting.forecaster import RATIOS, Forecaster
from models.series.arrays import Values
from pipelines.kinds.forecasting.evaluation.rows import SplitRows
from pipelines.kinds.forecasting.training import finish
from pipelines.windows import Windows


def predicted(model: Forecaster, rows: SplitRows) -> Values:
    """The model's forecasts of rows, [N, H, Q]."""
    lengths = torch.full((len(rows.days),), rows.days.shape[1])
    with torch.no_grad():
        values, _ = model.predict(torch.from_numpy(rows.days), lengths, torch.from_numpy(rows.linear))
    return np.asarray(values.double().numpy())


def least_squares(rows: SplitRows, target: Values) -> Values:
    x = np.column_stack([np.ones(len(rows.linear)), rows.linear.astype(np.float64)])
    return np.asarray(x @ np.linalg.lstsq(x, target)[0])


def test_a_variance_forecaster_starts_as_log_har_with_a_corrected_mean(tmp_path: Path) -> None:
    folder = prepared_in(tmp_path / "prepared", task_of(), series_of("qlike"))
    train = SplitRows.read(folder, "train")
    fitted = least_squares(train, np.log(train.targets))
    expected = fitted + np.log(np.exp(np.log(train.targets) - fitted).mean(axis=0))
    np.testing.assert_allclose(predicted(begun(task_of(), folder), train)[..., 0], expected, atol=0.01)


def test_quantiles_start_as_those_of_the_linear_residuals(tmp_path: Path) -> None:
    task = task_of("quantile")
    folder = prepared_in(tmp_path / "prepared", task, series_of("quantile"))
    train, model = SplitRows.read(folder, "train"), begun(task, folder)
    z = (train.targets - train.targets.mean(axis=0)) / train.targets.std(axis=0, ddof=1)
    fitted = least_squares(train, z)
    found = predicted(model, train)
    np.testing.assert_allclose(found - fitted[..., None], np.broadcast_to(found[0] - fitted[0, :, None], found.shape), atol=0.02)
    below = (z[..., None] <= found).mean(axis=(0, 1))
    np.testing.assert_allclose(below, LEVELS, atol=0.02)


def test_events_start_at_their_share_and_increase_with_the_linear_part(tmp_path: Path) -> None:
    task = task_of("event")
    folder = prepared_in(tmp_path / "prepared", task, series_of("event"))
    train = SplitRows.read(folder, "train")
    found = predicted(begun(task, folder), train)[:, 0, 0]
    assert found.mean() == pytest.approx(train.targets.mean(), abs=0.05)
    assert np.corrcoef(found, least_squares(train, train.targets)[:, 0])[0, 1] > 0.9


@pytest.mark.parametrize("loss", ["qlike", "quantile", "event"])
def test_without_a_linear_part_the_forecaster_starts_as_climatology(tmp_path: Path, loss: str) -> None:
    task = task_of(loss, model={"linear": False})
    folder = prepared_in(tmp_path / "prepared", task, series_of(loss))
    train, model = SplitRows.read(folder, "train"), begun(task, folder)
    found = predicted(model, train)
    assert np.ptp(found, axis=0).max() < 1e-6
    if loss == "quantile":
        wanted = (np.quantile(train.targets, LEVELS, axis=0).T - train.targets.mean(axis=0)[:, None]) / train.targets.std(
            axis=0, ddof=1
        )[:, None]
        np.testing.assert_allclose(found[0], wanted, atol=1e-3)
    else:
        mean = train.targets.mean(axis=0)
        np.testing.assert_allclose(found[0, :, 0], np.log(mean) if loss == "qlike" else mean, rtol=1e-4)


def test_ratios_are_the_quantiles_of_observations_over_forecasts(tmp_path: Path) -> None:
    task = task_of()
    folder = prepared_in(tmp_path / "prepared", task, series_of("qlike"))
    model, valid = loosened(begun(task, folder)), SplitRows.read(folder, "valid")
    assert (model.ratios == 1).all()
    finish(model, task, Windows(folder, "valid"))
    ratios = valid.targets / np.exp(predicted(model, valid)[..., 0])
    expected = np.quantile(ratios, np.arange(1, RATIOS + 1) / 100, axis=0).T
    np.testing.assert_allclose(model.ratios.numpy(), expected, rtol=1e-4)
    assert (model.ratios.diff(dim=1) >= 0).all()
    assert "ratios" in model.state_dict()
